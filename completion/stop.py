"""When a generation has said enough: at the end of the line, or of the block it is filling.

Called by the pipeline, after each token with `find_end` and at last with `finish`.

Where lines are indented less than the block, it ends; unless the syntax tree says that the line is no code: a text that
goes on over several lines stands where it likes, and so do directives of C.

Rules: functions of the text so far (which begins at the cursor) and the request; what a parse said is remembered. The
end of a block may take a parse, so it is looked for off the event loop. A stop rule never sees tokens; it ends a
generation by having the stream closed, which costs at most one decode step.
"""

import re
from dataclasses import dataclass, field

from completion.code.lines import after_cursor, before_cursor, columns, header_above, lines_below, opens_block
from completion.switches import Switch
from completion.types import CompletionRequest, Mode, Trigger
from parsers.languages import BlockStyle, by_id
from parsers.parse import SyntaxTree, parse, to_bytes
from parsers.scope import CursorKind, cursor_kind

_BRACKETS = r"[)\]}]+[;,]?"
# What closes a block, at the start of its line: brackets in any language, and a keyword in some.
_CLOSER = re.compile(rf"\s*{_BRACKETS}")
_CLOSER_WITH_KEYWORDS = re.compile(rf"\s*(?:{_BRACKETS}|(?:end|fi|done|esac)\b(?!\s*=)[;,)]*)")
# An unfinished line that may yet become a closer.
_MAY_CLOSE = re.compile(r"\s*(?:[)\]}]|(?:e|en|end|es|esa|esac|f|fi|d|do|don|done)\b)")
# What goes on with a block instead of closing it.
_CONTINUES = re.compile(r"\s*(?:else|elif|elseif|elsif|rescue|ensure|catch|finally|after|until|when)\b")
# A directive stands at the beginning of its line, however deep in code; or what may yet become one.
_DIRECTIVE = re.compile(
    r"#[a-z]*$|#\s*(?:if|ifdef|ifndef|elif|else|endif|define|undef|include|pragma|error|region|endregion)\b"
)
# Shorter lines (a brace, `else`) repeat all the time and say nothing.
_MIN_REPEATED_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class StopRule:
    """What of the surroundings decides the end: made once per request."""

    mode: Mode
    body: int  # least indentation of the block being filled, in columns; 0 at the top level
    style: BlockStyle
    next_line: str  # the next line below that is not blank, with its indentation; "" at the end of the file
    before: str = ""  # the document up to the cursor
    tree: SyntaxTree | None = None  # of the whole document; None: there is no grammar to ask
    may_begin_below: bool = False  # whether a line may be the next one: the cursor stands behind a finished one
    known: dict[str, bool] = field(default_factory=dict)  # by text so far: whether what comes next is code


def stop_rule(request: CompletionRequest, mode: Mode) -> StopRule:
    """The rule for a cursor: the block is that of the cursor's line, or the one its header line opens."""
    text, cursor = request.snapshot.text, request.cursor
    style = by_id(request.snapshot.language).block_style
    line = before_cursor(text, cursor)
    body = columns(line)
    above, _ = header_above(text, cursor, request.snapshot.language)
    if opens_block(line, style) and not line.endswith(" "):  # `x = ` is no header
        body += 1
    elif not line.strip() and opens_block(above, style):  # perhaps not indented yet
        body = max(body, columns(above) + 1)
    tree = request.snapshot.tree
    is_asked = tree.is_parsed and Switch.BLOCK_END not in request.without
    next_line = next(lines_below(text, cursor), "")
    # A user who asks behind a finished line wants what comes next, and that is the line below it.
    may_begin_below = (
        bool(line.strip()) and request.trigger is Trigger.INVOKED and not after_cursor(text, cursor).strip()
    )
    return StopRule(mode, body, style, next_line, text[:cursor], tree if is_asked else None, may_begin_below)


def find_end(rule: StopRule, text: str) -> int | None:
    """Where the text so far should be cut, as an offset into it; None to go on generating."""
    newline = text.find("\n")
    if newline < 0:
        return None
    if rule.mode is Mode.LINE:
        return _line_end(rule, text, newline)
    start = newline + 1
    while (end := text.find("\n", start)) >= 0:
        if (cut := _ends_at(rule, text, start, end)) is not None:
            return cut
        start = end + 1
    # The unfinished last line: its indentation alone can tell, once something visible stands in it.
    last = text[start:]
    if not last.strip() or columns(last) >= rule.body or _MAY_CLOSE.match(last):
        return None
    return start - 1 if _is_end(rule, text[:start], last) else None


def _line_end(rule: StopRule, text: str, newline: int) -> int | None:
    """Where a line ends, or the first one below that says something if the answer may begin there."""
    if not rule.may_begin_below or text[:newline].strip():
        return newline
    begins = len(text) - len(text.lstrip())
    end = text.find("\n", begins)
    return None if end < 0 else end


def finish(rule: StopRule, text: str, *, complete: bool) -> str:
    """What to keep of a generation that ended; `complete` unless it was cut off in its last line.

    Cut off, a block keeps its whole lines, and a line is kept as it is.
    """
    if (end := find_end(rule, text + "\n" if complete else text)) is not None:
        return text[:end]
    if rule.mode is Mode.LINE or complete or "\n" not in text:
        return text
    return text[: text.rfind("\n")]


def _ends_at(rule: StopRule, text: str, start: int, end: int) -> int | None:
    """Where to cut because of the complete line text[start:end], or None."""
    line = text[start:end].rstrip()
    if not line:
        return None
    if line.strip() == rule.next_line.strip() and len(line.strip()) >= _MIN_REPEATED_CHARACTERS:
        return start - 1
    if rule.body == 0:  # at the top level a block ends at the first blank line before another definition
        return start - 1 if columns(line) == 0 and text[:start].endswith("\n\n") else None
    if columns(line) >= rule.body or not _is_end(rule, text[:start], line):
        return None
    return _closed_at(rule, line, start) or start - 1


def _is_end(rule: StopRule, so_far: str, line: str) -> bool:
    """Whether a line that is indented less than the block ends it."""
    if rule.style is BlockStyle.BRACE and _DIRECTIVE.match(line):
        return False
    if rule.tree is None:
        return True
    if so_far not in rule.known:
        text = rule.before + so_far
        tree = parse(rule.tree.language, text, rule.tree)
        rule.known[so_far] = cursor_kind(tree, len(to_bytes(text))) is CursorKind.CODE
    return rule.known[so_far]


def _closed_at(rule: StopRule, line: str, start: int) -> int | None:
    """Where the closer in a dedented line ends, when the block needs it."""
    closer = (_CLOSER_WITH_KEYWORDS if rule.style is BlockStyle.END else _CLOSER).match(line)
    if closer is None or _is_closed(line, closer.group().strip(), rule.next_line):
        return None
    # `} else {` closes this block and opens another, which would be left open.
    reopens = opens_block(line, rule.style)
    return start + (closer.end() if reopens else len(line))


def _is_closed(line: str, closer: str, next_line: str) -> bool:
    """Whether the line below closes the block already; one that is indented otherwise belongs to another."""
    same_level = columns(next_line) == columns(line)
    return same_level and bool(next_line.strip().startswith(closer.rstrip(";,")) or _CONTINUES.match(next_line))
