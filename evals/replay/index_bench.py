"""`midfill bench index --path DIR`: what the repository index costs, on any source tree, over the real server.

    first index   seconds, files and megabytes, with nothing else going on
    typing        the same keys typed while a first index is under way, with the index ready, and without any: how much
                  slower (context has a price of its own, and while an index is made there is less of it)
    stalls        how long the server's event loop keeps what comes waiting, while they are typed into 10,000 lines
    saves         from the write of a file until the index has what is new in it, and what of that the work itself took

Rules: the tree is copied, and only the copies are indexed and changed: they and their indexes are removed at the end.
The model runs before anything is timed. A key waits for the answer of the one before, so that both runs ask the same.
"""

import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.replay.index_script import SAVED, Script, chosen_file, long_text, script_of
from evals.replay.keystrokes import play
from evals.replay.ours import Ours
from evals.replay.run import Run
from evals.report import EvalError, Results, open_results
from evals.sources import SourceFile, source_files
from lsp_server.index.files import walk
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import folder_of, open_for_reading
from lsp_server.stalls import StallMonitor

_INDEX_S = 3_600.0
_POLL_S = 0.05
_KEY_S = 0.15  # from an answer to the next key
_WARM_S, _WARM_MOST_S = 3.0, 40.0  # a pause after which the context has been chosen; until all of it is computed
_N_SAVES = 20
_SAVE_S, _SAVE_POLL_S, _BETWEEN_SAVES_S = 30.0, 0.002, 0.3
_LONG_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """A typed key: milliseconds to its answer, whether the engine computed it, tokens, and the index's phase then."""

    number: int
    ms: float
    by_engine: bool
    n_computed: int
    phase: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What typing the script once gave. `stalls` are of the server's whole life; `control` are those of this process
    meanwhile, which hardly does anything: what waits here as long waits for the processor, not for the server.
    """

    keys: list[Key]
    stalls: dict[str, float]
    control: dict[str, float]


@contextmanager
def copies(tree: Path, names: Sequence[str]) -> Iterator[list[Path]]:
    """Copies of what would be indexed of a tree; they and their indexes go at the end. OSError: no room."""
    with tempfile.TemporaryDirectory(prefix="midfill-bench-") as temporary:
        roots = [Path(temporary).resolve() / name for name in names]
        try:
            for root in roots:
                for file in walk(tree):
                    target = root / file.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(tree / file.path, target)
            yield roots
        finally:
            for root in roots:
                shutil.rmtree(folder_of(root), ignore_errors=True)


@asynccontextmanager
async def window(root: Path, model: str, *, index: bool) -> AsyncIterator[Ours]:
    """A server of its own with a folder, its model ready."""
    options = {"model": model, "context": {"index": index}}
    player = await Ours.start(options, Run("midfill", "index"), root.as_uri())
    async with player.editor:
        await player.ready()
        yield player


async def index_state(player: Ours, root: Path) -> dict[str, Any]:
    """Phase, message and last update of the index; EvalError when it failed."""
    state: dict[str, Any] = (await player.status())["indexes"].get(str(root), {"phase": "none", "message": ""})
    if state["phase"] == "failed":
        raise EvalError(state["message"])
    return state


async def indexed(player: Ours, root: Path) -> None:
    """Wait until the first index is complete."""
    deadline = time.monotonic() + _INDEX_S
    while (await index_state(player, root))["phase"] != "ready":
        if time.monotonic() > deadline:
            raise EvalError(f"the index of {root.name} was not ready after {_INDEX_S:.0f} s")
        await asyncio.sleep(_POLL_S)


def switch_index_on(player: Ours) -> None:
    """As a user does in the settings; the first index begins at once."""
    settings = {"midfill": {"context": {"index": True}}}
    player.editor.notify("workspace/didChangeConfiguration", {"settings": settings})


async def first_index(player: Ours, root: Path) -> dict[str, float]:
    """Index with nothing else going on."""
    began = time.perf_counter()
    switch_index_on(player)
    await indexed(player, root)
    seconds = time.perf_counter() - began
    return {"index_s": seconds, "index_files": n_indexed(root), "index_mb": size_mb(folder_of(root))}


def n_indexed(root: Path) -> int:
    """Files that a reader finds in the index now."""
    connection = open_for_reading(root)
    if connection is None:
        return 0
    n_files: int = connection.execute("SELECT count(*) FROM files").fetchone()[0]
    connection.close()
    return n_files


def size_mb(folder: Path) -> float:
    """What a folder's files take on the disk."""
    return sum(file.stat().st_size for file in folder.glob("index.sqlite*")) / 1e6


