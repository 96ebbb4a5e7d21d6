"""The timings of `midfill bench`: prefill, steps by depth of context, and what a token costs at a depth.

A context of 16k tokens is made by prefilling 512 and copying their keys and values on (`fill` of the workers),
alike in every engine: the cells are as many, and of the same kind, as if they had been prefilled, which would
take llama.cpp minutes for every setting. What they hold does not change the time of a step.

Rules: repetitions are interleaved, so that a slow minute hits all engines, and only one computes at a time.
Of prefills, all settings of a peer run once at the smallest size; near the best they run again, the best of
each kind of attention goes on to the next size if it is near, and the best one of that to the largest. Steps are taken
with flash attention on and off: micro-batches are larger than a step.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evals.bench.contender import OURS, Contender, Settings

STEP_POSITION = 512
_STEP_SAMPLES, _DEEP_STEP_SAMPLES = 5, 2  # per repetition: a step takes milliseconds, a prefill seconds
# A kind of attention this much slower than the other at one size of prefill is not tried at the next.
_WORTH_TAKING_ON = 1.25
_LARGE = 4096  # prefills of more tokens than this run once
_SETTLE_S = 0.2  # an engine's threads spin for some milliseconds after their work
_DEPTH_SAMPLES = 2
DEPTHS = (1024, 4096, 8192, 16_384)
CHUNK_TOKENS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run measures."""

    prefills: tuple[int, ...] = (512, 2048, 8192)
    steps: tuple[int, ...] = (1, 4, 8)
    positions: tuple[int, ...] = (16_384, 4096, STEP_POSITION)  # descending: each is a cut of the one before
    depths: tuple[int, ...] = DEPTHS
    n_windows: int = 2
    repetitions: int = 3

    @property
    def n_ctx(self) -> int:
        """Room for the deepest figure, in whole blocks of 256."""
        return max(*self.prefills, *self.positions, *self.depths, 2304) + 512


def quick_plan(repetitions: int) -> Plan:
    """A few minutes: no depth, and less of the workload."""
    return Plan(prefills=(512,), positions=(STEP_POSITION,), depths=(), n_windows=1, repetitions=repetitions)


def step_figure(n: int, position: int) -> str:
    """Name of a figure: `step_4` stands behind STEP_POSITION tokens, `step_4_at_4096` behind so many."""
    return f"step_{n}" if position == STEP_POSITION else f"step_{n}_at_{position}"


def time_prefills(contenders: Sequence[Contender], ids: list[int], plan: Plan) -> None:
    """Sample prefill_<n> of every contender."""
    for contender in contenders:  # warm-up: pages, allocator, clocks
        contender.worker.ask("time_prefill", ids=ids[:128])
    for index, size in enumerate(plan.prefills):
        figure = f"prefill_{size}"
        smaller = f"prefill_{plan.prefills[index - 1]}" if index else None
        for repetition in range(1 if size > _LARGE else plan.repetitions):
            for contender in contenders:
                chosen = contender.worth_repeating(figure) if repetition else _first(contender, smaller, index)
                for settings in chosen:
                    contender.use(settings)
                    time.sleep(_SETTLE_S)
                    contender.measure(figure, "time_prefill", ids=ids[:size])


def _first(contender: Contender, smaller: str | None, index: int) -> list[Settings]:
    """The settings that a size begins with: all at the smallest, then two, then one."""
    if smaller is None:
        return list(contender.settings)
    if index > 1:
        return [contender.best_settings(smaller)]
    near = contender.worth_repeating(smaller, _WORTH_TAKING_ON)
    best = dict.fromkeys(contender.best_settings(smaller, kind) for kind in ("on", "off"))
    return [settings for settings in best if settings in near]


def time_steps(contenders: Sequence[Contender], ids: list[int], plan: Plan) -> None:
    """Sample step_<n>[_at_<position>] of every contender, with each kind of attention of the peers."""
    for kind in ("on", "off"):
        for contender in contenders:
            contender.use(next(s for s in contender.settings if s is None or s.flash_attn == kind))
            contender.worker.ask("time_prefill", ids=ids[:STEP_POSITION])
        for _ in range(plan.repetitions):
            for contender in contenders:
                contender.worker.ask("fill", n=plan.positions[0])
            for position in plan.positions:
                for contender in contenders:
                    _time_steps_at(contender, position, ids, plan.steps)


def _time_steps_at(contender: Contender, position: int, ids: list[int], steps: tuple[int, ...]) -> None:
    time.sleep(_SETTLE_S)
    contender.worker.ask("time_step", ids=ids[:1], position=position)  # untimed: the others' work left the caches cold
    for _ in range(_STEP_SAMPLES if position == STEP_POSITION else _DEEP_STEP_SAMPLES):
        for n in steps:
            contender.measure(step_figure(n, position), "time_step", ids=ids[:n], position=position)


def time_depths(contenders: Sequence[Contender], ids: list[int], plan: Plan) -> None:
    """Sample chunk_at_<depth> of midfill: CHUNK_TOKENS more of a prefill that has come so far."""
    ours = next(c for c in contenders if c.name == OURS)
    for _ in range(min(plan.repetitions, _DEPTH_SAMPLES) if plan.depths else 0):
        ours.worker.ask("time_prefill", ids=ids[:STEP_POSITION])
        ours.worker.ask("fill", n=max(plan.depths))
        for depth in sorted(plan.depths, reverse=True):
            ours.measure(f"chunk_at_{depth}", "time_chunk", ids=ids[:CHUNK_TOKENS], position=depth)
