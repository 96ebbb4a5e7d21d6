"""Fits a suggestion to the text behind the cursor: what stands there already is replaced or not said again. Filters.

Rules: pure. Replacing what stands right of the cursor, rather than cutting the suggestion, is right also when the
suggestion goes on after it: `def f(▮)` completed with `self):`.
"""

import re
from dataclasses import replace
from itertools import islice

from completion.candidate import Candidate
from completion.code.lines import after_cursor, before_cursor, is_number_row, lines_below
from completion.types import CompletionRequest, Trigger

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(_OPENERS.values())
_QUOTES = frozenset("\"'`")
# A single line says little: a shorter one that is the same as the next (`}`, `else`) may be meant.
_MIN_SAME_CHARACTERS = 4
_CLOSING_WORD = re.compile(r"(?:end|fi|done|esac)[;,)]*")


def next_lines(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut a suggestion where it begins to say what the following lines say already.

    Lines that only close (brackets, `end`) count only when they are indented the same. The last line of a
    suggestion may be the beginning of what follows, since generations are cut off.
    """
    text, cursor = request.snapshot.text, request.cursor
    typed = before_cursor(text, cursor)
    whole = (typed + candidate.text).split("\n")
    below = [_said(line) for line in islice(lines_below(text, cursor), len(whole))]
    for number in range(len(whole)):
        said = [_said(line) for line in whole[number:] if line.strip()]
        if said and whole[number].strip() and not is_number_row(said[0]) and _says(said, below):
            if number == 0:
                return Candidate("")
            return replace(candidate, text="\n".join(whole[:number])[len(typed) :].rstrip())
    return candidate


def _says(said: list[str], below: list[str]) -> bool:
    """Whether these lines are the ones below, the last perhaps cut off."""
    if len(said) > len(below) or said[:-1] != below[: len(said) - 1]:
        return False
    last = below[len(said) - 1]
    return said[-1] == last or (len(said) > 1 and len(said[-1]) >= _MIN_SAME_CHARACTERS and last.startswith(said[-1]))


def _said(line: str) -> str:
    says = any(character.isalnum() for character in line) and _CLOSING_WORD.fullmatch(line.strip()) is None
    return line.strip() if says else line.rstrip()


def suffix_overlap(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """`f(▮)` completed with `x)`: let the suggestion replace the closers it brings itself."""
    rest = after_cursor(request.snapshot.text, request.cursor).rstrip()
    if not rest or not candidate.text:
        return candidate
    if candidate.text.endswith(rest) and not set(rest) <= _CLOSERS:
        return replace(candidate, replace_right=len(rest))
    taken, last = 0, 0
    for at in _unmatched(candidate.text):
        if taken < len(rest) and rest[taken] == candidate.text[at]:
            taken, last = taken + 1, at
    # `f(▮) + 1` completed with `x) + 1;`: what follows the closers may be said again, too.
    if taken and rest[taken:].strip() and rest[taken:].strip() in candidate.text[last + 1 :]:
        taken = len(rest)
    return replace(candidate, replace_right=taken)


def nothing_new(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a suggestion that says what stands right of the cursor, and nothing else: nobody sees it.

    Nobody who types wants it twice, either; one who asks may: `[0, ▮0]`.
    """
    rest = after_cursor(request.snapshot.text, request.cursor)
    is_said_again = rest.startswith(candidate.text) and any(map(str.isalnum, candidate.text))
    if candidate.text == rest[: candidate.replace_right] or (is_said_again and request.trigger is Trigger.AUTOMATIC):
        return Candidate("")
    return candidate


def _unmatched(text: str) -> list[int]:
    """Offsets of the closing brackets and quotes that nothing in the text opens, in order."""
    stack: list[str] = []
    unmatched = []
    odd_quotes = {quote for quote in _QUOTES if text.count(quote) % 2}
    for at, character in enumerate(text):
        if character in _OPENERS:
            stack.append(_OPENERS[character])
        elif character in _CLOSERS and stack:
            if stack[-1] == character:
                stack.pop()
        elif character in _CLOSERS or character in odd_quotes:  # of quotes, one closes what was open before
            unmatched.append(at)
    return unmatched
