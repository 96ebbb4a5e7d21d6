"""From a model's name to a running scheduler: fetch, quantize, load. Called in the daemon's engine thread.

Rules: a store that is there and runs by the native kernels is opened and run without torch. Cards, and whatever else
needs it, are imported where they are used; quantizing is another process (`model.weights.prepare`).
"""

import contextlib
import functools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from model.decoders.interface import Decoder
from model.decoders.native_decoder import NativeDecoder
from model.engine.blocks import BlockStore
from model.engine.device import Choice, choose, failure, find_card, is_full, on_cpu
from model.engine.generate import Engine
from model.engine.sampler import ByteTable
from model.engine.scheduler import Scheduler
from model.engine.session import SessionPool
from model.library.catalog import ModelError, ModelSource, resolve
from model.library.fetch import fetch
from model.library.hub import Progress
from model.library.paths import blocks_dir
from model.library.power import IdlePower
from model.library.speed import CPU_BALANCE, GPU_BALANCE, Speed
from model.library.system import give_back_memory, libc, n_cores
from model.library.vocabulary import MappedTokenizer, open_tokenizer
from model.link.spawn import EngineSettings
from model.native import binding
from model.weights.load import open_decoder
from model.weights.prepare import EXPECTED_FAILURES, ensure_store

log = logging.getLogger(__name__)

