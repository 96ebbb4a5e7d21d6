"""Which snippets of other files stand in a prompt: open and recently visited ones, ranked by what the cursor needs.

A ranking is cheap, a new set of snippets is not: the text behind them was computed against the old set. So
the set changes only at an *epoch* (another file, a pause, a save), and only when the new one promises enough.

Rules: pure but for `ContextKeeper`, which remembers the present set of every document. Snippets are whole chunks of
`parsers.chunks`, so that a snippet's text, and with it what the engine has cached for it, outlives edits elsewhere.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from completion.types import Snippet

_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
# Of the text around the cursor: what the user is about to write depends on what is used here.
_NEAR_CHARACTERS = 1_500
# Having been visited is worth a little, less with every document visited since.
_VISITED, _RECENCY = 0.05, 0.9
# A new set is taken when so much of its worth is not in the present one.
_EPOCH_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Source:
    """A file that snippets may come from, cut into chunks of text. The one visited last comes first."""

    path: str
    chunks: tuple[str, ...]


def rank_snippets(near: str, sources: Sequence[Source]) -> list[tuple[float, Snippet]]:
    """All chunks with their scores, best first: BM25-like weight of the identifiers shared with `near`, by recency."""
    wanted = set(_IDENTIFIER.findall(near))
    words = [
        (source, chunk, set(_IDENTIFIER.findall(chunk)), age)
        for age, source in enumerate(sources)
        for chunk in source.chunks
    ]
    n_chunks_with = Counter(word for _, _, chunk_words, _ in words for word in chunk_words & wanted)

    def score(chunk_words: set[str], age: int) -> float:
        shared = sum(math.log(1 + len(words) / n_chunks_with[word]) for word in chunk_words & wanted)
        return shared / math.sqrt(10 + len(chunk_words)) + _VISITED * _RECENCY**age

    scored = [
        (score(chunk_words, age), Snippet(path=source.path, text=chunk)) for source, chunk, chunk_words, age in words
    ]
    return sorted(scored, key=lambda item: -item[0])


def near_text(text: str, cursor: int) -> str:
    """What the ranking is made for: the text around a cursor."""
    return text[max(0, cursor - _NEAR_CHARACTERS) : cursor + _NEAR_CHARACTERS // 3]


class ContextKeeper:
    """The present snippets of every document of a window; best rank first."""

    def __init__(self) -> None:
        self._present: dict[str, tuple[Snippet, ...]] = {}

    def present(self, uri: str) -> tuple[Snippet, ...] | None:
        """The document's snippets; None when it has had no epoch yet."""
        return self._present.get(uri)

    def epoch(self, uri: str, ranked: Iterable[tuple[float, Snippet]]) -> bool:
        """Offer a new ranking, cut to what fits. True when the document's snippets changed."""
        offered = list(ranked)
        present = self._present.get(uri)
        if present is not None:
            worth = sum(score for score, _ in offered)
            new = sum(score for score, snippet in offered if snippet not in present)
            if new <= _EPOCH_SHARE * worth:
                return False
        self._present[uri] = tuple(snippet for _, snippet in offered)
        return present is not None or bool(offered)

    def forget(self, uri: str) -> None:
        """Drop a closed document's."""
        self._present.pop(uri, None)
