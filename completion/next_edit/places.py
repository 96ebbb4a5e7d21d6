"""Where the model is asked what follows: regions of a few lines, that of the user first. Called by `layer_two`.

Elsewhere a line may change that has words which an edit took away: from commits, of what a small model wrote at other
places next to nothing was what came (docs/next-edit.md). It is the likelier the rarer these words are, if it reads like
a line that an edit changed, uses what an edit touched, or is near to one:

    def send(msgs):               <- edited: `msg` became `msgs`
        publish(msg.body)         <- has a word that went
    ...
    send(msg)                     <- uses `send`, too

How much each of these says was fitted on commits, as the judge's weights are (of the repositories that are chosen on).

Rules: pure, by words and lines alone. A word says the less the more lines have it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from completion.code.words import identifiers, likeness
from completion.next_edit.edits import NOWHERE, LineEdit, pieces

# Of a region: what stands before the line that it is for, and how long it is at most.
LINES_BEFORE, MAX_LINES = 2, 8
_LINES_AFTER = 4
# Of the region where the user is: lines before the cursor's, and in all.
_CURSOR_BEFORE, _CURSOR_LINES = 4, 12
_MAX_REGIONS = 2
# Log-odds, on the scale of the weights, below which nothing says that a line will change.
_LEAST = 2.0
_BIAS = 3.09
_REMOVED, _RAREST_REMOVED, _RAREST_KEPT = 0.98, 2.46, 1.72  # words that went, the rarest of them, the rarest that stays
_LIKE_OLD, _LIKE_NEW = 1.18, 1.04  # a line that was changed, as it was and as it is
_LOG_DISTANCE, _LOG_LINES = -0.63, -0.46
_MOST_REMOVED = 3.0
_MAX_ANCHORS = 24
_FAR = 30  # lines to an edit of another file, for want of better


@dataclass(frozen=True, slots=True)
class Region:
    """Lines first..end (half-open) that may be rewritten, and how much says that one of them will change: log-odds."""

    first: int
    end: int
    evidence: float


@dataclass(frozen=True, slots=True)
class Changed:
    """The words that some edits took away, brought in, and left in lines that they changed."""

    removed: frozenset[str]
    added: frozenset[str]
    kept: frozenset[str]


def changed_words(edits: Sequence[LineEdit]) -> Changed:
    """What edits did to words."""
    removed: set[str] = set()
    added: set[str] = set()
    kept: set[str] = set()
    for edit in edits:
        for piece in pieces(edit):
            old = Counter(word for line in piece.old for word in identifiers(line))
            new = Counter(word for line in piece.new for word in identifiers(line))
            removed |= (old - new).keys()
            added |= (new - old).keys()
            kept |= (old & new).keys()
    return Changed(frozenset(removed), frozenset(added), frozenset(kept))


def regions(lines: Sequence[str], edits: Sequence[LineEdit], cursor: int) -> tuple[Region, ...]:
    """The regions of a file that do not overlap: where the user is, and at most two likely ones elsewhere."""
    here = [edit for edit in edits if edit.line != NOWHERE and tuple(lines[edit.line : edit.end]) == edit.new]
    scores = _scores(lines, edits, here)
    found = [_at(lines, cursor)]
    for line in sorted(scores, key=lambda number: (-scores[number], number)):
        if scores[line] < _LEAST or len(found) > _MAX_REGIONS:
            break
        if any(region.first <= line < region.end for region in found):
            continue
        found.append(_around(lines, line, scores, found))
    return tuple(found)


def _at(lines: Sequence[str], cursor: int) -> Region:
    """Where the user is: more behind the cursor than before it, and as much at the file's ends."""
    first = max(0, min(cursor - _CURSOR_BEFORE, len(lines) - _CURSOR_LINES))
    return Region(first, min(len(lines), first + _CURSOR_LINES), 0.0)


def _around(lines: Sequence[str], line: int, scores: dict[int, float], found: Sequence[Region]) -> Region:
    """A region for a line: longer where lines behind it may change, too; it does not reach into others."""
    first = max([0, line - LINES_BEFORE, *(region.end for region in found if region.end <= line)])
    last = max(n for n in range(line, first + MAX_LINES) if n == line or scores.get(n, 0.0) >= _LEAST)
    end = min(max(last + 2, line + _LINES_AFTER), first + MAX_LINES)
    end = min([len(lines), end, *(region.first for region in found if region.first > line)])
    return Region(first, end, scores[line])


def _scores(lines: Sequence[str], edits: Sequence[LineEdit], here: Sequence[LineEdit]) -> dict[int, float]:
    """The log-odds that a line will change, of those with a word that went. What was just edited is left out."""
    words = [frozenset(identifiers(line)) for line in lines]
    n_with = Counter(word for each in words for word in each)
    changed = changed_words(edits)
    gone = changed.removed - changed.added
    old, new = list(_anchors(lines, edits)), list(_now(edits))
    edited = {number for edit in here for number in range(edit.line, edit.end)}
    base = _BIAS + _LOG_LINES * math.log(max(1, len(lines)))
    found: dict[int, float] = {}
    for number, own in enumerate(words):
        if number in edited:
            continue
        if not (removed := [_weight(n_with[word]) for word in own & gone]):
            continue
        kept = [_weight(n_with[word]) for word in own & changed.kept]
        found[number] = (
            base
            + _REMOVED * min(_MOST_REMOVED, sum(removed))
            + _RAREST_REMOVED * max(removed, default=0.0)
            + _RAREST_KEPT * max(kept, default=0.0)
            + _LIKE_OLD * _likeness(own, old)
            + _LIKE_NEW * _likeness(own, new)
            + _LOG_DISTANCE * math.log1p(_distance(number, here))
        )
    return found


def _distance(number: int, here: Sequence[LineEdit]) -> int:
    """Lines between a line and the nearest edit."""
    nearest = (number - edit.end if number >= edit.end else edit.line - 1 - number for edit in here)
    return min(nearest, default=_FAR)


def _anchors(lines: Sequence[str], edits: Sequence[LineEdit]) -> Iterator[frozenset[str]]:
    """The words of lines that edits changed, as they were; of what only came in, of the line below it."""
    olds: list[str] = []
    for edit in reversed(edits):
        for piece in pieces(edit):
            is_there = not piece.old and piece.line != NOWHERE
            olds += lines[piece.end : piece.end + 1] if is_there else piece.old
    yield from _with_words(olds)


def _now(edits: Sequence[LineEdit]) -> Iterator[frozenset[str]]:
    """The words of lines that edits changed, as they are."""
    yield from _with_words(line for edit in reversed(edits) for piece in pieces(edit) for line in piece.new)


def _with_words(lines: Iterable[str]) -> Iterator[frozenset[str]]:
    found = (words for line in lines if len(words := frozenset(identifiers(line))) > 1)
    yield from (words for _, words in zip(range(_MAX_ANCHORS), found, strict=False))


def _likeness(one: frozenset[str], others: Sequence[frozenset[str]]) -> float:
    """How much of its words a line has in common with the likest of some lines."""
    return max((likeness(one, other) for other in others), default=0.0)


def _weight(n_lines: int) -> float:
    """What a word says that so many lines of the file have."""
    return 1.0 / (1.0 + math.log2(max(1, n_lines)))
