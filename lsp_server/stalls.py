"""Measures how long the event loop keeps what comes to it waiting: for `midfill/status`, doctor and `bench index`.

A timer is due every few milliseconds; how late it runs is what a key would have waited that had come at that moment,
whatever blocked the loop: a callback, or a thread that held the interpreter's lock. A stall longer than the period also
counts for the timers that fell into it (Tene's coordinated omission): so percentiles are over moments, not over timers.

Rules: it samples only for a few seconds after a document was opened or changed or a completion asked for, so that an
idle editor is never woken. A wait is overestimated by up to a millisecond, to which the loop rounds its timers up, and
the longest one underestimated by up to a period.
"""

import asyncio
import json
import math
import sys

# A wake-up costs about what two sleeps cost: 110 us in a nested virtual machine, where a mere `time.sleep` takes
# 40 us of processor time. That is 1 % of a core there while the user types, and nothing otherwise.
PERIOD_S = 0.010
# A choice of context begins 1.5 s after the last key, and belongs to what a key meets that comes then.
_AWAKE_S = 3.0
# Steps of 12 %, from 10 us to 100 s.
_SMALLEST_MS, _PER_DECADE, _N_STEPS = 0.01, 20, 140


class WaitHistogram:
    """Waits in milliseconds, in steps of 12 %: a fixed size, however many there are."""

    def __init__(self) -> None:
        self._counts = [0] * (_N_STEPS + 1)
        self.n = 0
        self.max_ms = 0.0

    def add(self, wait_ms: float) -> None:
        """Count a wait; a negative one is none."""
        wait_ms = max(0.0, wait_ms)
        step = math.ceil(_PER_DECADE * math.log10(wait_ms / _SMALLEST_MS)) if wait_ms > _SMALLEST_MS else 0
        self._counts[min(step, _N_STEPS)] += 1
        self.n += 1
        self.max_ms = max(self.max_ms, wait_ms)

    def quantile_ms(self, share: float) -> float:
        """What such a share of the waits is not above: never too low, too high by at most 12 %; 0 without any."""
        rank, seen = math.ceil(share * self.n), 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return min(self.max_ms, _SMALLEST_MS * 10 ** (step / _PER_DECADE))
        return 0.0


class StallMonitor:
    """The waits of one event loop. All methods are called on that loop."""

    def __init__(self) -> None:
        self.waits = WaitHistogram()
        self._until = 0.0  # the loop's time until which it samples
        self._is_sampling = False

    def watch(self) -> None:
        """Something goes on: sample for the next seconds."""
        loop = asyncio.get_running_loop()
        self._until = loop.time() + _AWAKE_S
        if not self._is_sampling:
            self._is_sampling = True
            self._sample_next(loop)

    def summary(self) -> dict[str, float]:
        """The waits so far: p50, p99, p999 and max in milliseconds, and how many (`n`)."""
        quantiles = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
        found = {name: round(self.waits.quantile_ms(share), 2) for name, share in quantiles.items()}
        return {**found, "max": round(self.waits.max_ms, 2), "n": self.waits.n}

    def _sample_next(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + PERIOD_S
        loop.call_at(due, self._sample, loop, due)

    def _sample(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._note(now - due)
        self._is_sampling = now < self._until
        if self._is_sampling:
            self._sample_next(loop)

    def _note(self, late_s: float) -> None:
        """Count how late a timer ran, and the timers that would have been due meanwhile."""
        for n_periods in range(1 + max(0, int(late_s / PERIOD_S))):
            self.waits.add(1e3 * (late_s - n_periods * PERIOD_S))


async def _waits_of_an_idle_loop(seconds: float) -> dict[str, float]:
    monitor = StallMonitor()
    end = asyncio.get_running_loop().time() + seconds
    while (left_s := end - asyncio.get_running_loop().time()) > 0:
        monitor.watch()
        await asyncio.sleep(min(left_s, _AWAKE_S / 2))
    return monitor.summary()


if __name__ == "__main__":  # for so many seconds: what a process that does nothing else waits on this machine
    sys.stdout.write(json.dumps(asyncio.run(_waits_of_an_idle_loop(float(sys.argv[1])))))