async def warm_up(player: Ours, script: Script) -> None:
    """Open the file and have the model read it, and what context there is."""
    player.open(script.path, script.before)
    await player.ask(script.path, script.before, script.actions[0].begin)
    await asyncio.sleep(_WARM_S)
    with contextlib.suppress(TimeoutError):  # while other programs need the processor nothing is computed ahead
        await asyncio.wait_for(player.complete(), _WARM_MOST_S)


async def type_script(player: Ours, script: Script, root: Path) -> Typed:
    """Type it, one request a key, each awaited."""
    text, keys, control = script.before, [], StallMonitor()
    for number, action in enumerate(script.actions):
        control.watch()
        await asyncio.sleep(_KEY_S)
        text = play(text, action)
        began = time.perf_counter()
        player.change(action, text)
        await player.ask(action.path, text, action.cursor)
        ms = 1e3 * (time.perf_counter() - began)
        status = await player.status()
        last, state = status["last"], status["indexes"].get(str(root), {"phase": "none"})
        by_engine = last["nPrompt"] > 0 and not last["reused"]
        keys.append(Key(number, ms, by_engine, last["nComputed"], state["phase"]))
    return Typed(keys, (await player.status())["stalls"], control.summary())


def slowdown(idle: Sequence[Key], indexing: Sequence[Key]) -> dict[str, float]:
    """Medians of the keys that both runs have and that were typed while the index was being made, in milliseconds.

    All keys, and those that the engine had to compute in both runs; `slowdown_p50_ms` is of these. `idle` is any run
    that nothing was indexed in.
    """
    pairs = [(a, b) for a, b in zip(idle, indexing, strict=False) if b.phase == "indexing"]
    computed = [(a, b) for a, b in pairs if a.by_engine and b.by_engine]
    figures: dict[str, float] = {"n_keys": len(idle), "n_keys_while_indexing": len(pairs), "n_pairs": len(computed)}
    for suffix, chosen in (("", computed), ("_all_keys", pairs)):
        before, after = (median([pair[side].ms for pair in chosen] or [0.0]) for side in (0, 1))
        figures |= {f"idle_p50_ms{suffix}": before, f"indexing_p50_ms{suffix}": after}
        figures[f"slowdown_p50_ms{suffix}"] = after - before
        figures[f"slowdown_paired_p50_ms{suffix}"] = median([b.ms - a.ms for a, b in chosen] or [0.0])
    for name, side in (("idle", 0), ("indexing", 1)):
        figures[f"{name}_computed_per_key"] = sum(pair[side].n_computed for pair in pairs) / max(1, len(pairs))
    return figures


async def save_files(player: Ours, root: Path, files: Sequence[SourceFile], results: Results) -> dict[str, float]:
    """Append a function to files of various sizes, and see when the index has it."""
    reader = IndexReader.open(root)
    assert reader is not None  # the index is ready
    waits, updates = [], []
    for number, file in enumerate(files):
        await asyncio.sleep(_BETWEEN_SAVES_S)
        name = f"midfill_saved_{number}"
        began = time.perf_counter()
        (root / file.path).write_text(file.text + SAVED[file.language].format(name), encoding="utf-8")
        while not reader.named(name, 1):
            if time.perf_counter() - began > _SAVE_S:
                raise EvalError(f"{file.path} was saved, and not read within {_SAVE_S:.0f} s")
            await asyncio.sleep(_SAVE_POLL_S)
        waits.append(1e3 * (time.perf_counter() - began))
        await asyncio.sleep(_POLL_S)  # the worker reports after it has committed
        updates.append((await index_state(player, root))["updateMs"] or 0.0)
        results.add({"id": f"save {number}", "characters": len(file.text), "ms": waits[-1], "update_ms": updates[-1]})
    reader.close()
    return {
        "n_saves": len(waits),
        "reindex_ms": median(waits),
        "reindex_max_ms": max(waits),
        "update_ms": median(updates),
        "update_max_ms": max(updates),
    }


def of_many_sizes(files: Sequence[SourceFile], n: int) -> list[SourceFile]:
    """So many files a function can be appended to, from the smallest to the largest; EvalError when there are none."""
    usable = sorted((f for f in files if f.language in SAVED), key=lambda f: (len(f.text), f.path))
    if not usable:
        raise EvalError(f"the tree has no file of {', '.join(SAVED)}")
    last = len(usable) - 1
    return [usable[round(last * k / max(1, n - 1))] for k in range(min(n, len(usable)))]


def keep(results: Results, name: str, keys: Sequence[Key]) -> None:
    """Write every key of a run."""
    for key in keys:
        results.add({"id": f"{name} {key.number}", "ms": key.ms, "engine": key.by_engine, "phase": key.phase})


