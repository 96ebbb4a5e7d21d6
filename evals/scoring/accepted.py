"""What accepting a completion makes of a document: the text, whether it parses, and how near the truth it is.

Used by every suite that generates. Rules: the text is exactly what an editor would hold afterwards. A new parse error
is an ERROR or MISSING node more (tree-sitter) than there were with the place empty; it is None where nothing was shown
or the language has no grammar. A line that opens a block is no error because its block is not there yet: it is given an
empty one, and the brackets that it opens are closed behind that, before errors are counted (`new_parse_error_as_is`
counts without). So is a line that ends with a bracket or an arrow, whose rest comes on the next lines. Grammars have
errors of their own: the truth's is kept beside it, as a control.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from completion.code.lines import before_cursor, opens_block
from completion.types import Completion, Outcome
from evals.scoring.documents import Document
from parsers.languages import BlockStyle, for_document
from parsers.parse import parse
from parsers.scope import error_count

_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
# Behind `then`, `do` and the like; an empty block of Shell needs a command.
_END_WORDS = ("end", "true\nfi", "true\ndone")
_GOES_ON = re.compile(r"([(\[]|[=-]>)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """`text` is the whole document; exact match and similarity (difflib's ratio) ignore white space at line ends."""

    text: str
    shown: bool
    exact: bool
    similarity: float
    new_parse_error: bool | None
    new_parse_error_as_is: bool | None
    truth_new_parse_error: bool | None

    def record(self) -> dict[str, Any]:
        """The part of a results line that says how good it is."""
        return {
            "shown": self.shown,
            "exact": self.exact,
            "similarity": round(self.similarity, 4),
            "new_parse_error": self.new_parse_error,
            "new_parse_error_as_is": self.new_parse_error_as_is,
            "truth_new_parse_error": self.truth_new_parse_error,
        }


def accept(document: Document, completion: Completion, truth: str) -> Accepted:
    """Accept a completion; what is not shown leaves the document as it was."""
    shown = completion.outcome is Outcome.OK
    text = with_text(document, completion.text, completion.replace_right) if shown else document.text
    language = for_document(document.path)
    before = _errors(language.id, document.text)
    parsed = shown and language.grammar is not None
    as_is = _errors(language.id, text) > before
    bodies = _empty_bodies(completion.text, document, language.block_style)
    whole = [with_text(document, completion.text + body, completion.replace_right) for body in bodies]
    return Accepted(
        text=text,
        shown=shown,
        exact=_lines(completion.text) == _lines(truth),
        similarity=difflib.SequenceMatcher(None, completion.text.strip(), truth.strip(), autojunk=False).ratio(),
        new_parse_error=as_is and all(_errors(language.id, each) > before for each in whole) if parsed else None,
        new_parse_error_as_is=as_is if parsed else None,
        truth_new_parse_error=_errors(language.id, with_text(document, truth)) > before if parsed else None,
    )


def with_text(document: Document, text: str, replace_right: int = 0) -> str:
    """The document with `text` at its cursor, in place of `replace_right` characters behind it."""
    return document.text[: document.cursor] + text + document.text[document.cursor + replace_right :]


def _empty_bodies(text: str, document: Document, style: BlockStyle) -> list[str]:
    """What finishes a header that a text ends with by an empty block, in any of the ways that languages have for it."""
    line = (before_cursor(document.text, document.cursor) + text).split("\n")[-1]
    indentation = line[: len(line) - len(line.lstrip())]
    if not opens_block(line, style):
        return [f"\n{indentation}x{_closers(line)}"] if _GOES_ON.search(line) else [""]
    if style is BlockStyle.INDENT:
        return [f"\n{indentation}    pass"]
    closers = _closers(line)
    if style is BlockStyle.END and not line.endswith("{"):
        return [f"\n{indentation}{word}{closers}" for word in _END_WORDS]
    return [f"\n{indentation}{closers or '}'}{end}" for end in ("", ";")]


def _closers(line: str) -> str:
    """What closes the brackets that a line opens and does not close; strings are not looked into."""
    found = ""
    for character in line:
        if character in _CLOSER_OF:
            found = _CLOSER_OF[character] + found
        elif found.startswith(character):
            found = found[1:]
    return found


def _errors(language: str, text: str) -> int:
    return error_count(parse(language, text))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]
