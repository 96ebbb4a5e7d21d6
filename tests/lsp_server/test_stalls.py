"""The waits for the event loop: how they are counted, and that a stall is seen whoever makes it."""

import asyncio
import time

import pytest

from lsp_server import stalls
from lsp_server.stalls import PERIOD_S, StallMonitor, WaitHistogram


def histogram(*waits_ms: float) -> WaitHistogram:
    made = WaitHistogram()
    for wait in waits_ms:
        made.add(wait)
    return made


@pytest.mark.parametrize("wait_ms", [0.0003, 0.01, 0.0101, 1.0, 4.9, 5.0, 123.4, 99_000.0, 10_000_000.0])
def test_a_quantile_is_never_too_low_and_at_most_a_step_too_high(wait_ms: float) -> None:
    found = histogram(wait_ms, wait_ms, 2e7).quantile_ms(0.5)
    if wait_ms < 1e5:  # beyond that all is one step
        assert found <= max(0.01, wait_ms * 1.13)
    assert found >= min(wait_ms, 1e5)


def test_quantiles_are_of_the_share_that_is_asked_for() -> None:
    waits = histogram(*[0.1] * 990, *[3.0] * 9, 700.0)
    assert waits.quantile_ms(0.5) == pytest.approx(0.1, rel=0.13)
    assert waits.quantile_ms(0.99) == pytest.approx(0.1, rel=0.13)
    assert waits.quantile_ms(0.999) == pytest.approx(3.0, rel=0.13)
    assert (waits.quantile_ms(1.0), waits.max_ms, waits.n) == (700.0, 700.0, 1000)


def test_without_waits_all_is_zero_and_a_timer_that_is_early_waited_for_nothing() -> None:
    assert StallMonitor().summary() == {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0, "n": 0}
    assert histogram(-3.0).max_ms == 0.0


def test_a_stall_counts_for_every_timer_that_fell_into_it() -> None:
    monitor = StallMonitor()
    monitor._note(3.5 * PERIOD_S)
    assert monitor.waits.n == 4
    assert monitor.waits.max_ms == pytest.approx(3.5e3 * PERIOD_S)
    assert monitor.waits.quantile_ms(0.25) == pytest.approx(0.5e3 * PERIOD_S, rel=0.13)


def test_a_blocked_loop_is_seen() -> None:
    async def scenario() -> dict[str, float]:
        monitor = StallMonitor()
        monitor.watch()
        await asyncio.sleep(3 * PERIOD_S)
        time.sleep(0.2)  # noqa: ASYNC251  what must not happen
        await asyncio.sleep(3 * PERIOD_S)
        return monitor.summary()

    assert asyncio.run(scenario())["max"] >= 1e3 * (0.2 - PERIOD_S)


def test_it_samples_only_for_a_while_after_something_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "_AWAKE_S", 2 * PERIOD_S)

    async def scenario() -> list[float]:
        monitor, counts = StallMonitor(), []
        for _ in range(2):
            monitor.watch()
            monitor.watch()  # no second timer
            while monitor._is_sampling:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(PERIOD_S)
            counts.append(monitor.waits.n)
            await asyncio.sleep(5 * PERIOD_S)
            counts.append(monitor.waits.n)
        return counts

    first, still, second, end = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert 0 < first == still < second == end
