"""Tasks that are not awaited: how one ends is seen at once, and one that is for good does not end.

asyncio tells of a failed task when it is collected, if ever. Rules: a task has a name that says what it
does. It turns failures that can be foreseen into a state and a next try by itself: what is logged here is a bug.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


def start(work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
    """A task for `work`; an exception that ends it is logged when it does."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_see)
    return task


async def again_and_again(
    step: Callable[[], Coroutine[Any, Any, None]], on_failure: Callable[[Exception], None], pause_s: float
) -> None:
    """Take a step after the other until cancelled. After one that raised: `on_failure`, a pause, and the next one."""
    while True:
        try:
            await step()
        except Exception as error:
            log.exception("a step of a task failed")
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # it failed in cleaning up after the cancel
                raise asyncio.CancelledError from error
            on_failure(error)
            await asyncio.sleep(pause_s)


def _see(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the task %r ended: %s", task.get_name(), error, exc_info=error)
