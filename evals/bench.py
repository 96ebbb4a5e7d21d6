"""`midfill bench`: midfill beside llama.cpp on the same GGUF, in one run.

Prefill of 512 and of 2,048 tokens, steps of 1, 4 and 8 tokens at 512; then what only midfill's daemon has:
seconds from its start to the first token, and its memory with a 4k context.

Rules: llama.cpp is taken at its best: flash attention on and off, micro-batches of 512, 256 and 128 tokens,
and of these the best median for each figure by itself. Each engine has its own process, all its threads,
and the machine to itself while it is timed; repetitions are interleaved, so that a slow minute hits both.
Medians throughout. A ratio is a speed of ours over llama.cpp's: above 1 midfill is faster.
"""

import asyncio
import fcntl
import itertools
import random
import time
from array import array
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from completion.types import Format, Prompt
from evals.engines import connect, disconnect, gguf_file
from evals.llamacpp import load_peer, open_peer
from evals.peer_library import PeerSettings
from evals.report import EvalError, open_results
from evals.worker import Worker, WorkerError
from model.catalog import resolve
from model.client import EngineClient
from model.spawn import EngineSettings, socket_path

PREFILLS = (512, 2048)
STEPS = (1, 4, 8)
_STEP_POSITION = 512
_RSS_TOKENS = 4096
_STEP_SAMPLES = 5  # per repetition: a step takes milliseconds, a prefill seconds
_FIRST_PROMPT_TOKENS = 64
# Ids of ordinary text in every byte-level vocabulary of this size; which ones does not change the time.
_ID_RANGE = (1000, 20_000)
_PEER_CONFIGS = tuple(
    PeerSettings(n_ctx=2304, n_ubatch=n_ubatch, flash_attn=flash)
    for flash, n_ubatch in itertools.product(("on", "off"), (512, 256, 128))
)
_SETTLE_S = 0.2  # both engines' threads spin for some milliseconds after their work
_LEAVE_TIMEOUT_S, _LEAVE_POLL_S = 20.0, 0.2

Samples = dict[str, list[float]]  # figure -> seconds


def time_engine(worker: Worker, ids: list[int], samples: Samples) -> None:
    """One repetition of every figure on a worker that has its model loaded."""
    time.sleep(_SETTLE_S)
    for n in sorted(PREFILLS, reverse=True):
        samples[f"prefill_{n}"].append(worker.ask("time_prefill", ids=ids[:n])["s"])
    # The shortest prefill is exactly what the steps stand behind.
    for _, n in itertools.product(range(_STEP_SAMPLES), STEPS):
        step = worker.ask("time_step", ids=ids[_STEP_POSITION : _STEP_POSITION + n], position=_STEP_POSITION)
        samples[f"step_{n}"].append(step["s"])


def ratios(ours: Samples, theirs: list[Samples]) -> dict[str, float]:
    """Speed of ours over the best of theirs, per figure, from medians."""
    best = {figure: min(median(samples[figure]) for samples in theirs) for figure in ours}
    return {figure: best[figure] / median(samples) for figure, samples in ours.items()}


def measure_speed(model: str, gguf: Path, repetitions: int, console: Console) -> tuple[Samples, list[Samples]]:
    """Seconds of every figure: midfill's, and llama.cpp's for each of _PEER_CONFIGS."""
    ids = random.Random(0).choices(range(*_ID_RANGE), k=max(PREFILLS))
    ours: Samples = defaultdict(list)
    theirs: list[Samples] = [defaultdict(list) for _ in _PEER_CONFIGS]
    with Worker("evals.midfill_worker") as mine, open_peer("llamacpp") as peer:
        mine.ask("load", model=model, n_ctx=max(PREFILLS) + max(STEPS))
        time_engine(mine, ids, defaultdict(list))  # warm-up: pages, allocator, clocks
        load_peer(peer, gguf, _PEER_CONFIGS[0])
        time_engine(peer, ids, defaultdict(list))
        for repetition in range(repetitions):
            console.print(f"[dim]repetition {repetition + 1} of {repetitions}[/]")
            time_engine(mine, ids, ours)
            for config, samples in zip(_PEER_CONFIGS, theirs, strict=True):
                load_peer(peer, gguf, config)
                time_engine(peer, ids, samples)
    return ours, theirs


def measure_peer_rss(gguf: Path) -> float:
    """Resident MB of llama.cpp's process with a 4k context, its mapped model file included."""
    ids = random.Random(0).choices(range(*_ID_RANGE), k=_RSS_TOKENS)
    with open_peer("llamacpp") as peer:
        load_peer(peer, gguf, PeerSettings(n_ctx=_RSS_TOKENS + 256))
        peer.ask("time_prefill", ids=ids)
        return float(peer.ask("rss")["mb"])


