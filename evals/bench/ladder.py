"""`midfill bench ladder`: one card (or, to try it, the processor), several shapes, and each kind of weights in turn.

For every rung: a step of one token, 8 sequences side by side, the time to the first token of 1k, 4k and 16k tokens,
a warm request at 16k (eight new tokens, then a line of twelve), allocations in the decode loop, and memory. Shapes are
those of Qwen2.5-Coder with random weights, which need no download and run as fast; `--model` measures a real one,
and its NLL too, on midfill's own code. fp32 without captured graphs is measured as "fp32_plain".

Rules: rungs run one after another and give their memory back. A rung that does not fit is left out, in one line.
Ratios are speeds over fp32's with the same machinery; `int4_everything_over_fp32` is over fp32_plain.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from evals.bench.machine import some_ids
from evals.report import EvalError, open_results
from model.decoders.gpu_decoder import GpuDecoder
from model.decoders.gpu_steps import eager
from model.decoders.interface import Decoder, States, run_to_end
from model.decoders.kv import Span
from model.engine.device import CardError, find_card
from model.engine.score import logprobs, run_once
from model.library.architecture import Architecture
from model.library.catalog import resolve
from model.library.fetch import fetch
from model.library.system import n_cores
from model.weights.gpu_store import gpu_decoder, gpu_parts
from model.weights.merge import open_weights
from model.weights.source import WeightSource

RUNGS = ("fp32_plain", "fp32", "bf16", "llmint8", "nf4")
_BATCH, _LINE_TOKENS, _TYPED_TOKENS = 8, 12, 8
_NLL_TOKENS = 2048
_STD = 0.02  # of random weights: what transformers initializes with


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run measures: lengths in tokens, and how often."""

    depths: tuple[int, ...] = (1024, 4096, 16_384)
    position: int = 512
    repetitions: int = 5
    steps: int = 50


def shape(n_layers: int, hidden: int, n_heads: int, n_kv_heads: int, intermediate: int, vocab: int) -> Architecture:
    """A Qwen2 architecture of these sizes."""
    return Architecture(
        family="qwen2",
        n_layers=n_layers,
        hidden=hidden,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=hidden // n_heads,
        intermediate=intermediate,
        vocab=vocab,
        rope_theta=1e6,
        rope_scaling=None,
        norm_eps=1e-6,
        qkv_bias=True,
        context_tokens=32_768,
    )


# As in the published config.json files; the head of the first two is the embedding.
SHAPES = {
    "0.5b": shape(24, 896, 14, 2, 4864, 151_936),
    "1.5b": shape(28, 1536, 12, 2, 8960, 151_936),
    "7b": shape(28, 3584, 28, 4, 18_944, 152_064),
    "tiny": shape(2, 64, 4, 2, 128, 512),
}
_TIED = ("0.5b", "1.5b", "tiny")


def random_source(a: Architecture, device: torch.device, *, tied: bool) -> WeightSource:
    """Random weights of an architecture, made on a device when asked for."""
    width, kv_width = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
    sizes: dict[str, tuple[int, ...]] = {
        "embed": (a.vocab, a.hidden), "head": (a.vocab, a.hidden), "q": (width, a.hidden), "k": (kv_width, a.hidden),
        "v": (kv_width, a.hidden), "o": (a.hidden, width), "gate": (a.intermediate, a.hidden),
        "up": (a.intermediate, a.hidden), "down": (a.hidden, a.intermediate), "q.bias": (width,), "k.bias": (kv_width,),
        "v.bias": (kv_width,),
    }  # fmt: skip

    def tensor(name: str) -> torch.Tensor:
        part = name.split(".", 2)[2] if name.startswith("layers.") else name
        if part.endswith("norm"):
            return torch.ones(a.hidden, device=device)
        seed = torch.Generator(device).manual_seed(hash_of("embed" if tied and name == "head" else name))
        return torch.randn(sizes[part], device=device, generator=seed) * _STD

    return WeightSource(a, "", {}, (), None, tied, tensor)


def hash_of(name: str) -> int:
    """The same number for a name in every run."""
    return sum((index + 1) * ord(letter) for index, letter in enumerate(name))


def load(weights: WeightSource, rung: str, device: torch.device) -> GpuDecoder:
    """One rung's decoder."""
    tensors: dict[str, torch.Tensor] = {}
    for part in gpu_parts(weights, rung.removesuffix("_plain")):
        tensors |= {name: tensor.to(device) for name, tensor in part.items()}
    return gpu_decoder(weights.architecture, tensors, capture=eager if rung.endswith("_plain") else None)


