"""What was edited of late, and what is proposed to be edited next: lines that became, or may become, others.

An editor tells of every key. Keys at one place are one edit here (`RecentEdits`), as long as no long pause is between
them, whatever was done in between: so a name that is typed letter by letter is one change of a name, and what is undone
is none at all. The last few edits of all files are kept, with the lines in which they stand now.

Rules: pure; times are given. Lines have no line ends, and are counted from 0. An edit costs what it touches.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from completion.code.lines import same_ends

# An edit is of no use any more after so many others; what comes to its place after so long is another one.
MAX_EDITS, PAUSE_S = 6, 120.0
# A longer edit is a paste, another branch, a formatter: nothing follows from it that could be told line by line.
MAX_LINES = 60
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class LineEdit:
    """Lines `old` of a file became `new`, which stand from `line` on; NOWHERE: in another file, or not known where."""

    path: str
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    at_s: float = 0.0

    @property
    def end(self) -> int:
        """The line behind it, as it is now."""
        return self.line + len(self.new)


class Layer(StrEnum):
    """Why something is proposed."""

    LOCAL = "local"  # another use of a local name that was renamed
    RENAME = "rename"  # of another name that is defined in the file
    MEMBER = "member"  # of a field or method, by its object's own name for itself
    FIELD = "field"  # of a field or method, of any object
    REPEAT = "repeat"  # what was done twice or more to like places
    AGAIN = "again"  # what was done once, where exactly the same stands
    SPAN = "span"  # a part of a line was changed, and the same part stands elsewhere
    SIGNATURE = "signature"  # a call of what has other parameters now
    IMPORT = "import"  # a name that is used, and not imported
    UNUSED = "unused"  # an import that nothing uses any more
    TWIN = "twin"  # the counterpart of a line in a list, in another list
    MODEL = "model"  # what the model would write there


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a proposal that goes by words: shares, see `evidence`."""

    known: float = 0.0
    near: float = 0.0
    left: float = 0.0
    resemblance: float = 0.0
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Lines `old`, which stand from `line` on, may become `new`. Without `old`: inserted before `line`.

    `support` is how often the edit was made before; `n_places` at how many places it would be made.
    """

    layer: Layer
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    support: int = 1
    n_places: int = 1
    path: str = ""  # of another file; "" in this one
    n_constant: int = 0  # words that the place has in common with the edit's
    is_alone: bool = False  # of a renamed name: the edit did nothing else
    evidence: Evidence = Evidence()  # of lines that go by the words of edits
    gain: float | None = None  # of the model, if that made it: log-odds of the new lines over the old ones


class RecentEdits:
    """Follows all open files."""

    def __init__(self) -> None:
        self._edits: list[LineEdit] = []
        self._offered: dict[str, frozenset[tuple[int, tuple[str, ...], tuple[str, ...]]]] = {}

    def offer(self, path: str, proposals: Iterable[Proposal]) -> None:
        """What is offered in a file now. Who takes it follows an edit and makes none: what it followed from stays."""
        self._offered[path] = frozenset((each.line, each.old, each.new) for each in proposals)

    def of(self, path: str) -> tuple[LineEdit, ...]:
        """The last edits, the last one last, as seen from a file: those of others stand nowhere in it."""
        return tuple(edit if edit.path == path else replace(edit, line=NOWHERE) for edit in self._edits)

    def follow(self, path: str, line: int, before: Sequence[str], after: Sequence[str], at_s: float) -> None:
        """Lines of a file, `before`, from `line` on, were replaced by `after`."""
        taken = trimmed(LineEdit(path, line, tuple(before), tuple(after)))
        is_taken = taken is not None and (taken.line, taken.old, taken.new) in self._offered.get(path, ())
        touched = [] if is_taken else self._touched(path, line, len(before), at_s)
        edit = _joined(touched, LineEdit(path, line, tuple(before), tuple(after), at_s))
        kept: list[LineEdit] = []
        for known in self._edits:
            if known.path != path:
                kept.append(known)
            elif known not in touched and not (line < known.end and known.line < line + len(before)):
                kept.append(_moved(known, line, len(before), len(after)))
        if is_taken:
            self._edits = kept
            return
        if (whole := trimmed(edit)) is not None and max(len(whole.old), len(whole.new)) <= MAX_LINES:
            kept.append(whole)
        self._edits = kept[-MAX_EDITS:]

    def _touched(self, path: str, line: int, n_lines: int, at_s: float) -> list[LineEdit]:
        """The edits of a file that are one with an edit of these lines: they touch it, or each other."""
        found: list[LineEdit] = []
        first, end = line, line + n_lines
        while True:
            new = [
                known
                for known in self._edits
                if known.path == path and known not in found and at_s - known.at_s <= PAUSE_S
                if known.line <= end and first <= known.end
            ]
            if not new:
                return sorted(found, key=lambda known: (known.line, known.end))
            found += new
            first, end = min(first, *(k.line for k in found)), max(end, *(k.end for k in found))

    def forget(self, path: str) -> None:
        """A file was closed, or read anew: where its edits stand is not known any more."""
        self._edits = [edit for edit in self._edits if edit.path != path]


def _moved(known: LineEdit, line: int, n_before: int, n_after: int) -> LineEdit:
    return replace(known, line=known.line + n_after - n_before) if known.line >= line + n_before else known


def _joined(touched: Sequence[LineEdit], edit: LineEdit) -> LineEdit:
    """Edits that touch, the last of them after the others, as one."""
    first = min([edit.line, *(known.line for known in touched)])
    end = max([edit.line + len(edit.old), *(known.end for known in touched)])
    old: list[str] = []
    between: list[str] = []  # as they stood before the last edit
    at = first
    for known in touched:
        gap = edit.old[max(0, at - edit.line) : max(0, known.line - edit.line)]
        old += [*gap, *known.old]
        between += [*gap, *known.new]
        at = known.end
    rest = edit.old[max(0, at - edit.line) : max(0, end - edit.line)]
    old += rest
    between += rest
    head = edit.line - first
    new = [*between[:head], *edit.new, *between[head + len(edit.old) :]]
    return LineEdit(edit.path, first, tuple(old), tuple(new), edit.at_s)


def trimmed(edit: LineEdit) -> LineEdit | None:
    """An edit without the lines that it leaves as they were; None where that is all."""
    old, new = edit.old, edit.new
    if old == new:
        return None
    head, tail = same_ends(old, new)
    return replace(edit, line=edit.line + head, old=old[head : len(old) - tail], new=new[head : len(new) - tail])


def is_of_blanks(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether lines differ in white space alone, or not at all."""
    return "".join("".join(old).split()) == "".join("".join(new).split())


def pieces(edit: LineEdit) -> Iterator[LineEdit]:
    """An edit as the smallest ones of whole lines: lines that became others one by one are edits of their own."""
    matcher = difflib.SequenceMatcher(None, edit.old, edit.new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        line = edit.line + c if edit.line != NOWHERE else NOWHERE
        if tag == "equal":
            continue
        if tag == "replace" and b - a == d - c:
            for n in range(b - a):
                at = line + n if line != NOWHERE else NOWHERE
                yield replace(edit, line=at, old=edit.old[a + n : a + n + 1], new=edit.new[c + n : c + n + 1])
        else:
            yield replace(edit, line=line, old=edit.old[a:b], new=edit.new[c:d])


def applied(lines: Sequence[str], proposal: Proposal) -> list[str]:
    """The lines of a file after a proposal."""
    end = proposal.line + len(proposal.old)
    return [*lines[: proposal.line], *proposal.new, *lines[end:]]
