"""Reads a workspace's index: implements `completion.types.Index`. Used in worker threads, never on the event loop.

BM25 in two steps: the rarest of the asked words give candidates, by the sums of their
weights; the best of these are scored by all words. An exhaustive query would read the list of every frequent word.

Rules: a reader never writes and never waits for the writer. What a damaged or a half-written index cannot answer is
empty: completions go on without it.
"""

import functools
import heapq
import json
import logging
import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from completion.code.words import words
from completion.context.imports import Spec, matching, matching_folder, package_of, specs
from completion.types import Definition, Passage
from lsp_server.index.ranking import saturated, scores, weighted
from lsp_server.index.schema import database_of, open_for_reading
from lsp_server.index.write import inflated

log = logging.getLogger(__name__)

# Words looked up, the rarest first, while their lists together are not longer than this; and candidates that are scored
# by all words. What they cost and miss in a large index is what `midfill eval retrieval` measures.
_MAX_POSTINGS, _MAX_SCORED = 120_000, 1_000
# A word in so many chunks is not counted again until the number of chunks is another by this share.
_FREQUENT, _MAX_DRIFT = 2_000, 0.02
_MAX_CACHED_FILES, _MAX_CACHED_NAMES = 512, 10_000

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _or_nothing(nothing: Callable[[], Any]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """A query that the database cannot answer has no result."""

    def decorate(query: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(query)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return query(*args, **kwargs)
            except sqlite3.Error as error:
                log.info("the index did not answer %s: %s", query.__name__, error)
                return cast(_T, nothing())

        return guarded

    return decorate


class IndexReader:
    """One reader's connection to a workspace's index. Not for two threads at once."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._db, self._file = connection, file
        self._inode = _inode(file)
        self._generation = -1
        self._frequent: dict[str, int] = {}  # word -> in how many chunks it is
        self._n_chunks = 0  # when these were counted
        self._files: dict[str, tuple[Definition, ...]] = {}
        self._known: dict[str, bool] = {}

    @classmethod
    def open(cls, root: Path) -> "IndexReader | None":
        """A reader; None when there is no index yet."""
        connection = open_for_reading(root)
        return None if connection is None else cls(connection, database_of(root))

    def is_replaced(self) -> bool:
        """Whether the index was built anew: this reader still has the old one, which nobody writes any more."""
        return _inode(self._file) != self._inode

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    @_or_nothing(lambda: False)
    def is_complete(self) -> bool:
        """Whether the first pass over the workspace has come to its end."""
        return bool(self._db.execute("SELECT complete FROM totals").fetchone()[0])

    @_or_nothing(tuple)
    def defined_in(self, path: str) -> Sequence[Definition]:
        """A file's definitions in order."""
        self._forget_if_changed()
        if path not in self._files:
            if len(self._files) > _MAX_CACHED_FILES:
                self._files.clear()
            self._files[path] = tuple(self._definitions("files.path = ?", (path,)))
        return self._files[path]

    @_or_nothing(tuple)
    def named(self, name: str, limit: int) -> Sequence[Definition]:
        """Definitions of a name anywhere, fields last."""
        return tuple(self._definitions("symbols.name = ?", (name,), limit, "kind = 'field', "))

    @_or_nothing(lambda: True)
    def is_known(self, name: str) -> bool:
        """Whether something is defined by a name, or a word of it stands anywhere; True until all files are read."""
        self._forget_if_changed()
        if name not in self._known:
            if len(self._known) > _MAX_CACHED_NAMES:
                self._known.clear()
            self._known[name] = not self.is_complete() or self._has(name)
        return self._known[name]

    def _has(self, name: str) -> bool:
        if self._db.execute("SELECT 1 FROM symbols WHERE name = ? LIMIT 1", (name,)).fetchone():
            return True
        word = (_quoted(name.lower()),)
        return self._db.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", word).fetchone() is not None

    @_or_nothing(tuple)
    def imported_by(self, path: str) -> Sequence[tuple[str, str, str]]:
        """(path as spelled, name, alias) of a file's imports."""
        query = "SELECT i.path, i.name, i.alias FROM imports i JOIN files f ON f.id = i.file WHERE f.path = ?"
        return self._db.execute(query, (path,)).fetchall()

    @_or_nothing(tuple)
    def in_folder(self, folder: str) -> Sequence[str]:
        """The files right in a folder, and in the same package's other trees (main, test)."""
        last = folder.rpartition("/")[2].lower()
        rows = self._db.execute("SELECT path FROM files WHERE folder = ? ORDER BY path", (last,))
        return [path for (path,) in rows if package_of(path.rpartition("/")[0]) == package_of(folder)]

    @_or_nothing(tuple)
    def resolve(self, spelled: str, name: str, from_path: str, language: str = "") -> Sequence[str]:
        """The files that an import means; of a package that is a folder, all of them."""
        candidates = specs(spelled, name, from_path)
        for spec in candidates:
            if found := matching(spec, self._called("module", spec), from_path, language):
                return found
        for spec in candidates:
            if found := matching_folder(spec, self._called("folder", spec), from_path, language):
                return found
        return ()

    def _called(self, column: str, spec: Spec) -> list[str]:
        query = f"SELECT path FROM files WHERE {column} = ? LIMIT 2000"
        return [path for (path,) in self._db.execute(query, (spec.parts[-1],))]

    @_or_nothing(dict)
    def stamps(self, paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """What tells each of the files, as it was indexed, from what it was and will be."""
        query = "SELECT path, id, mtime_ns, size FROM files WHERE path IN (SELECT value FROM json_each(?))"
        return {path: tuple(stamp) for path, *stamp in self._db.execute(query, (json.dumps(list(paths)),))}

    @_or_nothing(int)
    def generation(self) -> int:
        """A number that changes with every write."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    @_or_nothing(tuple)
    def callers(self, name: str, limit: int) -> Sequence[Passage]:
        """Passages that call a name."""
        rows = self._db.execute("SELECT rowid FROM words WHERE words MATCH ? LIMIT ?", (_quoted(f"{name}("), limit))
        return self._passages([chunk_id for (chunk_id,) in rows])

    @_or_nothing(tuple)
    def importers(self, name: str, limit: int) -> Sequence[str]:
        """Files that import a name."""
        query = "SELECT DISTINCT f.path FROM imports i JOIN files f ON f.id = i.file WHERE i.name = ? LIMIT ?"
        return [path for (path,) in self._db.execute(query, (name, limit))]

    @_or_nothing(tuple)
    def using(self, name: str, limit: int) -> Sequence[str]:
        """Files in which a name stands, those that import it first."""
        query = (
            "SELECT DISTINCT f.path FROM words w JOIN chunks c ON c.id = w.rowid JOIN files f ON f.id = c.file "
            "WHERE words MATCH ? LIMIT ?"
        )
        rows = self._db.execute(query, (_quoted(name.lower()), limit))
        return list(dict.fromkeys([*self.importers(name, limit), *(path for (path,) in rows)]))[:limit]

    @_or_nothing(tuple)
    def similar(self, counts: Mapping[str, float], limit: int) -> Sequence[Passage]:
        """The best passages for weighted words."""
        return self._passages([chunk_id for chunk_id, _ in self.ranked(counts, limit)])

    @_or_nothing(str)
    def lines(self, path: str, first_line: int, last_line: int) -> str:
        """Lines of a file as it was indexed. Blank lines that no chunk holds come back as blank."""
        rows = self._db.execute(
            "SELECT c.first_line, c.text FROM chunks c JOIN files f ON f.id = c.file "
            "WHERE f.path = ? AND c.first_line <= ? AND c.last_line >= ? ORDER BY c.first_line",
            (path, last_line, first_line),
        )
        found: dict[int, str] = {}
        for begins, blob in rows:
            found |= {begins + n: line for n, line in enumerate(inflated(blob)[0].split("\n"))}
        numbers = range(first_line, last_line + 1)
        return "".join(found.get(number, "") + "\n" for number in numbers) if found else ""

    @_or_nothing(dict)
    def heads(self, paths: Collection[str], last_line: int) -> Mapping[str, list[str]]:
        """By their paths files' lines down to one, as they were indexed; also what else is in the last one's chunk."""
        rows = self._db.execute(
            "SELECT f.path, c.text FROM files f JOIN chunks c ON c.file = f.id "
            "WHERE f.path IN (SELECT value FROM json_each(?)) AND c.first_line <= ? ORDER BY c.file, c.first_line",
            (json.dumps(list(paths)), last_line),
        )
        found: dict[str, list[str]] = {}
        for path, blob in rows:
            found.setdefault(path, []).extend(inflated(blob)[0].split("\n"))
        return found

    # -- BM25 ------------------------------------------------------------------------------------------------

    def ranked(self, counts: Mapping[str, float], limit: int) -> list[tuple[int, float]]:
        """(chunk id, score) of the best chunks for weighted words, the best first."""
        n_chunks, mean_length = self._totals()
        frequency = self._frequencies(counts, n_chunks)
        if not frequency:
            return []
        weight = weighted(counts, frequency, n_chunks)
        rows = self._db.execute(
            "SELECT id, n_words, counts FROM chunks WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(self._candidates(frequency, weight).tolist()),),
        ).fetchall()
        found = scores(weight, [length / mean_length for _, length, _ in rows], [blob for *_, blob in rows])
        scored = ((row[0], score) for row, score in zip(rows, found.tolist(), strict=True))
        return heapq.nsmallest(limit, scored, key=lambda entry: (-entry[1], entry[0]))

    def _candidates(self, frequency: Mapping[str, int], weight: Mapping[str, float]) -> NDArray[np.int64]:
        """The chunks with the largest sums of the weights of their rarest words."""
        n_read = 0
        lists: list[NDArray[np.int64]] = []
        weights: list[float] = []
        for word in sorted(frequency, key=lambda w: (frequency[w], w)):
            n_read += frequency[word]
            if lists and n_read > _MAX_POSTINGS:
                break
            lists.append(self._chunks_with(word))
            weights.append(weight[word])
        chunk_ids = np.concatenate(lists)
        sums = np.bincount(chunk_ids, np.repeat(weights, [len(found) for found in lists]))
        some = np.flatnonzero(sums > 0)  # not np.unique, which sorts: half of the time of a query
        if len(some) > _MAX_SCORED:
            some = some[np.argpartition(-sums[some], _MAX_SCORED)[:_MAX_SCORED]]
        return some

    def _chunks_with(self, word: str) -> NDArray[np.int64]:
        # As one text, so that SQLite makes no row and Python no number for each: a third of the time.
        query = "SELECT group_concat(rowid) FROM words WHERE words MATCH ?"
        (listed,) = self._db.execute(query, (_quoted(word),)).fetchone()
        return np.fromstring(listed or "", np.int64, sep=",")

    def exhaustive(self, counts: Mapping[str, float], limit: int) -> list[tuple[int, float]]:
        """What `ranked` would find if it read every word's list, and the text of every chunk in one. For tests."""
        n_chunks, mean_length = self._totals()
        frequency = self._frequencies(counts, n_chunks)
        weight = weighted(counts, frequency, n_chunks)
        candidates = {int(chunk_id) for word in frequency for chunk_id in self._chunks_with(word)}
        scored = ((chunk_id, self._bm25(chunk_id, weight, mean_length)) for chunk_id in candidates)
        return heapq.nsmallest(limit, scored, key=lambda entry: (-entry[1], entry[0]))

    def _bm25(self, chunk_id: int, weight: Mapping[str, float], mean_length: float) -> float:
        n_words, blob = self._db.execute("SELECT n_words, text FROM chunks WHERE id = ?", (chunk_id,)).fetchone()
        found = Counter(word for word in words(inflated(blob)[0]) if word in weight)
        return math.fsum(weight[word] * saturated(n, n_words / mean_length) for word, n in found.items())

    def _totals(self) -> tuple[int, float]:
        """(number of chunks, their mean length in words)."""
        n_chunks, n_words = self._db.execute("SELECT chunks, words FROM totals").fetchone()
        return n_chunks, n_words / max(n_chunks, 1)

    def _frequencies(self, counts: Iterable[str], n_chunks: int) -> dict[str, int]:
        """In how many chunks each word is; without those that are in none. Of frequent words it may be in how many they
        were a while ago: SQLite reads a word's whole list to count it."""
        if abs(n_chunks - self._n_chunks) > _MAX_DRIFT * n_chunks:
            self._frequent.clear()
            self._n_chunks = n_chunks
        found: dict[str, int] = {}
        for word in counts:
            if (n := self._frequent.get(word)) is None:
                row = self._db.execute("SELECT doc FROM word_counts WHERE term = ?", (word,)).fetchone()
                n = row[0] if row else 0
                if n >= _FREQUENT:
                    self._frequent[word] = n
            if n:
                found[word] = n
        return found

    # -- rows ------------------------------------------------------------------------------------------------

    def _definitions(self, where: str, values: tuple[str, ...], limit: int = -1, order: str = "") -> list[Definition]:
        rows = self._db.execute(
            "SELECT symbols.id, files.path, symbols.name, kind, parent, line, first_line, last_line, signature, bases "
            f"FROM symbols JOIN files ON files.id = symbols.file WHERE {where} ORDER BY {order}symbols.id LIMIT ?",
            (*values, limit),
        )
        return [
            Definition(
                id=row[0], path=row[1], name=row[2], kind=row[3], parent=row[4], line=row[5], first_line=row[6],
                last_line=row[7], signature=row[8], bases=tuple(row[9].split()),
            )
            for row in rows
        ]  # fmt: skip

    def _passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """Chunks by id, in the order asked; one that has just been replaced is left out."""
        query = (
            "SELECT f.path, c.first_line, c.last_line, c.text "
            "FROM chunks c JOIN files f ON f.id = c.file WHERE c.id = ?"
        )
        rows = (self._db.execute(query, (chunk_id,)).fetchone() for chunk_id in chunk_ids)
        return [
            Passage(path=path, first_line=first, last_line=last, text=inflated(blob)[0])
            for path, first, last, blob in filter(None, rows)
        ]

    def _forget_if_changed(self) -> None:
        """What is remembered of files holds for one state of the database."""
        generation = self.generation()
        if generation != self._generation:
            self._files.clear()
            self._known.clear()
            self._generation = generation


def _quoted(word: str) -> str:
    """A word as FTS5 takes it, whatever it holds."""
    return '"' + word.replace('"', '""') + '"'


def _inode(file: Path) -> int:
    """What tells a file from another one of the same name; 0 when there is none."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0
