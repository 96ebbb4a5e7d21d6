"""Runs a coroutine of a test to its end; one that hangs fails."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_LONGEST_S = 20


def run(awaited: Coroutine[Any, Any, T]) -> T:
    """Its result."""
    return asyncio.run(asyncio.wait_for(awaited, _LONGEST_S))


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it does; the test's own end is the limit."""
    while not holds():  # noqa: ASYNC110  # what it waits for has no event
        await asyncio.sleep(0.005)