class Timed:
    """A decoder with one session's keys and values, timed from outside: each result waits for the device."""

    def __init__(self, decoder: Decoder, plan: Plan) -> None:
        self._decoder, self._plan = decoder, plan
        self._kv = decoder.new_kv(max(*plan.depths, plan.position) + 64 * _BATCH)
        self._ids = [token_id % decoder.architecture.vocab for token_id in some_ids(max(plan.depths))]

    @property
    def kv_bytes(self) -> int:
        """Memory of the session's keys and values."""
        return self._kv.n_bytes

    def first_token_ms(self, n: int) -> float:
        """From a prompt of n tokens, nothing of it known, to its first token."""
        return self._median(lambda: self._prefill(n), max(2, self._plan.repetitions // 2))

    def decode_ms(self) -> float:
        """A step of one token behind the position."""
        self._prefill(self._plan.position)
        return self._median(lambda: self._steps(self._plan.position, self._plan.steps)) / self._plan.steps

    def batch_ms(self) -> float:
        """A step of one token of each of 8 sequences that share a prompt."""
        n, capacity = self._plan.position, self._kv.capacity
        room = (capacity - n) // _BATCH
        starts = [n + index * room for index in range(_BATCH)]
        n_steps = min(self._plan.steps, room - 1)

        def run() -> None:
            for step in range(n_steps):
                spans = [Span(1, ((0, n), (start, start + step)), start + step) for start in starts]
                ids, positions = np.array(self._ids[:_BATCH]), np.full(_BATCH, n + step)
                self._decoder.greedy(run_to_end(self._decoder.forward(ids, positions, self._kv, spans)))

        self._prefill(n)
        return self._median(run) / n_steps

    def warm_line_ms(self, n: int) -> float:
        """A request whose prompt of n tokens is known but for the last few: up to the end of a line."""

        def run() -> None:
            self._decoder.greedy(self._run(n - _TYPED_TOKENS, _TYPED_TOKENS)[-1:])
            self._steps(n, _LINE_TOKENS - 1)

        self._prefill(n)
        run()
        return self._median(run)

    def n_allocations(self) -> int:
        """What the decode loop asks the card's allocator for."""
        self._steps(self._plan.position, 4)
        before = torch.cuda.memory_stats()["allocation.all.allocated"]
        self._steps(self._plan.position, self._plan.steps)
        return int(torch.cuda.memory_stats()["allocation.all.allocated"] - before)

    def _prefill(self, n: int) -> None:
        size = self._decoder.chunks.prefill
        for begin in range(0, n, size):
            hidden = self._run(begin, min(size, n - begin))
        self._decoder.greedy(hidden[-1:])

    def _steps(self, position: int, n: int) -> None:
        for step in range(n):
            self._decoder.greedy(self._run(position + step, 1))

    def _run(self, begin: int, n: int) -> States:
        return run_once(self._decoder, self._ids[:n], self._kv, position=begin, write=begin, attend=((0, begin),))

    def _median(self, run: Callable[[], None], repetitions: int | None = None) -> float:
        run()
        times = []
        for _ in range(repetitions or self._plan.repetitions):
            started = time.perf_counter()
            run()
            times.append((time.perf_counter() - started) * 1e3)
        return median(times)


def measure(decoder: GpuDecoder, plan: Plan) -> dict[str, float]:
    """All figures of one rung."""
    timed = Timed(decoder, plan)
    figures = {
        "decode_ms": timed.decode_ms(),
        "allocations": float(timed.n_allocations()) if decoder.device.type == "cuda" else 0.0,  # else nobody counts
        "batch_ms": timed.batch_ms(),
    }
    for depth in plan.depths:
        figures[f"ttft_{depth}_ms"] = timed.first_token_ms(depth)
    figures[f"warm_line_{max(plan.depths)}_ms"] = timed.warm_line_ms(max(plan.depths))
    figures["decode_tok_s"] = 1e3 / figures["decode_ms"]
    figures["batch_tok_s"] = _BATCH * 1e3 / figures["batch_ms"]
    figures["memory_mb"] = memory_mb(decoder, timed)
    return figures


def memory_mb(decoder: GpuDecoder, timed: Timed) -> float:
    """The most that a card's memory held; on the processor, of keys and values alone."""
    if decoder.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return timed.kv_bytes / 1e6


def nll(decoder: GpuDecoder, ids: Sequence[int]) -> float:
    """Mean negative log-likelihood of ids[1:], each given all before it."""
    return -mean(logprobs(decoder, ids))


def run(
    *, device: str, shapes: Sequence[str], models: Sequence[str], rungs: Sequence[str], plan: Plan, out: Path | None
) -> int:
    """Measure, print the tables and the JSON line; EvalError when there is no such device."""
    console = Console()
    card = _card(device)
    torch.set_num_threads(n_cores())
    results: dict[str, dict[str, dict[str, float]]] = {}
    with open_results("ladder", out) as file, torch.inference_mode():
        for name in [*shapes, *models]:
            for rung in rungs or RUNGS:
                if (figures := _rung(name, rung, torch.device(device), plan, console)) is not None:
                    results.setdefault(name, {})[rung] = figures
                    file.add({"id": f"{name} {rung}", **figures})
            if name in results:
                console.print(table_of(name, results[name], plan))
        file.finish({"device": device, "card": card, "torch": torch.__version__} | keys_of(results, plan))
    return 0


def _card(device: str) -> str:
    if device == "cpu":
        return ""
    try:
        return find_card().name
    except CardError as error:
        raise EvalError(str(error)) from error


def _rung(name: str, rung: str, device: torch.device, plan: Plan, console: Console) -> dict[str, float] | None:
    console.print(f"[dim]{name}: {rung}[/]")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        if name in SHAPES:
            return measure(load(random_source(SHAPES[name], device, tied=name in _TIED), rung, device), plan)
        return _real(name, rung, device, plan)
    except torch.OutOfMemoryError:
        console.print(f"{name} {rung}: left out, it does not fit into the card's memory")
        return None
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _real(name: str, rung: str, device: torch.device, plan: Plan) -> dict[str, float]:
    source = resolve(name)
    with open_weights(source, fetch(source)) as weights:
        decoder = load(weights, rung, device)
        text = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("*.py")))
        ids = Tokenizer.from_str(weights.tokenizer_json).encode(text[: 8 * _NLL_TOKENS]).ids[:_NLL_TOKENS]
        return measure(decoder, plan) | {"nll": nll(decoder, ids)}


