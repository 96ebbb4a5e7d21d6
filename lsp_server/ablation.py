"""What benchmarks change of the servers that they start, through the environment; nothing here is a setting.

    MIDFILL_WITHOUT      mechanisms that are off: names of `completion.switches` with commas between
    MIDFILL_SLOW_MOTION  how many times longer the server waits for the model, where the typist takes so much longer for
                         everything: the model is then so many times faster for both of them

The first is read by the server when it starts and by the evals, which run the path in their own process.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from completion.switches import Switch, switches
from completion.types import Limits

VARIABLE, SLOW_MOTION = "MIDFILL_WITHOUT", "MIDFILL_SLOW_MOTION"


def without() -> frozenset[Switch]:
    """What is off; UnknownSwitch for a name that there is not."""
    return switches(os.environ.get(VARIABLE, "").split(","))


def switch_off(names: Sequence[str]) -> None:
    """Have these off in what this process runs and starts from now on; UnknownSwitch for a name that there is not."""
    if names:
        os.environ[VARIABLE] = ",".join(sorted(switches(names)))


@contextmanager
def switched_off(name: Switch) -> Iterator[None]:
    """Have one more off for a while."""
    before = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = ",".join(sorted({*without(), name}))
    try:
        yield
    finally:
        os.environ[VARIABLE] = before


def in_slow_motion(limits: Limits) -> Limits:
    """Budgets with their times as much longer as this process is to be slowed."""
    if not (times := os.environ.get(SLOW_MOTION)):
        return limits

    def longer(ms: int | None) -> int | None:
        return None if ms is None else round(ms * float(times))

    return replace(limits, deadline_ms=longer(limits.deadline_ms), patience_ms=longer(limits.patience_ms))
