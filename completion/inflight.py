"""Requests under way: a user who types on while the model works, and types what it is writing, need not start over.

A completion runs in a task of its own. A request has patience for some time only: then what there is by then is the
answer, if that is anything, and the task goes on for the next key. When its request is cancelled because the next
key came, the task lives on for a moment; a request that goes on from the same place with text that agrees with what has
been generated so far joins it, and is answered from the reuse cache. A request that does not agree ends it. An
invoked request ends one that an automatic request began.

What is computed ahead (`ahead.py`) is known here, too: the session's next completion ends it at once. A request that is
answered from memory does not: a user who types what is shown will want what comes after it.

Rules: one completion, and one work ahead, per session. A completion whose last request has gone ends within a fraction
of a second.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from completion.types import Completion, CompletionRequest, Trigger

# After a cancel, how long a newer request may take to come: editors send it right after, typists within this.
_LINGER_S = 0.3


class Work(Protocol):
    """One completion that is being made."""

    @property
    def text(self) -> str:
        """What was generated so far, from the cursor on."""
        ...

    async def run(self, on_growth: Callable[[], None]) -> Completion:
        """Make it; `on_growth` is called whenever there is more of it."""
        ...

    async def so_far(self, n_known: int) -> Completion | None:
        """What can be shown of it by now, if that is more than so many characters."""
        ...


@dataclass(slots=True)
class _Running:
    request: CompletionRequest
    work: Work
    task: "asyncio.Task[Completion]"
    impatient_at: float | None  # on the event loop's clock: from then on what there is will do
    grew: asyncio.Event = field(default_factory=asyncio.Event)
    n_waiting: int = 0
    is_answered: bool = False  # in part: it goes on without a request


@dataclass(frozen=True, slots=True)
class _Ahead:
    about: tuple[str, int]  # the text and the cursor that it is computed for
    task: "asyncio.Task[None]"


class InFlight:
    """The completions under way, by session, and what is computed ahead."""

    def __init__(self, on_whole: Callable[[CompletionRequest, Completion], None] = lambda request, whole: None) -> None:
        """`on_whole` hears of a completion that comes to its end after it was shown in part."""
        self._on_whole = on_whole
        self._running: dict[str, _Running] = {}
        self._ahead: dict[str, _Ahead] = {}

    async def run(self, request: CompletionRequest, work: Work, patience_s: float | None) -> Completion:
        """Run a completion, and end the session's older one; what there is of it after `patience_s`, if anything."""
        self.cancel(request.session)
        grew = asyncio.Event()
        running = _Running(request, work, asyncio.create_task(work.run(grew.set)), _in(patience_s), grew)
        self._running[request.session] = running
        running.task.add_done_callback(lambda task: self._ended(running))
        with self._waiting(running):
            while not running.task.done():
                await _grown(running, running.impatient_at)
                if not running.task.done() and _is_past(running.impatient_at) and (part := await _part(running, 0)):
                    return part
        return await running.task

    async def join(self, request: CompletionRequest, *, is_patient: bool) -> bool:
        """Wait for the session's completion as long as this request agrees with it; True when it has an answer for it:
        its end, or when its time is over more than was typed of it. One that does not agree is ended.

        The time is that of the request which began it: with keys that come sooner, one each, no ghost would be seen.
        """
        running = self._running.get(request.session)
        if running is None:
            return False
        impatient_at = None if is_patient else running.impatient_at
        typed = typed_since(running.request, request)
        if request.trigger is Trigger.INVOKED and running.request.trigger is not Trigger.INVOKED:
            typed = None
        with self._waiting(running):
            while typed is not None and _agree(running.work.text, typed):
                if running.task.done():
                    return not running.task.cancelled() and running.task.exception() is None
                if _is_past(impatient_at) and await _part(running, len(typed)):
                    return True
                await _grown(running, impatient_at)
        self.cancel(request.session)
        return False

    def is_wanted_again(self, request: CompletionRequest) -> bool:
        """Whether an invoked request comes where the completion of an earlier one is being made: for the rest."""
        running = self._running.get(request.session)
        return (
            running is not None
            and request.trigger is running.request.trigger is Trigger.INVOKED
            and typed_since(running.request, request) == ""
        )

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
        self._cancel_ahead(session)

    def leave(self, session: str, text: str, cursor: int) -> None:
        """The cursor went to an offset of the document: what is computed ahead ends, and what goes on behind an answer
        that was shown in part, unless the cursor came there by typing what that says.

        It would be in the way of what is read at the new place, and push it out of the session.
        """
        running = self._running.get(session)
        if running is not None and not running.n_waiting:
            typed = _typed_between(running.request, text, cursor)
            if typed is None or not _agree(running.work.text, typed):
                self.cancel(session)
        self._cancel_ahead(session)

    def _cancel_ahead(self, session: str) -> None:
        """End what is computed ahead in a session."""
        if ahead := self._ahead.pop(session, None):
            ahead.task.cancel()

    def cancel_all(self) -> None:
        """End everything."""
        for session in {*self._running, *self._ahead}:
            self.cancel(session)

    @contextmanager
    def _waiting(self, running: _Running) -> Iterator[None]:
        """Around a request that waits for the task; when the last has gone, the task ends soon."""
        running.n_waiting += 1
        try:
            yield
        finally:
            running.n_waiting -= 1
            if not running.n_waiting and not running.task.done():
                asyncio.get_running_loop().call_later(_LINGER_S, self._end_unless_wanted, running)

    def _end_unless_wanted(self, running: _Running) -> None:
        if not running.n_waiting and not running.is_answered:
            running.task.cancel()

    def _ended(self, running: _Running) -> None:
        running.grew.set()
        if self._running.get(running.request.session) is running:
            del self._running[running.request.session]
        if running.task.cancelled() or running.task.exception() is not None:  # seen by the requests that wait
            return
        if running.is_answered:
            self._on_whole(running.request, running.task.result())


async def _grown(running: _Running, impatient_at: float | None) -> None:
    """Wait for more of it, its end or, before it, the end of the patience. The task survives a cancel."""
    left_s = None if impatient_at is None or _is_past(impatient_at) else impatient_at - _now()
    growth = asyncio.ensure_future(running.grew.wait())
    try:
        await asyncio.wait({running.task, growth}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        growth.cancel()
        running.grew.clear()


async def _part(running: _Running, n_known: int) -> Completion | None:
    """What can be shown by now, if that is more than so many characters. The completion goes on."""
    part = await running.work.so_far(n_known)
    running.is_answered |= part is not None
    return part


def _now() -> float:
    return asyncio.get_running_loop().time()


def _in(seconds: float | None) -> float | None:
    return None if seconds is None else _now() + seconds


def _is_past(at: float | None) -> bool:
    return at is not None and _now() >= at


def _agree(generated: str, typed: str) -> bool:
    return generated.startswith(typed) or typed.startswith(generated)


def typed_since(old: CompletionRequest, new: CompletionRequest) -> str | None:
    """What was typed between two requests' cursors when nothing else changed; None when something did."""
    is_same = new.mode == old.mode and new.snapshot.uri == old.snapshot.uri
    return _typed_between(old, new.snapshot.text, new.cursor) if is_same else None


def _typed_between(old: CompletionRequest, text: str, cursor: int) -> str | None:
    before = old.snapshot.text
    is_typed = (
        cursor >= old.cursor and text[cursor:] == before[old.cursor :] and text[: old.cursor] == before[: old.cursor]
    )
    return text[old.cursor : cursor] if is_typed else None
