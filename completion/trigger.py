"""Whether to ask the model at all, and for how much: a line or a block. Called by the pipeline and `doctor`.

Rules: pure. An invoked request is never refused.
"""

import re
from dataclasses import dataclass

from completion.code.lines import (
    after_cursor,
    before_cursor,
    columns,
    header_above,
    is_label_of,
    lines_below,
    opens_block,
)
from completion.code.words import is_word_character
from completion.switches import Switch
from completion.types import CompletionRequest, DocumentSnapshot, Mode, Trigger
from parsers.languages import by_id
from parsers.parse import byte_offset
from parsers.scope import CursorKind, cursor_kind

# More than this to the right of the cursor, closers aside, and the user is editing inside a line.
_MAX_RIGHT_CHARACTERS = 8
_CLOSERS = re.compile(r"[\s)\]}>\"'`,;:]*")


@dataclass(frozen=True, slots=True)
class Decision:
    """The mode to complete in; `skip` says in words why not to, or is ""."""

    mode: Mode
    skip: str
    is_prose: bool = False  # the cursor stands in a comment or a string


def decide(request: CompletionRequest) -> Decision:
    """Choose the mode, and refuse automatic requests where a suggestion would be in the way."""
    mode = request.mode or (Mode.BLOCK if opens_empty_block(request) else Mode.LINE)
    is_prose = _in_prose(request)
    if mode is Mode.BLOCK and is_prose:  # a comment would go on and on, and then come the code below it
        mode = Mode.LINE
    if request.trigger is Trigger.INVOKED or Switch.TRIGGER in request.without:
        return Decision(mode, "", is_prose)
    right = after_cursor(request.snapshot.text, request.cursor)
    skip = ""
    if is_word_character(right[:1]):
        skip = "a word stands right behind the cursor"
    elif len(_CLOSERS.sub("", right)) > _MAX_RIGHT_CHARACTERS:
        skip = f"more than {_MAX_RIGHT_CHARACTERS} characters stand to the right of the cursor"
    return Decision(mode, skip, is_prose)


def mode_of(request: CompletionRequest) -> Mode:
    """The mode of a request: that of the decision which the pipeline hands on, decided here where none was."""
    return request.mode or decide(request).mode


def opens_empty_block(request: CompletionRequest) -> bool:
    """Whether the cursor stands on a blank line of a body in which nothing stands yet but a docstring or comments."""
    snapshot, cursor = request.snapshot, request.cursor
    text = snapshot.text
    if before_cursor(text, cursor).strip() or after_cursor(text, cursor).strip():
        return False
    header, end = header_above(text, cursor, snapshot.language)
    style = by_id(snapshot.language).block_style
    if not opens_block(_code_of(header, end, snapshot), style):
        return False
    following = next(lines_below(text, cursor), None)
    return following is None or (columns(following) <= columns(header) and not is_label_of(following, header))


def _in_prose(request: CompletionRequest) -> bool:
    """Whether the cursor stands in a comment, or in a string that is open."""
    snapshot = request.snapshot
    return cursor_kind(snapshot.tree, byte_offset(snapshot.text, request.cursor)) is not CursorKind.CODE


def _code_of(line: str, end: int, snapshot: DocumentSnapshot) -> str:
    """A line that ends at the offset `end`, without the comment it may end with."""
    marker = by_id(snapshot.language).line_comment
    if marker is None or marker not in line:  # most lines: the syntax tree need not be asked
        return line
    at_end = cursor_kind(snapshot.tree, byte_offset(snapshot.text, end))
    return line[: line.find(marker)].rstrip() if at_end is CursorKind.COMMENT else line
