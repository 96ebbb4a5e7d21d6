"""Where the model is asked what follows: regions of a few lines, the likeliest first. Called by `layer_two`.

A line is likely to change that has words which an edit took away, that reads like a line which an edit changed, that
uses what an edit touched, or that stands right behind an edit:

    def send(msgs):               <- edited: `msg` became `msgs`
        publish(msg.body)         <- has a word that went, and stands behind it
    ...
    send(msg)                     <- uses `send`, and has the word

Rules: pure, by words and lines alone. A word says the less the more lines have it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from completion.code.words import identifiers
from completion.next_edit.edits import NOWHERE, LineEdit, pieces

# Of a region: what stands before the line that it is for, and how long it is at most.
LINES_BEFORE, MAX_LINES = 2, 8
_LINES_AFTER = 4
_MAX_REGIONS = 2
# Below so much nothing says that a line will change.
_LEAST = 0.4
# What words and neighborhood are worth beside a rare word that went, which is 1.
_KEPT_WORD, _LIKE_LINE, _BEHIND = 0.35, 1.0, 0.5
_NEAR_LINES = 4
# Two lines are alike with so many of their words in common (Jaccard).
_ALIKE = 0.5
_MAX_ANCHORS = 24


@dataclass(frozen=True, slots=True)
class Region:
    """Lines first..end (half-open) that may be rewritten, and how much says that one of them will change."""

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


def regions(lines: Sequence[str], edits: Sequence[LineEdit]) -> tuple[Region, ...]:
    """The regions of a file, at most two, that do not overlap."""
    here = [edit for edit in edits if edit.line != NOWHERE and tuple(lines[edit.line : edit.end]) == edit.new]
    scores = _scores(lines, edits, here)
    found: list[Region] = []
    for line in sorted(scores, key=lambda number: (-scores[number], number)):
        if scores[line] < _LEAST or len(found) >= _MAX_REGIONS:
            break
        if any(region.first <= line < region.end for region in found):
            continue
        found.append(_around(lines, line, scores, found))
    return tuple(found)


def _around(lines: Sequence[str], line: int, scores: dict[int, float], found: Sequence[Region]) -> Region:
    """A region for a line: longer where lines behind it may change, too; it does not reach into others."""
    first = max([0, line - LINES_BEFORE, *(region.end for region in found if region.end <= line)])
    last = max(n for n in range(line, first + MAX_LINES) if n == line or scores.get(n, 0.0) >= _LEAST)
    end = min(max(last + 2, line + _LINES_AFTER), first + MAX_LINES)
    end = min([len(lines), end, *(region.first for region in found if region.first > line)])
    return Region(first, end, scores[line])


def _scores(lines: Sequence[str], edits: Sequence[LineEdit], here: Sequence[LineEdit]) -> dict[int, float]:
    """How much says that a line will change. Lines that were just edited, and blank ones, are not likely to."""
    words = [frozenset(identifiers(line)) for line in lines]
    n_with = Counter(word for each in words for word in each)
    changed = changed_words(edits)
    anchors = list(_anchors(lines, edits))
    edited = {number for edit in here for number in range(edit.line, edit.end)}
    found: dict[int, float] = {}
    for number, own in enumerate(words):
        if number in edited or not lines[number].strip():
            continue
        score = sum(_weight(n_with[word]) for word in own & changed.removed - changed.added)
        score += _KEPT_WORD * sum(_weight(n_with[word]) for word in own & changed.kept)
        likeness = max((_likeness(own, anchor) for anchor in anchors), default=0.0)
        score += _LIKE_LINE * likeness if likeness >= _ALIKE else 0.0
        behind = min((number - edit.end for edit in here if number >= edit.end), default=_NEAR_LINES)
        score += _BEHIND * max(0.0, 1 - behind / _NEAR_LINES)
        if score > 0:
            found[number] = score
    return found


def _anchors(lines: Sequence[str], edits: Sequence[LineEdit]) -> Iterator[frozenset[str]]:
    """The words of lines that edits changed, as they were; of what only came in, of the line below it."""
    n = 0
    for edit in reversed(edits):
        for piece in pieces(edit):
            old: Sequence[str] = piece.old
            if not old and piece.line != NOWHERE and piece.end < len(lines):
                old = lines[piece.end : piece.end + 1]
            for line in old:
                if n < _MAX_ANCHORS and len(words := frozenset(identifiers(line))) > 1:
                    n += 1
                    yield words


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def _weight(n_lines: int) -> float:
    """What a word says that so many lines of the file have."""
    return 1.0 / (1.0 + math.log2(max(1, n_lines)))
