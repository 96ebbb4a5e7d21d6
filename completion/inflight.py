"""Requests under way: a user who types on while the model works, and types what it is writing, need not start over.

A completion runs in a task of its own. When its request is cancelled because the next key came, the task lives on for a
moment; a request that goes on from the same place with text that agrees with what has been generated so far
joins it, and is answered from the reuse cache when it is done. A request that does not agree ends it.

What is computed ahead (`ahead.py`) is known here, too: the session's next completion ends it at once. A request that is
answered from memory does not: who types what is shown will want what comes after it.

Rules: one completion, and one work ahead, per session. A completion that nobody waits for ends after a fraction of a
second.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from completion.types import Completion, CompletionRequest

# After a cancel, how long a newer request may take to come: editors send it right after, typists within this.
_LINGER_S = 0.3


@dataclass(slots=True)
class _Running:
    request: CompletionRequest
    task: "asyncio.Task[Completion]"
    text: str = ""  # generated so far, from the cursor on
    grew: asyncio.Event = field(default_factory=asyncio.Event)
    n_waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Ahead:
    about: tuple[str, int]  # the text and the cursor that it is computed for
    task: "asyncio.Task[None]"


class InFlight:
    """The completions under way, by session, and what is computed ahead."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._ahead: dict[str, _Ahead] = {}

    async def run(
        self,
        request: CompletionRequest,
        start: Callable[[Callable[[str], None]], Coroutine[Any, Any, Completion]],
    ) -> Completion:
        """Run a completion, and end the session's older one. `start` gets a function to be told the text so far."""
        self.cancel(request.session)

        def on_text(text: str) -> None:
            running.text = text
            running.grew.set()

        running = _Running(request, asyncio.create_task(start(on_text)))
        self._running[request.session] = running
        running.task.add_done_callback(lambda task: self._ended(running))
        await self._wait(running)
        return await running.task

    async def join(self, request: CompletionRequest) -> bool:
        """Wait for the session's completion as long as this request agrees with it; True when it came to its end.

        One that does not agree is ended.
        """
        running = self._running.get(request.session)
        if running is None:
            return False
        typed = typed_since(running.request, request)
        while typed is not None and _agree(running.text, typed):
            if running.task.done():
                return not running.task.cancelled() and running.task.exception() is None
            running.grew.clear()
            await self._wait(running, running.grew.wait())
        self.cancel(request.session)
        return False

    def run_ahead(
        self, session: str, about: tuple[str, int], start: Callable[[], Coroutine[Any, Any, None]]
    ) -> "asyncio.Task[None] | None":
        """Start work that the session's next completion ends; None when the same is under way or done already.

        `about` is the text and the cursor that it is for.
        """
        older = self._ahead.get(session)
        if older is not None and older.about == about:
            return None
        if older is not None:
            older.task.cancel()
        task = asyncio.create_task(start())
        self._ahead[session] = _Ahead(about, task)
        return task

    def cancel(self, session: str) -> None:
        """End the session's completion, and what is computed ahead in it."""
        if running := self._running.pop(session, None):
            running.task.cancel()
        if ahead := self._ahead.pop(session, None):
            ahead.task.cancel()

    def cancel_all(self) -> None:
        """End everything."""
        for session in {*self._running, *self._ahead}:
            self.cancel(session)

    async def _wait(self, running: _Running, earlier: Coroutine[Any, Any, Any] | None = None) -> None:
        """Wait, as one of those who do, for the task's end, or for something earlier. The task survives a cancel."""
        waiting: set[asyncio.Future[Any]] = {running.task}
        if earlier is not None:
            waiting.add(asyncio.ensure_future(earlier))
        running.n_waiting += 1
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.n_waiting -= 1
            for other in waiting - {running.task}:
                other.cancel()
            if not running.n_waiting and not running.task.done():
                asyncio.get_running_loop().call_later(_LINGER_S, self._end_unless_wanted, running)

    def _end_unless_wanted(self, running: _Running) -> None:
        if not running.n_waiting:
            running.task.cancel()

    def _ended(self, running: _Running) -> None:
        running.grew.set()
        if self._running.get(running.request.session) is running:
            del self._running[running.request.session]
        if not running.task.cancelled():
            running.task.exception()  # seen by whoever waits; nobody may


def _agree(generated: str, typed: str) -> bool:
    return generated.startswith(typed) or typed.startswith(generated)


def typed_since(old: CompletionRequest, new: CompletionRequest) -> str | None:
    """What was typed between two requests' cursors when nothing else changed; None when something did."""
    before, after = old.snapshot.text, new.snapshot.text
    same = (
        new.cursor >= old.cursor
        and new.mode == old.mode
        and new.snapshot.uri == old.snapshot.uri
        and after[new.cursor :] == before[old.cursor :]
        and after[: old.cursor] == before[: old.cursor]
    )
    return after[old.cursor : new.cursor] if same else None
