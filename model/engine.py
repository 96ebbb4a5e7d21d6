"""From a model's name to a running scheduler: fetch, quantize, load. Called in the daemon's engine thread."""

import ctypes
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from model.architecture import UnsupportedModel
from model.blocks import BlockStore
from model.catalog import ModelError, resolve
from model.fetch import Progress, fetch
from model.generate import Engine
from model.load import open_decoder
from model.native_decoder import NativeDecoder
from model.paths import blocks_dir
from model.power import IdlePower
from model.quantize import choose_kind
from model.sampler import ByteTable
from model.scheduler import Scheduler
from model.session import SessionPool
from model.spawn import EngineSettings
from model.speed import Speed
from model.store import StoreError
from model.tokenizer import UnsupportedTokenizer, VocabTokenizer

# What can go wrong without a bug of ours; each message is written for the user.
EXPECTED_FAILURES = (ModelError, UnsupportedModel, UnsupportedTokenizer, StoreError, OSError)

# Of the memory for keys and values: blocks that no window holds now. Most are read from disk in no time.
_BLOCKS_SHARE = 0.25
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 64 << 20


class Publish(Protocol):
    """Announces a phase in words, with a fraction 0..1 (or -1)."""

    def __call__(self, phase: str, message: str, fraction: float = -1.0) -> None: ...


def prepare(settings: EngineSettings, publish: Publish, ready: Callable[[Scheduler, str, Path], None]) -> Scheduler:
    """Make the model ready and return its scheduler, whose `run` the caller then enters.

    Raises one of EXPECTED_FAILURES when the model cannot be had, read or run.
    """
    n_threads = settings.n_threads or len(os.sched_getaffinity(0))
    source = resolve(settings.model)

    def on_fetch(progress: Progress) -> None:
        fraction = progress.done_bytes / progress.total_bytes if progress.total_bytes else -1.0
        publish("fetching", f"{source.model_id}: {progress.stage}", fraction)

    file = fetch(source, on_fetch)
    kind = choose_kind(settings.quantization)
    started = time.perf_counter()
    decoder, store = open_decoder(
        source,
        file,
        settings.quantization,
        n_threads,
        lambda done: publish("quantizing", f"quantizing {source.model_id} to {kind}", done),
        lambda done: publish("loading", f"loading {source.model_id}", done),
    )
    _trim_memory()
    keep_freed_memory()
    tokenizer = VocabTokenizer.open(store)

    table = functools.cache(lambda: ByteTable(decoder.architecture.vocab, tokenizer.token_bytes))
    # The kernels and torch give different numbers, in fp16 and fp32.
    numerics = f"{store.name}-{'f16' if isinstance(decoder, NativeDecoder) else 'f32'}"
    memory = settings.max_cache_mb * 1_000_000
    in_memory = int(memory * _BLOCKS_SHARE)
    blocks = BlockStore(decoder.new_block, blocks_dir() / numerics, in_memory, settings.max_disk_mb * 1_000_000)
    scheduler = Scheduler(
        Engine(decoder, table, blocks, Speed(decoder.architecture)),
        SessionPool(decoder.new_kv, memory - in_memory),
        IdlePower(settings.idle),
    )
    ready(scheduler, f"{source.model_id} loaded in {time.perf_counter() - started:.1f} s", store)
    return scheduler


def _trim_memory() -> None:
    """Give what quantizing or packing used back to the kernel (glibc only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_freed_memory() -> None:
    """Let glibc keep the buffers of a prefill chunk instead of mapping and faulting them in each layer.

    A chunk's gate|up output is 10 MB; by default glibc returns it to the kernel every time, and the page
    faults cost more than the product it holds. Other C libraries have no mallopt: nothing to do there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEEP_BYTES)
