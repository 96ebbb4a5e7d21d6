"""Which mechanisms are off in this process: `MIDFILL_WITHOUT`, names of `completion.switches` with commas between.

For benchmarks, which set it for the servers that they start; it is no setting. Read by the server when it starts, and
by the evals, which run the path in their own process.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from completion.switches import Switch, switches

VARIABLE = "MIDFILL_WITHOUT"


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
