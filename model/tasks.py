"""Tasks that nobody awaits: how one ends is seen at once, and by whoever follows the log.

asyncio tells of a failed task when it is collected, if ever. Rules: whoever starts such a task says in words what it
does, and its own loop turns failures into a state and a next try; what is logged here is a bug.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


def start(work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
    """A task for `work`; an exception that ends it is logged when it does."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_see)
    return task


def _see(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the task %r ended: %s", task.get_name(), error, exc_info=error)
