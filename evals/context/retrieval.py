"""`midfill eval retrieval --synthetic N`: how fast a large index answers, and how much of the exact answer it finds.

An index of N chunks is built by the product's own writer from real Python files and renamed copies of them (see
`synthetic`), in a temporary folder. It is then asked for what is similar to the lines above cursors in the real
files, as a request asks:

    query_*    ms for `IndexReader.similar`, which ends with the passages' texts; `ranked_*` is the search alone
    recall     the share of the 20 best chunks, by BM25 of all words over all chunks, that are among the 20 found;
               `recall_5` of the 5 best

Rules: no model runs. `build_s` is everything from the first file read to the index closed, so it includes parsing
the real files once and renaming the copies, which are not parsed. The index is in the system's file cache.
"""

import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from completion.context.sources import words_near
from evals.context.exhaustive import exhaustive
from evals.context.synthetic import Names, RealFile, installed, real_files
from evals.progress import counted, tracked
from evals.report import EvalError, open_results
from lsp_server.index.files import FileStat, read
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of
from lsp_server.index.write import Contents, IndexWriter
from tuning.stats import mean_interval

_LIMIT = 20  # as `completion.context.sources` asks
_N_WARM_UP = 10
_FILES_PER_COMMIT = 200


@dataclass(frozen=True, slots=True)
class Built:
    """An index, and the real files in it."""

    files: list[RealFile]
    n_files: int
    n_chunks: int
    build_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the product found for one query, and how long it took."""

    found: frozenset[int]
    query_ms: float
    ranked_ms: float

    def recall(self, best: Sequence[int]) -> float:
        """The share of the chunks in `best` that was found."""
        return len(self.found.intersection(best)) / len(best)


@contextmanager
def own_cache() -> Iterator[Path]:
    """A cache of its own for as long as the context lasts; its folder can be the root of a workspace too."""
    before = os.environ.get("MIDFILL_CACHE")
    with tempfile.TemporaryDirectory(prefix="midfill-retrieval-") as folder:
        os.environ["MIDFILL_CACHE"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["MIDFILL_CACHE"]
            else:
                os.environ["MIDFILL_CACHE"] = before


def build(workspace: Path, roots: Sequence[Path], n_chunks: int, seed: int, show: Callable[[int], None]) -> Built:
    """Write an index of `n_chunks` chunks, or a file's more; `show` is told how many there are so far."""
    began = time.perf_counter()
    writer = IndexWriter(workspace)
    files: list[RealFile] = []
    n_files = n_written = 0

    def write(real: RealFile, copy: int, contents: Contents) -> None:
        nonlocal n_files, n_written
        path = f"copy{copy}/{roots.index(real.root)}-{real.root.name}/{real.file.path}"
        writer.add(FileStat(path, real.file.language, real.file.size, real.file.mtime_ns), contents)
        n_files, n_written = n_files + 1, n_written + len(contents.chunks)
        if n_files % _FILES_PER_COMMIT == 0:
            writer.commit()
            show(n_written)

    try:
        for real in real_files(roots, n_chunks, seed):
            files.append(real)
            write(real, 0, real.contents)
        if not files:
            raise EvalError(f"there is no Python below {', '.join(map(str, roots))}")
        if n_written < n_chunks:
            for copy, real, contents in _copies(files, seed):
                write(real, copy, contents)
                if n_written >= n_chunks:
                    break
    finally:
        writer.close()
    return Built(files, n_files, n_written, time.perf_counter() - began)


def _copies(files: Sequence[RealFile], seed: int) -> Iterator[tuple[int, RealFile, Contents]]:
    """Copy after copy of all files, without end."""
    names = Names(files, seed)
    number = 0
    while True:
        number += 1
        copy = names.copy(number)
        for real in files:
            yield number, real, copy.contents(real.contents)


def cursors(files: Sequence[RealFile], n_queries: int, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """(place, weighted words) of cursors in real files, every line of a chunk as likely as its chunk; as a request
    makes them. A place with no word above it is passed over."""
    chunks = [(real, chunk) for real in files for chunk, _ in real.contents.chunks]
    choose = random.Random(seed)
    n_left = min(n_queries, len(chunks))
    for real, chunk in choose.sample(chunks, len(chunks)):
        if n_left <= 0:
            return
        line = choose.randint(chunk.first_line, chunk.last_line)
        if weights := words_near(read(real.root, real.file) or "", line):
            n_left -= 1
            yield f"{real.file.path}:{line + 1}", weights


def run(*, n_chunks: int, roots: Sequence[Path], n_queries: int, n_exact: int, seed: int, out: Path | None) -> int:
    """Build, ask, compare with the exact answers, and print the JSON line. No roots: the installed packages."""
    with own_cache() as workspace, open_results("retrieval", out) as results:
        with counted("writing chunks", n_chunks) as show:
            built = build(workspace, roots or installed(), n_chunks, seed, show)
        queries = list(cursors(built.files, n_queries, seed))
        answers = ask(workspace, [weights for _, weights in queries])
        with counted("asking all chunks", built.n_chunks) as show:
            asked = [weights for _, weights in queries[:n_exact]]
            exact = exhaustive(database_of(workspace), asked, _LIMIT, show)
        for (place, _), answer, best in zip(queries, answers, exact, strict=False):
            results.add({"id": place, "score": answer.recall(best), "query_ms": answer.query_ms})
        recall = {
            n: mean_interval([a.recall(best[:n]) for a, best in zip(answers, exact, strict=False)]) for n in (5, _LIMIT)
        }
        results.finish(
            {
                "suite": "retrieval",
                "n_chunks": built.n_chunks,
                "n_files": built.n_files,
                "n_real_files": len(built.files),
                **_described(workspace),
                "build_s": built.build_s,
                "seed": seed,
                "n_queries": len(queries),
                **_percentiles("query", [answer.query_ms for answer in answers]),
                **_percentiles("ranked", [answer.ranked_ms for answer in answers]),
                "n_exact": len(exact),
                "recall": recall[_LIMIT].mean,
                "low": recall[_LIMIT].low,
                "high": recall[_LIMIT].high,
                "recall_5": recall[5].mean,
            }
        )
    return 0


def ask(workspace: Path, queries: Sequence[Mapping[str, float]]) -> list[Answer]:
    """Each query's answer, one after the other; the first few are asked twice and timed the second time."""
    reader = IndexReader.open(workspace)
    assert reader is not None
    for weights in queries[:_N_WARM_UP]:
        reader.similar(weights, _LIMIT)
    answers: list[Answer] = []
    for weights in tracked(queries, "asking"):
        began = time.perf_counter()
        reader.similar(weights, _LIMIT)
        between = time.perf_counter()
        found = reader.ranked(weights, _LIMIT)
        ended = time.perf_counter()
        ids = frozenset(chunk_id for chunk_id, _ in found)
        answers.append(Answer(ids, 1e3 * (between - began), 1e3 * (ended - between)))
    reader.close()
    return answers


def _described(workspace: Path) -> dict[str, Any]:
    """Size and vocabulary of an index."""
    file = database_of(workspace)
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        query = "SELECT count(*) FROM word_counts WHERE term NOT LIKE '%('"
        return {"n_words_distinct": db.execute(query).fetchone()[0], "index_mb": file.stat().st_size / 1e6}


def _percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{p}_ms": float(np.percentile(times, p)) for p in (50, 99)}
