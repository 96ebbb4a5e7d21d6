"""Measures a typical completion on the processor and on the graphics card, for `midfill bench --quick`.

What is faster is kept in the cache, where `device: auto` finds it (`model.engine.device.choose`). On the card kinds of
weights are tried from the most exact on: the first that answers within _INSTANT_MS is taken, else the fastest.
"""

from collections.abc import Callable, Mapping

import torch

from evals.bench.ladder import Plan, Timed
from model.decoders.interface import Decoder
from model.engine.device import Card, CardError, Measured, failure, find_card, write_measured
from model.engine.score import Scorer
from model.library.catalog import ModelError, resolve
from model.library.fetch import fetch
from model.weights.gpu_store import load_gpu
from model.weights.prepare import ensure_store

# A difference of less is not noticed while typing; then a more exact kind is worth more than a faster one.
_INSTANT_MS = 60.0
_PROMPT_TOKENS = 2048
_KINDS = ("bf16", "nf4")


def choose_device(model: str, probe: Callable[[], Card] = find_card) -> str:
    """Measure, keep the result, and say in words what `auto` will use from now on."""
    try:
        card = probe()
    except CardError as error:
        return f"device: the processor ({error})"
    source = resolve(model)
    cpu_ms = typical_ms(Scorer.open(model).decoder)
    cuda_ms: dict[str, float] = {}
    reasons: list[str] = []
    for kind in _KINDS:
        try:
            store = ensure_store(source, fetch(source), kind, lambda done: None)
            cuda_ms[kind] = typical_ms(load_gpu(store, torch.device("cuda")))
        except (RuntimeError, ModelError) as error:
            reasons.append(f"{kind}: {failure(error) or error}")
    measured = decide(card.name, cpu_ms, cuda_ms)
    if measured is None:
        return f"device: the processor ({'; '.join(reasons)})"
    write_measured(source.model_id, measured)
    where = f"the {card.name} in {measured.kind}" if measured.device == "cuda" else "the processor"
    return f"device: {where} ({measured.cuda_ms:.0f} ms a line on the card, {cpu_ms:.0f} ms on the processor)"


def decide(card: str, cpu_ms: float, cuda_ms: Mapping[str, float]) -> Measured | None:
    """What to use, given milliseconds of a line by kind of weights, most exact first; None when the card ran none."""
    if not cuda_ms:
        return None
    instant = next((kind for kind, ms in cuda_ms.items() if ms <= _INSTANT_MS), None)
    kind = instant or min(cuda_ms, key=lambda each: cuda_ms[each])
    device = "cuda" if cuda_ms[kind] < cpu_ms else "cpu"
    return Measured(card=card, device=device, kind=kind, cpu_ms=cpu_ms, cuda_ms=cuda_ms[kind])


def typical_ms(decoder: Decoder, n_prompt: int = _PROMPT_TOKENS) -> float:
    """Median milliseconds from a key to the end of a line: a few new tokens behind a known prompt, then one by one."""
    return Timed(decoder, Plan(depths=(n_prompt,), position=n_prompt)).warm_line_ms(n_prompt)
