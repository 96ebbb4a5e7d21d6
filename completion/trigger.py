"""Whether to ask the model at all, and for how much: a line or a block.

Rules: pure. Somebody who asks explicitly (`Trigger.INVOKED`) is never refused.
"""

import re
from dataclasses import dataclass

from completion.types import CompletionRequest, Mode, Trigger
from parsers.languages import BlockStyle, by_id

# More than this to the right of the cursor, closers aside, and the user is editing inside a line.
_MAX_RIGHT_CHARACTERS = 8
_CLOSERS = re.compile(r"[\s)\]}>\"'`,;:]*")
# A line that opens a block of a language whose blocks end with a keyword.
_END_OPENERS = re.compile(
    r"(\b(do|then|else|begin|repeat|try|function\b.*|def\b.*|class\b.*|module\b.*|struct\b.*)|->|\|)\s*$"
)


@dataclass(frozen=True, slots=True)
class Decision:
    """The mode to complete in; `skip` says in words why not to, or is ""."""

    mode: Mode
    skip: str


def decide(request: CompletionRequest) -> Decision:
    """Choose the mode, and refuse automatic requests where a suggestion would be in the way."""
    text, cursor = request.snapshot.text, request.cursor
    line_end = text.find("\n", cursor)
    right = text[cursor : line_end if line_end >= 0 else len(text)].rstrip("\r")
    mode = request.mode or (Mode.BLOCK if opens_empty_block(request) else Mode.LINE)
    skip = ""
    if request.trigger is Trigger.AUTOMATIC:
        if right[:1].isalnum() or right[:1] == "_":
            skip = "the cursor is inside a word"
        elif len(_CLOSERS.sub("", right)) > _MAX_RIGHT_CHARACTERS:
            skip = f"more than {_MAX_RIGHT_CHARACTERS} characters stand to the right of the cursor"
    return Decision(mode, skip)


def opens_empty_block(request: CompletionRequest) -> bool:
    """Whether the cursor stands on a blank line right below a header whose body is still empty."""
    text, cursor = request.snapshot.text, request.cursor
    above = text[:cursor].split("\n")
    if above[-1].strip() or text[cursor:].split("\n", 1)[0].strip():
        return False
    header = next((line for line in reversed(above[:-1]) if line.strip()), "")
    if not _opens_block(header.rstrip(), by_id(request.snapshot.language).block_style):
        return False
    following = next((line for line in text[cursor:].split("\n")[1:] if line.strip()), None)
    return following is None or _indentation(following) <= _indentation(header)


def _opens_block(header: str, style: BlockStyle) -> bool:
    if style is BlockStyle.BRACE:
        return header.endswith("{")
    if style is BlockStyle.INDENT:
        return header.endswith((":", "=", "where", "do", "of", "->"))
    return style is BlockStyle.END and bool(_END_OPENERS.search(header) or header.endswith("{"))


def _indentation(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
