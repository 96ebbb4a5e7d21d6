"""Whether an accepted text still stands in its document some time later.

Called by `lsp_server.usage.recorder`. The rule is that of Sourcegraph Cody's autocomplete: a suggestion persists when
at most a third of it was changed. Here: the share of its words and signs that are found, in order, around its place.

Rules: pure. The place follows the edits above it; lines are counted from 0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lsp_server.usage.acceptance import Lines

KEPT_SHARE = 0.67
# Beside the lines that the accepted text took up: a decorator or an import may have pushed it.
_LINES_AROUND = 2
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class LineChange:
    """Lines first..last (both included) were replaced by a text with `n_ends` line ends."""

    first: int
    last: int
    n_ends: int


def moved(line: int, changes: Sequence[LineChange]) -> int:
    """Where a line is after changes, applied in order. What is changed itself stays where the change begins."""
    for change in changes:
        if change.last < line or (change.first < change.last == line):
            line = max(change.first, line + change.n_ends - (change.last - change.first))
    return line


def share_standing(text: str, line: int, document: Lines) -> float:
    """The share (0 to 1) of an accepted text's tokens that stand, in order, near the line where it was accepted."""
    wanted = _TOKEN.findall(text)
    last = line + text.count("\n") + _LINES_AROUND
    found = _TOKEN.findall("".join(document.line(number) for number in range(line - _LINES_AROUND, last + 1)))
    if not wanted:
        return 0.0
    blocks = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)