# A card whose memory is full again so soon after it was emptied is too small.
_FULL_AGAIN_S = 60.0
# Of the memory for keys and values: blocks that no window holds now. Most are read from disk in no time.
_BLOCKS_SHARE = 0.25
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to run, with empty sessions."""

    engine: Engine
    pool: SessionPool
    store: Path
    choice: Choice

    @property
    def device(self) -> str:
        """Where it runs, with which weights, and why, for the status."""
        where = "on the graphics card" if self.choice.device == "cuda" else "on the processor"
        reason = f": {self.choice.reason}" if self.choice.reason else ""
        return f"{where} ({self.choice.kind}){reason}"

    @property
    def kernels(self) -> str:
        """What computes: "cuda", one of our kernels, or "" for torch."""
        if self.choice.device == "cuda":
            return "cuda"
        return binding.kernel_name() if isinstance(self.engine.decoder, NativeDecoder) else ""


class Publish(Protocol):
    """Announces a phase in words, with a fraction 0..1 (or -1)."""

    def __call__(self, phase: str, message: str, fraction: float = -1.0) -> None: ...


def prepare(settings: EngineSettings, publish: Publish, ready: Callable[[Scheduler, str, Path], None]) -> Scheduler:
    """Make the model ready and return its scheduler, whose `run` the caller then enters.

    ModelError when the model cannot be had, read or run.
    """
    try:
        return _prepare(settings, publish, ready)
    except EXPECTED_FAILURES as error:
        raise ModelError(str(error)) from error


def _prepare(settings: EngineSettings, publish: Publish, ready: Callable[[Scheduler, str, Path], None]) -> Scheduler:
    source = resolve(settings.model)

    license_note = f" ({source.row.license} license: {source.row.terms})" if source.row and source.row.terms else ""

    def on_fetch(progress: Progress) -> None:
        fraction = progress.done_bytes / progress.total_bytes if progress.total_bytes else -1.0
        publish("fetching", f"{source.model_id}: {progress.stage}{license_note}", fraction)

    file = fetch(source, on_fetch)
    started = time.perf_counter()
    loader = Loader(settings, source, file, publish)
    loaded = loader.load(choose(settings.device, settings.quantization, source.model_id, file))
    scheduler = Scheduler(loaded.engine, loaded.pool, IdlePower(settings.idle), device=loaded.device)
    n_threads = settings.n_threads or n_cores()
    scheduler.runs_on(n_threads, loaded.kernels)

    def rescue(error: Exception) -> Loaded | None:
        if (other := loader.rescue(error)) is not None:
            scheduler.runs_on(n_threads, other.kernels)
            ready(scheduler, f"{source.model_id} {other.device}", other.store)
        return other

    scheduler.rescue = rescue
    seconds = time.perf_counter() - started
    ready(scheduler, f"{source.model_id} loaded in {seconds:.1f} s {loaded.device}", loaded.store)
    return scheduler


@dataclass(slots=True)
class Loader:
    """Loads one model, on the card or the processor, and again on the processor when the card fails."""

    settings: EngineSettings
    source: ModelSource
    file: Path
    publish: Publish
    _present: Loaded | None = None
    _last_full: float = -math.inf  # when the card's memory was full the last time

    def load(self, choice: Choice) -> Loaded:
        """Load where `choice` says; on the processor when the card fails at it."""
        if choice.device == "cuda":
            try:
                self._present = self._on_card(choice)
                return self._present
            except (RuntimeError, AssertionError, ModelError) as error:
                reason = failure(error) or (str(error) if isinstance(error, ModelError) else None)
                if reason is None:
                    raise
                log.warning("the card cannot be used: %s", error)
                choice = on_cpu(self.settings.quantization, reason)
        self._present = self._on_processor(choice)
        return self._present

    def rescue(self, error: Exception) -> Loaded | None:
        """What to go on with after a card's failure; None when the error is none, or nothing else can be had.

        The first time that memory is full everything kept of documents leaves it, and the card goes on.
        """
        present, reason = self._present, failure(error)
        if present is None or present.choice.device != "cuda" or reason is None:
            return None
        log.warning("the graphics card failed: %s", error)
        if is_full(error) and time.monotonic() - self._last_full > _FULL_AGAIN_S:
            import torch

            self._last_full = time.monotonic()
            present.pool.clear()
            with contextlib.suppress(RuntimeError):
                torch.cuda.empty_cache()
                return present
        self._present = None
        try:
            return self.load(on_cpu(self.settings.quantization, reason))
        except EXPECTED_FAILURES:
            log.exception("the model cannot be loaded on the processor either")
            return None

    def _on_card(self, choice: Choice) -> Loaded:
        import torch

        from model.weights.gpu_store import load_gpu

        store = ensure_store(self.source, self.file, choice.kind, self._quantizing(choice.kind))
        find_card()  # quantizing may have taken minutes
        self.publish("loading", f"loading {self.source.model_id} onto the graphics card")
        return self._loaded(load_gpu(store, torch.device(choice.device)), store, choice, "bf16")

    def _on_processor(self, choice: Choice) -> Loaded:
        decoder, store = open_decoder(
            self.source,
            self.file,
            self.settings.quantization,
            self.settings.n_threads or n_cores(),
            self._quantizing(choice.kind),
            lambda done: self.publish("loading", f"loading {self.source.model_id}", done),
        )
        give_back_memory()
        keep_freed_memory()
        # The kernels and torch give different numbers, in fp16 and fp32.
        numerics = "f16" if isinstance(decoder, NativeDecoder) else "f32"
        if decoder.architecture.foreign:
            numerics = f"transformers-{choice.kind}"
        return self._loaded(decoder, store, choice, numerics)

    def _loaded(self, decoder: Decoder, store: Path, choice: Choice, numerics: str) -> Loaded:
        table = functools.cache(lambda: _byte_table(store, decoder.architecture.vocab))
        memory = self.settings.max_cache_mb * 1_000_000
        in_memory = int(memory * _BLOCKS_SHARE)
        folder = blocks_dir() / f"{store.name}-{numerics}"
        blocks = BlockStore(decoder.new_block, folder, in_memory, self.settings.max_disk_mb * 1_000_000)
        speed = Speed(decoder.architecture, balance=GPU_BALANCE if choice.device == "cuda" else CPU_BALANCE)
        return Loaded(
            engine=Engine(decoder, table, blocks, speed),
            pool=SessionPool(decoder.new_kv, memory - in_memory),
            store=store,
            choice=choice,
        )

    def _quantizing(self, kind: str) -> Callable[[float], None]:
        return lambda done: self.publish("quantizing", f"quantizing {self.source.model_id} to {kind}", done)


def _byte_table(store: Path, n_tokens: int) -> ByteTable:
    tokenizer = open_tokenizer(store)
    in_order = tokenizer.in_order if isinstance(tokenizer, MappedTokenizer) and tokenizer.n_ids <= n_tokens else None
    return ByteTable(n_tokens, tokenizer.token_bytes, in_order)


def keep_freed_memory() -> None:
    """Let glibc keep the buffers of a prefill chunk instead of mapping and faulting them in each layer.

    A chunk's gate|up output is 10 MB; by default glibc returns it to the kernel every time, and the page
    faults cost more than the product it holds. Other C libraries have no mallopt: nothing to do there.
    """
    mallopt = getattr(libc(), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEEP_BYTES)
