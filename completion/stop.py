"""When a generation has said enough: at the end of the line, or of the block it is filling.

Rules: pure functions of the text so far (which begins at the cursor) and the request. A stop rule never
sees tokens; it ends a generation by having the stream closed, which costs at most one decode step.
"""

from dataclasses import dataclass

from completion.types import CompletionRequest, Mode
from parsers.languages import BlockStyle, by_id

_CLOSING = ("}", ")", "]", "end", "fi", "done", "esac", "});", "};", "),", "},")
# Shorter lines (a brace, `else`) repeat all the time and say nothing.
_MIN_REPEATED_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class StopRule:
    """What of the surroundings decides the end: made once per request."""

    mode: Mode
    body: int  # indentation of the block being filled, in columns; 0 at the top level
    closes: bool  # whether blocks of this language end with a closing line
    next_line: str  # the next non-empty line below, stripped; "" at the end of the file


def stop_rule(request: CompletionRequest, mode: Mode) -> StopRule:
    """The rule for a cursor: a block's indentation is that of the cursor's line, or one more than its header's."""
    text, cursor = request.snapshot.text, request.cursor
    line = text[text.rfind("\n", 0, cursor) + 1 : cursor]
    below = text[cursor:].split("\n")[1:]
    next_line = next((candidate.strip() for candidate in below if candidate.strip()), "")
    style = by_id(request.snapshot.language).block_style
    body = columns(line)
    if body == 0 and not line.strip():  # a blank line without indentation yet: the body is below its header
        above = [candidate for candidate in text[:cursor].split("\n")[:-1] if candidate.strip()]
        body = columns(above[-1]) + 1 if above and above[-1].rstrip()[-1:] in ("{", ":") else 0
    return StopRule(mode, body, style in (BlockStyle.BRACE, BlockStyle.END), next_line)


def find_end(rule: StopRule, text: str) -> int | None:
    """Where the text so far should be cut, as an offset into it; None to go on generating."""
    newline = text.find("\n")
    if newline < 0:
        return None
    if rule.mode is Mode.LINE:
        return newline
    start = newline + 1
    while (end := text.find("\n", start)) >= 0:
        if (cut := _ends_before(rule, text, start, end)) is not None:
            return cut
        start = end + 1
    # The unfinished last line: its indentation alone can tell, once something visible stands in it.
    last = text[start:]
    outside = rule.body > 0 and last.strip() and columns(last) < rule.body
    return start - 1 if outside and not (rule.closes and _may_close(last)) else None


def finish(rule: StopRule, text: str) -> str:
    """What to keep of a generation that was cut off: whole lines, or nothing in line mode."""
    if (end := find_end(rule, text)) is not None:
        return text[:end]
    if rule.mode is Mode.LINE:
        return text
    return text[: text.rfind("\n")] if "\n" in text else text


def columns(line: str) -> int:
    """Indentation of a line in columns, tabs to multiples of four."""
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def _ends_before(rule: StopRule, text: str, start: int, end: int) -> int | None:
    """Where to cut because of the complete line text[start:end], or None."""
    line = text[start:end]
    stripped = line.strip()
    if not stripped:
        return None
    if stripped == rule.next_line and len(stripped) >= _MIN_REPEATED_CHARACTERS:
        return start - 1
    if columns(line) >= rule.body and rule.body > 0:
        return None
    if rule.body > 0:
        keeps_closer = rule.closes and stripped.startswith(_CLOSING) and stripped != rule.next_line
        return end if keeps_closer else start - 1
    # At the top level a block ends at the first blank line before another definition.
    return start - 1 if columns(line) == 0 and text[:start].endswith("\n\n") else None


def _may_close(line: str) -> bool:
    stripped = line.strip()
    return any(closer.startswith(stripped) or stripped.startswith(closer) for closer in _CLOSING)