async def measure_daemon(model: str) -> tuple[float, float]:
    """Seconds from the daemon's start to its first token, and its resident MB with a 4k context.

    A daemon that runs already is asked to leave, so an editor that uses it loads its model again.
    """
    settings = EngineSettings(model=model)
    client, running = await connect(settings)  # makes the store, if this is the first time
    await disconnect(client, running)
    await _stop_daemon(settings)
    started = time.perf_counter()
    client, running = await connect(settings)
    try:
        ids = random.Random(0).choices(range(*_ID_RANGE), k=_RSS_TOKENS)
        prompt = Prompt(
            token_ids=array("I", ids[:_FIRST_PROMPT_TOKENS]),
            heal=b"",
            stop_token_ids=(),
            max_tokens=1,
            format=Format.LEFT,
        )
        async for _ in client.generate(prompt, session="bench"):
            break
        first_token_s = time.perf_counter() - started
        async for _ in client.generate(replace(prompt, token_ids=array("I", ids)), session="bench"):
            pass
        status = await client.daemon_status()
        if status is None:
            raise EvalError("the daemon does not answer")
        return first_token_s, status.rss_mb
    finally:
        await disconnect(client, running)
        await _stop_daemon(settings)


async def _stop_daemon(settings: EngineSettings) -> None:
    """Have the daemon leave, and wait until it has: it holds its lock for its whole life."""
    path = socket_path(settings)
    deadline = time.monotonic() + _LEAVE_TIMEOUT_S
    with path.with_suffix(".lock").open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EvalError("the running daemon does not leave") from None
            await EngineClient.stop_daemon(path)
            await asyncio.sleep(_LEAVE_POLL_S)


def show(console: Console, ours: Samples, theirs: list[Samples]) -> None:
    """A table of medians and ratios, with the settings llama.cpp was best at."""
    table = Table("figure", "midfill", "llama.cpp", "ratio", "its best settings")
    for figure, ratio in ratios(ours, theirs).items():
        best = min(range(len(theirs)), key=lambda i: median(theirs[i][figure]))
        mine, peer = median(ours[figure]), median(theirs[best][figure])
        n = int(figure.split("_")[1])
        if figure.startswith("prefill"):
            row = (f"prefill {n} tokens", f"{n / mine:.0f} tok/s", f"{n / peer:.0f} tok/s")
        else:
            row = (f"step of {n} at {_STEP_POSITION}", f"{mine * 1e3:.1f} ms", f"{peer * 1e3:.1f} ms")
        config = _PEER_CONFIGS[best]
        table.add_row(*row, f"{ratio:.2f}", f"flash {config.flash_attn}, ubatch {config.n_ubatch}")
    console.print(table)


async def run(model: str, repetitions: int, out: Path | None) -> int:
    """Measure, print the table and the JSON line."""
    console = Console()
    gguf = gguf_file(model)
    first_token_s, rss_mb = await measure_daemon(model)
    try:
        peer_rss_mb = measure_peer_rss(gguf)
        ours, theirs = measure_speed(model, gguf, repetitions, console)
    except WorkerError as error:
        raise EvalError(str(error)) from error
    show(console, ours, theirs)
    console.print(f"first token {first_token_s:.2f} s after the daemon's start; its memory {rss_mb:.0f} MB")
    ratio = ratios(ours, theirs)
    with open_results("bench", out) as results:
        results.add({"id": "midfill", "seconds": ours})
        for config, samples in zip(_PEER_CONFIGS, theirs, strict=True):
            key = f"llamacpp flash={config.flash_attn} ubatch={config.n_ubatch}"
            results.add({"id": key, "seconds": samples})
        summary: dict[str, Any] = {
            "suite": "bench",
            "n": repetitions,
            "prefill_ratio": ratio["prefill_512"],
            "prefill_ratio_2048": ratio["prefill_2048"],
            **{f"step{n}_ratio": ratio[f"step_{n}"] for n in STEPS},
            "first_token_s": first_token_s,
            "rss_mb": rss_mb,
            "rss_mb_llamacpp": peer_rss_mb,
            "model": resolve(model).model_id,
            "engine": "midfill,llamacpp",
            "format": "int8,gguf",
        }
        for figure, seconds in ours.items():
            summary[f"{figure}_s"] = median(seconds)
            summary[f"{figure}_s_llamacpp"] = min(median(other[figure]) for other in theirs)
        results.finish(summary)
    return 0
