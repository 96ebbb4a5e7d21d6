"""`midfill bench`: midfill beside llama.cpp and ik_llama.cpp on the same GGUF files, in one run.

For each model: prefill, steps of several tokens at several depths of context, and a workload of real code
(`evals.bench.timings`, `evals.bench.workload`); then what only midfill's daemon has: seconds from its start to the
first token, and its memory with a 4k context. The bound on decoding is measured too (`evals.bench.machine`).

Rules: a peer is taken at its best settings for each figure (`evals.bench.contender`). Each engine has its own
process, all its threads, and the machine to itself while it is timed. Medians throughout. A ratio is a speed
of ours over the peer's: above 1 midfill is faster. A peer whose wheel is missing is left out, in one line.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evals.bench.contender import OURS, open_contenders, usable_peers
from evals.bench.devices import choose_device
from evals.bench.kinds import kind_keys, measure_kinds, table_of_kinds
from evals.bench.machine import Footprint, measure_daemon, measure_peer, read_bandwidth, some_ids
from evals.bench.plots import write_plots
from evals.bench.summary import ModelResult, summary, table_of, table_of_footprints
from evals.bench.timings import Plan, quick_plan, time_depths, time_prefills, time_steps
from evals.bench.workload import SPECULATING, stdlib_prompts, time_workload
from evals.engines import gguf_file, vocabulary
from evals.peers.client import Worker, WorkerError
from evals.peers.llamacpp import open_peer
from evals.report import EvalError, Results, open_results
from lsp_server.config import Config
from lsp_server.engine.machine import measured_in_words
from model.library.catalog import CATALOG, DEFAULT_MODEL

_SEED = 0
_PIPED_COLUMNS = 140


async def run(
    models: Sequence[str], *, repetitions: int, quick: bool, peer: bool, llama_lib: Path | None, out: Path | None
) -> int:
    """Measure, print the tables and the JSON line, and write the plots; no `models` means the catalog's.

    `peer`: beside the other engines, where they are installed. `llama_lib`: a llama.cpp that somebody built for this
    machine, instead of the wheel's, which is built for any.
    """
    console = Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
    plan = quick_plan(repetitions) if quick else Plan(repetitions=repetitions)
    names = list(models) or ([DEFAULT_MODEL] if quick else [row.name for row in CATALOG])
    files = {name: gguf_file(name) for name in names}
    started = time.monotonic()
    bandwidth = await asyncio.to_thread(read_bandwidth)
    peers = usable_peers(files[names[0]], console, llama_lib) if peer else []
    results: list[ModelResult] = []
    with open_results("bench", out) as file:
        for name in names:
            footprints = {OURS: await measure_daemon(name)}
            try:
                footprints |= {other: measure_peer(other, files[name], llama_lib) for other in peers}
                results.append(measure_model(name, files[name], footprints, plan, llama_lib, console))
            except WorkerError as error:
                raise EvalError(str(error)) from error
            keep(file, results[-1])
            console.print(table_of(results[-1], plan))
            console.print(table_of_footprints(results[-1]))
        kinds = {} if quick else await asyncio.to_thread(measure_kinds, names[0])
        if kinds:
            console.print(table_of_kinds(results[0].model, kinds))
        for path in write_plots(results, plan, file.path, console):
            console.print(f"plot: {path}")
        if quick:
            console.print(f"machine: {await measured_in_words(Config(model=names[0]))}")
            console.print(await asyncio.to_thread(choose_device, names[0]))
        keys = summary(results, plan, bandwidth) | {"wall_s": time.monotonic() - started}
        if kinds:
            keys |= kind_keys(kinds, results[0].speed(OURS, SPECULATING))
        file.finish(keys)
    return 0


def measure_model(
    name: str, gguf: Path, footprints: dict[str, Footprint], plan: Plan, llama_lib: Path | None, console: Console
) -> ModelResult:
    """All figures of one model beside the peers that left a footprint."""
    model, tokenizer, _ = vocabulary(name, gguf)
    prompts = stdlib_prompts(tokenizer, plan.n_windows, _SEED)
    ids = some_ids(max(plan.prefills))
    with contextlib.ExitStack() as stack:
        workers = {OURS: stack.enter_context(Worker("evals.bench.midfill_worker"))}
        workers |= {peer: stack.enter_context(open_peer(peer, llama_lib)) for peer in footprints if peer != OURS}
        loaded = workers[OURS].ask("load", model=name, n_ctx=plan.n_ctx)
        contenders = open_contenders(workers, gguf, plan.n_ctx)
        for title, measure in (("prefill", time_prefills), ("steps", time_steps), ("depths", time_depths)):
            console.print(f"[dim]{model}: {title}[/]")
            measure(contenders, ids, plan)
        console.print(f"[dim]{model}: workload[/]")
        generated = time_workload(contenders, prompts)
    return ModelResult(
        model=model,
        contenders=contenders,
        generated=generated,
        kind=loaded["kind"],
        bytes_per_step=loaded["bytes_per_step"],
        footprints=footprints,
    )


def keep(file: Results, result: ModelResult) -> None:
    """Write every sample of a model."""
    for contender in result.contenders:
        file.add({"id": f"{result.model} {contender.name}", "seconds": contender.samples})
    for (engine, mode), pairs in result.generated.items():
        file.add({"id": f"{result.model} {engine} {mode}", "tokens_and_seconds": pairs})