def keys_of(results: dict[str, dict[str, dict[str, float]]], plan: Plan) -> dict[str, Any]:
    """The JSON line: the named keys are of the first shape, at its fastest rung; every figure stands behind them."""
    keys: dict[str, Any] = {}
    for name, rungs in results.items():
        ending = "" if not keys else "_" + name.replace(".", "_")
        best = max((row for rung, row in rungs.items() if rung != "fp32_plain"), key=lambda row: row["decode_tok_s"])
        keys[f"gpu_decode_tok_s{ending}"] = best["decode_tok_s"]
        keys[f"gpu_ttft_16k_ms{ending}"] = best[f"ttft_{max(plan.depths)}_ms"]
        keys[f"gpu_warm_line_16k_ms{ending}"] = best[f"warm_line_{max(plan.depths)}_ms"]
        for key, rung, base in (
            ("int8_over_fp32", "llmint8", "fp32"),
            ("int4_over_fp32", "nf4", "fp32"),
            ("int4_everything_over_fp32", "nf4", "fp32_plain"),
        ):
            if rung in rungs and base in rungs:
                keys[key + ending] = rungs[base]["decode_ms"] / rungs[rung]["decode_ms"]
    return keys | {"rungs": results}


def table_of(name: str, rungs: dict[str, dict[str, float]], plan: Plan) -> Table:
    """One row a rung."""
    depths = [f"first of {depth // 1024}k" if depth >= 1024 else f"first of {depth}" for depth in plan.depths]
    table = Table("weights", "tok/s", "tok/s of 8", *depths, "warm line", "memory", "NLL", title=name)
    for rung, row in rungs.items():
        table.add_row(
            rung,
            f"{row['decode_tok_s']:.0f}",
            f"{row['batch_tok_s']:.0f}",
            *(f"{row[f'ttft_{depth}_ms']:.0f} ms" for depth in plan.depths),
            f"{row[f'warm_line_{max(plan.depths)}_ms']:.0f} ms",
            f"{row['memory_mb']:.0f} MB",
            f"{row['nll']:.3f}" if "nll" in row else "-",
        )
    return table


def quick(plan: Plan) -> Plan:
    """For a try: short prompts and few repetitions."""
    return replace(plan, depths=(256, 512), position=64, repetitions=2, steps=4)
