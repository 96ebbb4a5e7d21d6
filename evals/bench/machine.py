"""What `midfill bench` measures besides speed: memory bandwidth, and each engine's memory and start.

A step of one token reads every weight once, so bandwidth is the bound on its speed, whatever computes it.
"""

import asyncio
import random
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from completion.types import Format, Prompt
from evals.engines import connect, disconnect
from evals.peers.library import PeerSettings
from evals.peers.llamacpp import load_peer, open_peer
from evals.report import EvalError
from model.library.system import n_cores, try_lock
from model.link.client import EngineClient
from model.link.spawn import EngineSettings, socket_path

_RSS_TOKENS = 4096
FIRST_PROMPT_TOKENS = 64
# Ids of ordinary text in every byte-level vocabulary of this size; which ones does not change the time.
_ID_RANGE = (1000, 20_000)
_LEAVE_TIMEOUT_S, _LEAVE_POLL_S = 20.0, 0.2
# Larger than any cache; summed by all cores.
_BANDWIDTH_BYTES = 1 << 30
_BANDWIDTH_SAMPLES = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Seconds from an engine's start to its first token, and its memory in MB with a 4k context.

    rss_mb: all pages that are resident. pss_mb: of those that several processes share its part alone (Linux; else
    None).
    """

    first_token_s: float
    rss_mb: float
    pss_mb: float | None


def some_ids(n: int) -> list[int]:
    """Token ids to be timed with, the same in every run."""
    return random.Random(0).choices(range(*_ID_RANGE), k=n)


def read_bandwidth() -> float:
    """Bytes per second that all cores together read from memory: the best of several sums of a large array."""
    torch.set_num_threads(n_cores())
    values = torch.ones(_BANDWIDTH_BYTES // 8, dtype=torch.int64)  # so that adding costs less than reading
    best = 0.0
    for _ in range(_BANDWIDTH_SAMPLES):
        started = time.perf_counter()
        values.sum()
        best = max(best, _BANDWIDTH_BYTES / (time.perf_counter() - started))
    return best


def memory_of(pid: int) -> tuple[float, float | None]:
    """(resident MB, proportional MB) of a process."""
    memory = psutil.Process(pid).memory_full_info()
    pss = getattr(memory, "pss", None)
    return memory.rss / 1e6, None if pss is None else pss / 1e6


def measure_peer(name: str, gguf: Path, library: Path | None = None) -> Footprint:
    """Of a peer's process, its mapped model file included; `library` as for `open_peer`."""
    started = time.perf_counter()
    with open_peer(name, library) as peer:
        load_peer(peer, gguf, PeerSettings(n_ctx=_RSS_TOKENS + 256))
        peer.ask("time_prefill", ids=some_ids(FIRST_PROMPT_TOKENS))
        first_token_s = time.perf_counter() - started
        peer.ask("time_prefill", ids=some_ids(512))
        peer.ask("fill", n=_RSS_TOKENS)
        rss_mb, pss_mb = memory_of(peer.pid)
    return Footprint(first_token_s=first_token_s, rss_mb=rss_mb, pss_mb=pss_mb)


async def measure_daemon(model: str) -> Footprint:
    """Of the daemon.

    A daemon that runs already is asked to leave, so an editor that uses it loads its model again.
    """
    settings = EngineSettings(model=model)
    client, running = await connect(settings)  # makes the store, if this is the first time
    await disconnect(client, running)
    await stop_daemon(settings)
    started = time.perf_counter()
    client, running = await connect(settings)
    try:
        ids = some_ids(_RSS_TOKENS)
        prompt = one_token_after(ids[:FIRST_PROMPT_TOKENS])
        async for _ in client.generate(prompt, session="bench"):
            break
        first_token_s = time.perf_counter() - started
        async for _ in client.generate(replace(prompt, token_ids=array("I", ids)), session="bench"):
            pass
        status = await client.daemon_status()
        if status is None:
            raise EvalError("the daemon does not answer")
        rss_mb, pss_mb = memory_of(status.pid)
        return Footprint(first_token_s=first_token_s, rss_mb=rss_mb, pss_mb=pss_mb)
    finally:
        await disconnect(client, running)
        await stop_daemon(settings)


def one_token_after(ids: Sequence[int]) -> Prompt:
    """A prompt that is answered with one token, whatever it says."""
    return Prompt(token_ids=array("I", ids), heal=b"", stop_token_ids=(), max_tokens=1, format=Format.LEFT)


async def stop_daemon(settings: EngineSettings) -> None:
    """Have the daemon leave, and wait until it has: it holds its lock for its whole life."""
    path = socket_path(settings)
    deadline = time.monotonic() + _LEAVE_TIMEOUT_S
    with path.with_suffix(".lock").open("ab") as lock:
        while True:
            if try_lock(lock):
                return
            if time.monotonic() > deadline:
                raise EvalError("the running daemon does not leave")
            await EngineClient.stop_daemon(path)
            await asyncio.sleep(_LEAVE_POLL_S)
