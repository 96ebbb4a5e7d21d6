"""Which snippets of other files stand in a prompt: what all sources propose, fused into one ranking.

A ranking is cheap, a new set of snippets is not: the text behind them was computed against the old set. So
the set changes only at an *epoch* (another file, a pause, a save), and only when the new one promises enough. What was
just edited elsewhere comes in beside it.

Rules: pure but for `ContextKeeper`, which remembers the present set of every document. A snippet is cut by syntax, so
that its text, and with it what the engine has cached for it, outlives edits elsewhere.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from completion.context.sources import Item, item_of_passage
from completion.types import Passage, Snippet

_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
# Of the text around the cursor: what the user is about to write depends on what is used here.
_NEAR_CHARACTERS = 1_500
# Having been visited is worth a little, less with every document visited since.
_VISITED, _RECENCY = 0.05, 0.9
# How much a source's first proposal is worth beside others', and how fast it falls with the rank.
WEIGHTS = {
    "pinned": 3.0,
    "imported": 1.0,
    "near": 0.9,
    "bases": 1.0,
    "edited": 0.7,
    "types": 0.5,
    "modules": 0.45,
    "package": 0.5,
    "similar": 0.3,
    "open": 0.4,
    "callers": 0.3,
}
_RRF_K = 20
# Of code, rather many: what does not fit in the end the prompt leaves out. A file's sentinel and line end.
_CHARACTERS_PER_TOKEN, _SENTINEL_CHARACTERS = 4.0, 8
_PRESENT = 1.05
# A new set is taken when so much of its worth is not in the present one.
_EPOCH_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Source:
    """A file that passages may come from, cut into them. The one visited last comes first."""

    path: str
    passages: tuple[Passage, ...]


def open_items(near: str, sources: Sequence[Source]) -> list[Item]:
    """All passages of open documents, best first: BM25-like weights of identifiers shared with `near`, and recency."""
    wanted = set(_IDENTIFIER.findall(near))
    words = [
        (passage, set(_IDENTIFIER.findall(passage.text)), age)
        for age, source in enumerate(sources)
        for passage in source.passages
    ]
    n_passages_with = Counter(word for _, found, _ in words for word in found & wanted)

    def score(found: set[str], age: int) -> float:
        shared = sum(math.log(1 + len(words) / n_passages_with[word]) for word in found & wanted)
        return shared / math.sqrt(10 + len(found)) + _VISITED * _RECENCY**age

    best = sorted(words, key=lambda entry: -score(entry[1], entry[2]))
    return [item_of_passage(passage, "open") for passage, _, _ in best]


def near_text(text: str, cursor: int) -> str:
    """What the ranking is made for: the text around a cursor."""
    return text[max(0, cursor - _NEAR_CHARACTERS) : cursor + _NEAR_CHARACTERS // 3]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its fused score, every source that proposed it, and why it is left out ("" when it is not)."""

    item: Item
    score: float
    sources: tuple[str, ...]
    left_out: str = ""

    @property
    def snippet(self) -> Snippet:
        """What the model is shown."""
        return self.item.snippet

    @property
    def path(self) -> str:
        """The file it comes from."""
        return self.item.snippet.path

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The lines of the file that it shows (0-based, both ends included)."""
        return self.item.ranges


def select(sources: Mapping[str, Sequence[Item]], room_tokens: int, present: Collection[Snippet] = ()) -> list[Ranked]:
    """All candidates once, best first; those that are not to be shown say why.

    Of about `room_tokens` tokens: a rough count, the prompt counts exactly. What shows only lines that a better one
    shows is left out.
    """
    shown: dict[str, set[int]] = {}
    characters = room_tokens * _CHARACTERS_PER_TOKEN
    result = []
    for ranked in fuse(sources, present):
        lines = {line for first, last in ranked.ranges for line in range(first, last + 1)}
        known = shown.setdefault(ranked.path, set())
        size = len(ranked.snippet.text) + len(ranked.path) + _SENTINEL_CHARACTERS
        if lines <= known:
            result.append(replace(ranked, left_out="a better one shows its lines"))
        elif size > characters:
            result.append(replace(ranked, left_out="no room"))
        else:
            known |= lines
            characters -= size
            result.append(ranked)
    return result


def fuse(sources: Mapping[str, Sequence[Item]], present: Collection[Snippet] = ()) -> list[Ranked]:
    """All candidates once, best first: reciprocal rank fusion (Cormack et al. 2009), weighted by source.

    Of those that are nearly equal the ones in the present set come first: their keys and values are there.
    """
    found: dict[tuple[str, tuple[tuple[int, int], ...]], list[tuple[float, Item]]] = {}
    for source, items in sources.items():
        for rank, item in enumerate(items):
            found.setdefault((item.snippet.path, item.ranges), []).append((WEIGHTS[source] / (_RRF_K + rank), item))
    merged = [
        Ranked(entries[0][1], sum(score for score, _ in entries), tuple(dict.fromkeys(i.source for _, i in entries)))
        for entries in found.values()
    ]
    return sorted(merged, key=lambda ranked: -ranked.score * (_PRESENT if ranked.snippet in present else 1.0))


class ContextKeeper:
    """The present snippets of every document of a window; best rank first."""

    def __init__(self) -> None:
        self._present: dict[str, tuple[Snippet, ...]] = {}

    def present(self, uri: str) -> tuple[Snippet, ...] | None:
        """The document's snippets; None when it has had no epoch yet."""
        return self._present.get(uri)

    def epoch(
        self,
        uri: str,
        ranked: Iterable[tuple[float, Snippet]],
        gone: Collection[Snippet] = (),
        edited: Collection[Snippet] = (),
    ) -> bool:
        """Offer a new ranking, cut to what fits. True when the document's snippets changed.

        A set with snippets that are `gone` (their files say something else now, or are no more) is given up for any.
        What was `edited` comes in at once: who goes from file to file often writes the same again.
        """
        offered = list(ranked)
        taken = tuple(snippet for _, snippet in offered)
        present = self._present.get(uri)
        if present is not None and not set(present) & set(gone):
            worth = sum(score for score, _ in offered)
            new = sum(score for score, snippet in offered if snippet not in present)
            if new <= _EPOCH_SHARE * worth:
                taken = tuple(snippet for snippet in taken if snippet in present or snippet in edited)
                if set(taken) <= set(present):
                    return False
        self._present[uri] = taken
        return present is not None or bool(offered)

    def withdraw(self, path: str) -> None:
        """Drop a file's snippets everywhere."""
        for uri, present in self._present.items():
            self._present[uri] = tuple(snippet for snippet in present if snippet.path != path)

    def forget(self, uri: str) -> None:
        """Drop a closed document's."""
        self._present.pop(uri, None)
