"""Takes characters out that nobody sees, or that stand for what could not be read. Filter.

A model copies them from the text around it, and they are errors that one cannot find. One rule, by Unicode category,
says which they are: controls, format characters, surrogates and what is unassigned (C*), and separators other than a
blank (Z*); beside it those few letters and marks that have no shape of their own (Default_Ignorable_Code_Point) and
U+FFFD, which says that something was lost.

- In code none stays: separators become a blank, the others go.
- In strings, comments and prose spaces of any kind stay, since they are written there on purpose, and so does what
  joins or varies characters: U+200C and U+200D between others than ASCII (emoji, Persian, Hindi), variation selectors.
  What turns the direction of text hides code from its reader (CVE-2021-42574), and goes as everywhere.

Rules: pure; parses where there is such a character at all, which is seldom.
"""

import re
import unicodedata
from dataclasses import replace

from completion.candidate import Candidate
from completion.types import CompletionRequest
from parsers.parse import byte_offset, parse
from parsers.scope import is_text

_PLAIN = re.compile(r"[\n\r\t\x20-\x7e]*")
_LOST = "\ufffd"
_JOINERS = "\u200c\u200d"
_LINE_SEPARATORS = ("Zl", "Zp")
# Letters and marks that are not drawn: by category they are ordinary.
_SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_FILLERS = "\u115f\u1160\u3164\uffa0"


def odd_characters(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Leave of a suggestion what is seen, and what belongs into a text."""
    text = candidate.text
    if _PLAIN.fullmatch(text) or not any(map(_is_odd, text)):
        return candidate
    return replace(candidate, text=_kept(text, request))


def _kept(text: str, request: CompletionRequest) -> str:
    """A text with each odd character judged by where it stands; the tree is that of the text without them."""
    places: dict[int, int] = {}  # of each odd character: how much of the clean text stands before it
    clean = ""
    for at, character in enumerate(text):
        if _is_odd(character):
            places[at] = len(clean)
            clean += _in_code(character)
        else:
            clean += character
    snapshot, cursor = request.snapshot, request.cursor
    whole = snapshot.text[:cursor] + clean + snapshot.text[cursor:]
    tree = parse(snapshot.language, whole, snapshot.tree)
    return "".join(
        character
        if at not in places
        else _in_text(text, at)
        if is_text(tree, byte_offset(whole, cursor + places[at]))
        else _in_code(character)
        for at, character in enumerate(text)
    )


def _is_odd(character: str) -> bool:
    if character in " \t\n\r":
        return False
    category = unicodedata.category(character)
    return category[0] in "CZ" or character == _LOST or _SHAPELESS.match(character) is not None


def _in_code(character: str) -> str:
    return " " if unicodedata.category(character)[0] == "Z" else ""


def _in_text(text: str, at: int) -> str:
    """What becomes of an odd character in a string, a comment, or prose."""
    character = text[at]
    category = unicodedata.category(character)
    if character in _JOINERS:
        return character if _joins(text, at) else ""
    if category in _LINE_SEPARATORS:
        return " "
    is_space_or_mark = category == "Zs" or (category[0] != "C" and character != _LOST and character not in _FILLERS)
    return character if is_space_or_mark else ""


def _joins(text: str, at: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    return bool(before and after) and not before.isascii() and not after.isascii()
