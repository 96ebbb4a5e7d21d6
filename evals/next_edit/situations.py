"""What `midfill eval next-edit` asks about: a file in which something was just edited, and what should follow.

Two sources: recorded situations in cursortab.nvim's format (`recorded`), and commits of real repositories (`commits`).

Rules: pure data. Lines have no line ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from completion.next_edit.edits import MAX_EDITS, LineEdit, Proposal, applied


@dataclass(frozen=True, slots=True)
class Situation:
    """A file as it stands after the edits. `wanted` are edits of it, any of which may come next; none: stay quiet."""

    id: str
    source: str  # repository, or the name of the recorded situation
    path: str
    language: str
    lines: tuple[str, ...]
    edits: tuple[LineEdit, ...]
    wanted: tuple[LineEdit, ...]
    cursor: int  # its line
    column: int = 0
    expected: tuple[str, ...] = ()  # of recorded situations: the whole file in the end
    is_held_out: bool = False
    imports: tuple[tuple[str, str], ...] = ()  # names that are not imported, and how the repository imports them


def with_edit(situation: Situation, taken: Proposal) -> Situation:
    """The situation after a proposal was taken."""
    edit = LineEdit(situation.path, taken.line, taken.old, taken.new)
    n_more = len(taken.new) - len(taken.old)
    moved = (
        replace(each, line=each.line + n_more) if each.line >= taken.line + len(taken.old) else each
        for each in situation.edits
    )
    return replace(situation, lines=tuple(applied(situation.lines, taken)), edits=(*moved, edit)[-MAX_EDITS:])


def is_wanted(situation: Situation, line: int, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether a change is one of those that came, or a part of one that stands by itself, up to white space."""
    for each in situation.wanted:
        if each.line == line and each.old == old and plain(each.new) == plain(new):
            return True
        if len(each.old) == len(each.new) and len(old) == len(new):
            at = line - each.line
            if at >= 0 and at + len(old) <= len(each.old) and plain(each.new[at : at + len(old)]) == plain(new):
                return True
        if _is_part(each, line, old, new):
            return True
    return False


def _is_part(each: LineEdit, line: int, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Of a change of another form: whether what stays of it ends or begins as it should, and the rest is untouched."""
    at = line - each.line
    if not (at >= 0 and at + len(old) <= len(each.old)):
        return False
    if at == 0 and new and plain(each.new[: len(new)]) == plain(new) and len(each.new) > len(new):
        return len(old) <= len(each.old)
    tail = len(each.old) - at - len(old)
    if tail == 0 and new and len(each.new) > len(new):
        return plain(each.new[-len(new) :]) == plain(new)
    return False


def is_whole(situation: Situation, line: int, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether a change is all of one that came, up to white space."""
    return any(each.line == line and each.old == old and plain(each.new) == plain(new) for each in situation.wanted)


def plain(lines: Sequence[str]) -> list[str]:
    """Lines that say something, without their white space: what two texts are compared by."""
    return ["".join(line.split()) for line in lines if line.strip()]