def table_of(f: Mapping[str, Any]) -> Table:
    """The figures beside what they should be."""
    table = Table()
    for title in ("", "measured", "bar"):
        table.add_column(title, justify="left" if not title else "right")
    rows = (
        ("first index", f"{f['index_s']:.1f} s, {f['index_files']} files, {f['index_mb']:.0f} MB", ""),
        ("a key while indexing", f"{f['indexing_p50_ms']:.0f} ms, idle {f['idle_p50_ms']:.0f} ms", "+50 ms"),
        ("paired", f"{f['slowdown_paired_p50_ms']:+.0f} ms", "+50 ms"),
        ("paired with a run without an index", f"{f['no_index_slowdown_paired_p50_ms']:+.0f} ms", "+50 ms"),
        ("the same, all keys", f"{f['indexing_p50_ms_all_keys']:.0f} ms, idle {f['idle_p50_ms_all_keys']:.0f} ms", ""),
        ("typed while indexing", f"{f['n_keys_while_indexing']} of {f['n_keys']} keys", ""),
        ("indexed meanwhile", f"{f['n_indexed_while_typing']} of {f['index_files']} files", ""),
        ("waits for the event loop, 99.9 %", f"{f['stall_p999_ms']:.1f} ms", "5 ms"),
        ("the longest", f"{f['stall_max_ms']:.1f} ms", ""),
        ("the same in a process that does nothing", f"{f['stall_control_p999_ms']:.1f} ms", ""),
        ("a saved file is in the index", f"{f['reindex_ms']:.0f} ms, at most {f['reindex_max_ms']:.0f} ms", "200 ms"),
        ("of which the work takes", f"{f['update_ms']:.0f} ms, at most {f['update_max_ms']:.0f} ms", ""),
    )
    for row in rows:
        table.add_row(*row)
    return table


def stall_keys(stalls: Mapping[str, float], prefix: str) -> dict[str, float]:
    """The status's stalls as keys of the result, in milliseconds."""
    return {f"{prefix}_n": stalls["n"]} | {f"{prefix}_{q}_ms": stalls[q] for q in ("p50", "p99", "p999", "max")}


async def measure(
    roots: Sequence[Path], files: Sequence[SourceFile], model: str, n_keys: int, seed: int, results: Results
) -> dict[str, Any]:
    """All figures, one after the other; `roots` are three copies of the tree."""
    draw = random.Random(seed)
    file = chosen_file(files, draw)
    script = script_of(file.path, file.text, n_keys, draw)
    quiet, plain, busy = roots
    async with window(quiet, model, index=False) as player:
        figures = await first_index(player, quiet)
        await warm_up(player, script)
        idle = await type_script(player, script, quiet)
        figures |= await save_files(player, quiet, of_many_sizes(files, _N_SAVES), results)
    async with window(plain, model, index=False) as player:
        await warm_up(player, script)
        without = await type_script(player, script, plain)
    async with window(busy, model, index=False) as player:
        await warm_up(player, script)
        switch_index_on(player)
        indexing = await type_script(player, script, busy)
        figures["n_indexed_while_typing"] = n_indexed(busy)
    figures |= slowdown(idle.keys, indexing.keys) | stall_keys(indexing.stalls, "stall_indexing")
    beside_none = slowdown(without.keys, indexing.keys)
    figures |= {f"no_index_{name}": ms for name, ms in beside_none.items() if name.startswith(("idle", "slowdown"))}
    path, text = long_text(files, file, _LONG_LINES)
    long_script = script_of(path, text, n_keys, draw)
    async with window(quiet, model, index=True) as player:
        await indexed(player, quiet)
        player.open(path, long_script.before)  # the server's first document: what is done once is done now, and counts
        long = await type_script(player, long_script, quiet)
    figures |= stall_keys(long.stalls, "stall") | stall_keys(long.control, "stall_control")
    for name, typed in (("idle", idle), ("no index", without), ("indexing", indexing), ("long", long)):
        keep(results, name, typed.keys)
    return figures


async def run(*, path: Path, n_keystrokes: int, model: str, seed: int, out: Path | None) -> int:
    """Measure, print the table and the JSON line."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    files = await asyncio.to_thread(lambda: list(source_files(path)))
    names = [f"{path.resolve().name}-{time.time_ns():x}-{name}" for name in ("quiet", "plain", "busy")]
    with open_results("index", out) as results, copies(path, names) as roots:
        figures = await measure(roots, files, model, n_keystrokes, seed, results)
        console.print(table_of(figures))
        results.finish({"suite": "index", "model": model, "seed": seed, **figures})
    return 0
