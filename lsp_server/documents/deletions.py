"""What a document's last edits took away: right after a deletion automatic requests are answered empty, and
later not with the deleted text.

Called by `documents`, which says what each notification changed, and asked by `handlers`. An edit is judged by what it
makes of the lines, however the editor cuts it: key by key, the whole line anew, several changes, the whole document.

- Only something gone: a deletion. Blanks alone count where the cursor stands at them: elsewhere it is an editor that
  trims its lines.
- Something else there instead: typing (a selection that is replaced, a formatter), unless the text is one of before: an
  undo. One character that is typed again, or a line end, is typing.

What is gone is remembered with the beginning of its line. It is offered again where the text with the suggestion would
have that line, or those lines, again.

Rules: pure, no clock. An edit costs what it touches. Lines and columns are code points, from 0.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from completion.code.words import is_word_character

# Texts that are remembered, for how many notifications, and how much of a long one.
_MAX_DELETED, _MAX_NOTIFICATIONS, _MAX_CHARACTERS = 8, 200, 4_000
# Earlier texts of the document that an undo is known by.
_MAX_STATES = 200
_ALL_HASHES = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Edit:
    """Whole lines in place of others: `before` stood in the line `line` and those below, `after` does now."""

    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Deleted:
    """A text that is gone: it began in a line, behind `lead`, at the time `n` in notifications."""

    line: int
    lead: str
    text: str
    n: int

    @property
    def whole(self) -> str:
        return self.lead + self.text

    @property
    def end(self) -> tuple[int, str]:
        """The line in which it ended, and what stood of that up to there."""
        return self.line + self.text.count("\n"), self.whole.rpartition("\n")[2]


@dataclass(frozen=True, slots=True)
class _Change:
    """What differs: where, what is gone, and what came."""

    line: int
    lead: str
    gone: str
    came: str


class Deletions:
    """Follows one document, and says what should not be suggested in it."""

    def __init__(self) -> None:
        self._n = 0
        self._deleted: deque[_Deleted] = deque(maxlen=_MAX_DELETED)  # the last one first
        self._goes_on = False  # the last notification was a deletion: the next may be more of it
        self._is_silent = False
        self._trimmed: set[tuple[int, int]] = set()  # lines and columns at which only blanks are gone
        self._state = 0  # tells texts of the document from another, whatever their order of lines
        self._states: deque[int] = deque([0], maxlen=_MAX_STATES)

    def follow(self, edits: Sequence[Edit]) -> None:
        """The edits of one notification, in order."""
        self._n += 1
        before = self._state
        for edit in edits:
            self._move(edit)
            self._state = (self._state + sum(map(hash, edit.after)) - sum(map(hash, edit.before))) & _ALL_HASHES
        if not (changes := _changes(edits)):
            return
        has_word = any(_has_word(change.came) for change in changes)
        is_back = has_word and self._state != before and self._state in self._states
        self._states.append(self._state)
        came = any(change.came for change in changes)
        for change in changes:
            self._remember(change)
        if is_back or not came:
            self._is_silent |= is_back or any(change.gone.strip() for change in changes)
            self._trimmed |= {(change.line, len(change.lead)) for change in changes}
            self._goes_on = not came
        else:
            self._is_silent = self._goes_on = False
            self._trimmed.clear()

    def silence(self, line: int, column: int) -> str:
        """Why automatic requests with the cursor there are answered empty, in words; "" when they are not."""
        is_there = self._is_silent or (line, column) in self._trimmed
        return "nothing is suggested right after a deletion or an undo, until something is typed" if is_there else ""

    def is_offered_again(self, line: int, above: Sequence[str], suggested: str) -> bool:
        """Whether accepting a suggestion puts back what was deleted.

        The cursor stands in the line `line`; `above` are the lines down to it, the last up to the cursor: as many as
        there are or `n_lines` say.
        """
        for deleted in self._deleted:
            # A line may have been put above what was there, or below it.
            for first in range(max(0, deleted.line - 1), min(line, deleted.line + 1) + 1):
                if first > line or line - first >= len(above):
                    continue
                there = "".join(above[len(above) - 1 - (line - first) :])
                if _is_same(_plain(there), _plain(there + suggested), deleted):
                    return True
        return False

    def n_lines(self, line: int) -> int:
        """How many of the lines down to a cursor in `line` `is_offered_again` wants to see."""
        return max((line - deleted.line + 2 for deleted in self._deleted if deleted.line - 1 <= line), default=0)

    def _remember(self, change: _Change) -> None:
        """Keep what is gone; key by key it is one text."""
        if not change.gone:
            return
        new = _Deleted(change.line, change.lead, _plain(change.gone)[:_MAX_CHARACTERS], self._n)
        if self._goes_on and not change.came and self._deleted:
            last = self._deleted[0]
            if new.end == (last.line, last.lead):  # to the left
                self._deleted[0] = replace(new, text=(new.text + last.text)[:_MAX_CHARACTERS])
                return
            if (new.line, new.lead) == (last.line, last.lead):  # to the right
                self._deleted[0] = replace(new, text=(last.text + new.text)[:_MAX_CHARACTERS])
                return
        if new.text.strip():
            self._deleted.appendleft(new)

    def _move(self, edit: Edit) -> None:
        """What is remembered keeps its place when lines above it come and go."""
        n_more, end = len(edit.after) - len(edit.before), edit.line + len(edit.before)
        self._deleted = deque(
            (
                replace(each, line=each.line + n_more) if n_more and each.line >= end else each
                for each in self._deleted
                if self._n - each.n <= _MAX_NOTIFICATIONS
            ),
            maxlen=_MAX_DELETED,
        )


def _changes(edits: Sequence[Edit]) -> list[_Change]:
    """What a notification changed. Several deletions stay several, though their lines may touch."""
    single = [change for change in map(_difference, edits) if change.gone or change.came]
    if not any(change.came for change in single):
        return single
    return [change for change in map(_difference, _composed(edits)) if change.gone or change.came]


def _composed(edits: Sequence[Edit]) -> list[Edit]:
    """Edits in a row that touch the same lines as one: some editors take a line away and put it in anew."""
    found: list[Edit] = []
    for edit in edits:
        last = found[-1] if found else None
        if last is None or edit.line > last.line + len(last.after) or last.line > edit.line + len(edit.before):
            found.append(edit)
            continue
        begin = min(last.line, edit.line)
        head, tail = max(0, last.line - edit.line), last.line + len(last.after) - edit.line
        before = (*edit.before[:head], *last.before, *edit.before[max(0, tail) :])
        kept_tail = last.after[max(0, edit.line + len(edit.before) - last.line) :]
        after = (*last.after[: max(0, edit.line - last.line)], *edit.after, *kept_tail)
        found[-1] = Edit(begin, before, after)
    return found


def _difference(edit: Edit) -> _Change:
    """An edit without what is the same at both of its ends."""
    before, after = "".join(edit.before), "".join(edit.after)
    n_least = min(len(before), len(after))
    begin = _n_same(before, after)
    end = min(n_least - begin, _n_same(before[::-1], after[::-1]))
    line = edit.line + before.count("\n", 0, begin)
    lead = before[before.rfind("\n", 0, begin) + 1 : begin]
    return _Change(line, lead, before[begin : len(before) - end], after[begin : len(after) - end])


def _n_same(one: str, other: str) -> int:
    """How many first characters are the same: halving, since a formatter may send megabytes."""
    begin, end = 0, min(len(one), len(other))
    while begin < end:
        middle = (begin + end + 1) // 2
        if one[begin:middle] == other[begin:middle]:
            begin = middle
        else:
            end = middle - 1
    return begin


def _is_same(typed: str, there: str, deleted: _Deleted) -> bool:
    """Whether a text from a line's beginning, the suggestion accepted, begins with what was deleted.

    Of several lines the first ones, whole, are enough. What stood before the cursor already was not suggested. The
    indentation says nothing: it may be typed anew.
    """
    typed, there, lead = (text.lstrip(" \t") for text in (typed, there, deleted.lead))
    whole, said = deleted.whole.strip(), there.rstrip()
    if len(whole) <= len(typed) or len(said) <= len(lead):
        return False
    if there.startswith(whole):
        return not (is_word_character(whole[-1]) and is_word_character(there[len(whole) : len(whole) + 1]))
    return whole.startswith(said + "\n")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _has_word(text: str) -> bool:
    """Whether a text holds two characters of a word in a row: less than that is typed."""
    return any(is_word_character(one) and is_word_character(other) for one, other in itertools.pairwise(text))
