"""The exact answers of an index to many queries in one pass over its chunks. Used by `retrieval`.

Rules: the order is that of `IndexReader.exhaustive`, to the last bit of a score, which takes minutes
a query where there are a million chunks.
"""

import heapq
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from completion.code.words import words
from lsp_server.index.ranking import saturated, weighted
from lsp_server.index.write import inflated

Users = dict[str, list[tuple[int, float]]]  # word -> the queries that have it, by number, each with the word's weight
_CHUNKS_PER_STEP = 1_000


def exhaustive(
    database: Path, queries: Sequence[Mapping[str, float]], limit: int, show: Callable[[int], None]
) -> list[list[int]]:
    """Ids of the best chunks by all words for each query, the best first; `show` is told how many chunks are done."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
        n_chunks, n_words = db.execute("SELECT chunks, words FROM totals").fetchone()
        users = _users(db, queries, n_chunks)
        best: list[list[tuple[float, int]]] = [[] for _ in queries]
        for n_done, (chunk_id, length, blob) in enumerate(db.execute("SELECT id, n_words, text FROM chunks")):
            counts = Counter(word for word in words(inflated(blob)[0]) if word in users)
            for number, score in _scores(counts, length / (n_words / n_chunks), users).items():
                _keep(best[number], (score, -chunk_id), limit)
            if n_done % _CHUNKS_PER_STEP == 0:
                show(n_done)
    return [[-chunk_id for _, chunk_id in sorted(heap, reverse=True)] for heap in best]


def _users(db: sqlite3.Connection, queries: Sequence[Mapping[str, float]], n_chunks: int) -> Users:
    users: Users = defaultdict(list)
    query = "SELECT doc FROM word_counts WHERE term = ?"
    rows = ((word, db.execute(query, (word,)).fetchone()) for word in {word for asked in queries for word in asked})
    frequency = {word: row[0] for word, row in rows if row}
    for number, asked in enumerate(queries):
        known = {word: frequency[word] for word in asked if word in frequency}
        for word, weight in weighted(asked, known, n_chunks).items():
            users[word].append((number, weight))
    return users


def _scores(counts: Mapping[str, int], length: float, users: Users) -> dict[int, float]:
    """The scores of one chunk, for the queries that share a word with it."""
    terms: dict[int, list[float]] = defaultdict(list)
    for word, n_times in counts.items():
        times = saturated(n_times, length)
        for number, weight in users[word]:
            terms[number].append(weight * times)
    return {number: math.fsum(found) for number, found in terms.items()}


def _keep(heap: list[tuple[float, int]], entry: tuple[float, int], limit: int) -> None:
    """Add an entry to a heap of the `limit` largest."""
    if len(heap) < limit:
        heapq.heappush(heap, entry)
    elif entry > heap[0]:
        heapq.heapreplace(heap, entry)
