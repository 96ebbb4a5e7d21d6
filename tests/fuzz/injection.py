"""Counts the I/O calls and awaits of our own code while a scenario runs, and has the n-th of one place fail.

A place is a call of one of the wrapped callables, or a suspended await, with the function and line of ours that it
stands in. What fails there fails as the system, a library or another module may.

Rules: only what our packages call themselves counts, not what a library calls for them. First a run without a fault,
which says what places there are; then one with a fault each.
"""

import asyncio
import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Failure = Callable[[], Exception]
# Modules whose calls and awaits count.
OURS = (
    "model.",
    "lsp_server.index.",
    "lsp_server.usage.recorder",
    "lsp_server.usage.history",
    "lsp_server.workspace.workspaces",
)


def _os_error(number: int) -> Failure:
    return lambda: OSError(number, os.strerror(number))


def _raised(kind: type[Exception], *arguments: object) -> Failure:
    return lambda: kind(*arguments)


FILE = (_os_error(errno.EIO), _os_error(errno.EROFS), _os_error(errno.ENOENT))
STREAM = (_os_error(errno.ECONNRESET), _os_error(errno.EPIPE), _os_error(errno.EIO))
CONNECT = (_os_error(errno.ECONNREFUSED), _os_error(errno.EMFILE), _os_error(errno.ENOENT))
PROCESS = (_os_error(errno.EAGAIN), _os_error(errno.ENOENT), _os_error(errno.EACCES))
DATABASE = (_raised(sqlite3.OperationalError, "disk I/O error"), _raised(sqlite3.DatabaseError, "malformed"))
VALUE = (_raised(ValueError, "injected"), _os_error(errno.EIO))
AWAIT = (_os_error(errno.EIO), _raised(ValueError, "injected"), _raised(RuntimeError, "injected"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something may fail: what is called, and by whom."""

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The `number`-th time at a place, counted from 1, ends with one of its failures."""

    place: Place
    number: int
    failure: Failure

    def __str__(self) -> str:
        return f"{self.place.what} #{self.number} in {self.place.where}: {self.failure()!r}"


class Injector:
    """What the wrapped callables ask. It counts, and when it is armed one of the calls fails."""

    def __init__(self) -> None:
        self.seen: Counter[Place] = Counter()
        self.failures: dict[Place, tuple[Failure, ...]] = {}
        self.hit = False
        self._fault: Fault | None = None
        self._lock = threading.Lock()

    def arm(self, fault: Fault | None) -> None:
        """Begin to count anew; the fault, if any, comes once."""
        with self._lock:
            self.seen.clear()
            self._fault, self.hit = fault, False

    def meet(self, place: Place, failures: tuple[Failure, ...]) -> Exception | None:
        """One more time at a place; the exception to end it with, or None."""
        with self._lock:
            self.seen[place] += 1
            self.failures[place] = failures
            fault = self._fault
            if fault is None or self.hit or fault.place != place or fault.number != self.seen[place]:
                return None
            self.hit = True
            return fault.failure()

    def faults(self, most_per_place: int) -> list[Fault]:
        """All faults that the last run had places for."""
        with self._lock:
            return [
                Fault(place, number, failure)
                for place, n_times in sorted(self.seen.items(), key=lambda item: (item[0].where, item[0].what))
                for number in range(1, min(n_times, most_per_place) + 1)
                for failure in self.failures[place]
            ]


def _is_ours(module: str) -> bool:
    return module.startswith(OURS)


def _place_of(frame: FrameType | None, what: str) -> Place | None:
    """The place of a call from this frame; None when it is none of ours."""
    if frame is None or not _is_ours(str(frame.f_globals.get("__name__", ""))):
        return None
    return Place(what, f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}:{frame.f_lineno}")


def _wrapped(injector: Injector, original: Callable[..., Any], what: str, failures: tuple[Failure, ...]) -> Any:
    is_async = asyncio.iscoroutinefunction(original)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        place = _place_of(sys._getframe(1), what)
        error = injector.meet(place, failures) if place is not None else None
        if error is None:
            return original(*arguments, **named)
        if is_async:
            return _raise(error)
        raise error

    return wrapper


async def _raise(error: Exception) -> None:
    raise error


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _targets() -> Iterator[tuple[Any, str, tuple[Failure, ...]]]:
    """The callables that may fail, each with where it is looked up and how it fails."""
    import builtins

    from model.engine import startup
    from model.engine.blocks import BlockStore
    from model.library import store
    from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer
    from model.link import address, spawn

    for name in ("open", "read_bytes", "read_text", "write_text", "write_bytes", "unlink", "mkdir", "replace",
                 "rename", "stat", "lstat", "chmod", "touch", "glob", "iterdir", "rmdir"):  # fmt: skip
        yield Path, name, FILE
    for name in ("open", "replace", "rename", "scandir", "utime", "unlink", "stat", "fdopen", "makedirs", "walk"):
        yield os, name, FILE
    for owner, name in ((builtins, "open"), (tempfile, "mkstemp"), (tempfile, "mkdtemp"), (shutil, "rmtree")):
        yield owner, name, FILE
    for name in ("read", "readexactly", "readline", "__anext__"):
        yield asyncio.StreamReader, name, STREAM
    for name in ("write", "drain", "close", "wait_closed"):
        yield asyncio.StreamWriter, name, STREAM
    for name in ("open_unix_connection", "open_connection"):
        yield asyncio, name, CONNECT
    yield asyncio, "start_unix_server", FILE
    yield threading.Thread, "start", (_raised(RuntimeError, "can't start new thread"),)
    yield asyncio, "create_subprocess_exec", PROCESS
    yield spawn, "start_detached", PROCESS
    yield address, "connect", CONNECT
    yield store, "read_manifest", (_raised(store.StoreError, "injected"), *VALUE)
    yield VocabTokenizer, "open", (_raised(UnsupportedTokenizer, "injected"), *VALUE)
    yield startup, "fetch", FILE
    yield startup, "open_decoder", (*VALUE, _raised(MemoryError))
    yield BlockStore, "get", VALUE
    yield BlockStore, "put", VALUE


class _Connection(sqlite3.Connection):
    """A connection whose statements may fail: those of the library cannot be wrapped."""

    injector: Injector

    def execute(self, *arguments: Any) -> Any:
        self._meet("sqlite3 execute")
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._meet("sqlite3 executemany")
        return super().executemany(*arguments)

    def executescript(self, *arguments: Any) -> Any:
        self._meet("sqlite3 executescript")
        return super().executescript(*arguments)

    def commit(self) -> None:
        self._meet("sqlite3 commit")
        super().commit()

    def _meet(self, what: str) -> None:
        place = _place_of(sys._getframe(2), what)
        if place is not None and (error := self.injector.meet(place, DATABASE)) is not None:
            raise error


class _Faulty(Coroutine[Any, Any, Any]):
    """A coroutine of ours, one of whose awaits may end with an exception."""

    def __init__(self, inner: Coroutine[Any, Any, Any], injector: Injector) -> None:
        self._inner, self._injector, self._is_started = inner, injector, False
        self.__qualname__ = getattr(inner, "__qualname__", "task")

    def send(self, value: Any) -> Any:
        if self._is_started and (place := self._suspended_at()) is not None:
            error = self._injector.meet(place, AWAIT)
            if error is not None:
                return self._inner.throw(error)
        self._is_started = True
        return self._inner.send(value)

    def throw(self, *arguments: Any) -> Any:
        return self._inner.throw(*arguments)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._inner.__await__()

    def _suspended_at(self) -> Place | None:
        """The innermost function of ours that waits."""
        found: Place | None = None
        waiting: Any = self._inner
        while waiting is not None:
            frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
            found = _place_of(frame, "await") or found
            waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
        return found


def _is_of_ours(code: CodeType) -> bool:
    parts = Path(code.co_filename).parts
    return "tests" not in parts and ("model" in parts or "lsp_server" in parts)


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Loops whose tasks of ours may fail at each await, and which tell `on_error` what nobody saw."""

    def __init__(self, injector: Injector, on_error: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._injector, self._on_error = injector, on_error

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        loop.set_task_factory(self._task)  # type: ignore[arg-type]
        loop.set_exception_handler(lambda loop, context: self._on_error(context))
        return loop

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Task[Any]":
        code = getattr(work, "cr_code", None)
        faulty = _Faulty(work, self._injector) if code is not None and _is_of_ours(code) else work
        return asyncio.Task(faulty, loop=loop, **more)


@contextmanager
def injected(injector: Injector, on_error: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Everything wrapped. `on_error` hears of failures that nobody saw: of tasks, callbacks and threads."""
    connect = sqlite3.connect
    kind = type("Connection", (_Connection,), {"injector": injector})

    def connect_wrapped(*arguments: Any, **named: Any) -> Any:
        place = _place_of(sys._getframe(1), "sqlite3 connect")
        if place is None:
            return connect(*arguments, **named)
        if (error := injector.meet(place, DATABASE)) is not None:
            raise error
        return connect(*arguments, **named, factory=kind)

    def on_thread(raised: threading.ExceptHookArgs) -> None:
        on_error({"message": f"the thread {raised.thread} ended", "exception": raised.exc_value})

    policy, hook = asyncio.get_event_loop_policy(), threading.excepthook
    with ExitStack() as stack:
        for owner, name, failures in list(_targets()):
            what = f"{getattr(owner, '__name__', owner)}.{name}"
            original = getattr(owner, name)
            wrapper = _wrapped(injector, original, what, failures)
            stack.enter_context(_replaced(owner, name, wrapper))
            for module in [m for n, m in list(sys.modules.items()) if _is_ours(f"{n}.") and m is not owner]:
                if module.__dict__.get(name) is original:  # imported by name
                    stack.enter_context(_replaced(module, name, wrapper))
        stack.enter_context(_replaced(sqlite3, "connect", connect_wrapped))
        asyncio.set_event_loop_policy(_Policy(injector, on_error))
        threading.excepthook = on_thread
        try:
            yield
        finally:
            asyncio.set_event_loop_policy(policy)
            threading.excepthook = hook
