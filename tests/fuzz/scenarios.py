"""What is run with a fault in it: a model process and its client, an index worker and its client, the recorder.

Each scenario is a whole life, from the start to the end, after which the same is asked for once more: it must have
recovered by then. The model process runs in threads of this process, so that faults reach it.

Rules: a scenario returns its `Verdict` and raises nothing of what it tests. A request is lost that ends neither with
the answer nor with a sentence.
"""

import asyncio
import logging
import queue
import shutil
import sys
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from completion.types import EngineUnavailable, Format, Piece, Prompt
from lsp_server.documents.store import DocumentStore
from lsp_server.index import client as index_client
from lsp_server.index import worker
from lsp_server.index.client import IndexClient
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import folder_of
from lsp_server.index.state import IndexPhase, IndexState
from lsp_server.usage import history
from lsp_server.usage.recorder import Recorder
from model import daemon
from model.library import system
from model.library.paths import stores_dir
from model.link import client as engine_client
from model.link import spawn
from model.link.client import EngineClient, EngineState
from model.link.spawn import EngineSettings, socket_path
from model.weights import prepare

log = logging.getLogger(__name__)

# Far beyond what anything takes here: what is not there by then never comes.
HANG_S = 30.0


@dataclass(slots=True)
class Verdict:
    """What a run showed. `wrong` holds a sentence for everything that should not be."""

    n_asked: int = 0
    n_lost: int = 0
    n_hangs: int = 0
    wrong: list[str] = field(default_factory=list)


class _ThreadProcess:
    """Stands in for the Popen of a model process that runs in a thread here."""

    def __init__(self, command: list[str], log: object) -> None:
        self.returncode: int | None = None
        settings = daemon.settings_of(command[command.index("model.daemon") + 1 :])
        threading.Thread(target=self._run, args=(settings,), name="model process", daemon=True).start()

    def _run(self, settings: EngineSettings) -> None:
        code = 1  # as the interpreter ends with a traceback
        try:
            code = daemon.run(settings)
        except Exception:
            log.exception("the model process ended")
        finally:
            self.returncode = code

    def poll(self) -> int | None:
        return self.returncode


@contextmanager
def quick() -> Iterator[None]:
    """The same, with waits as a test can afford them, and model processes in threads of this process."""
    changed: list[tuple[Any, str, Any]] = [
        (engine_client, "_BACKOFF_FIRST_S", 0.02),
        (engine_client, "_BACKOFF_MOST_S", 0.1),
        (engine_client, "_RETRY_FAILED_S", 0.05),
        (index_client, "_FIRST_RETRY_S", 0.02),
        (index_client, "_SHARED_RETRY_S", 0.1),
        (history, "_BATCH_S", 0.01),
        (history, "_PAUSE_S", 0.0),
        (daemon, "_IDLE_CHECK_S", 0.02),
        (spawn, "start_detached", _ThreadProcess),
        (system, "be_nice", lambda niceness: None),
        (system, "on_termination", lambda loop, leave: None),  # signals reach the main thread alone
    ]
    with ExitStack() as stack:
        for owner, name, value in changed:
            stack.enter_context(mock.patch.object(owner, name, value))
        yield


async def _until(verdict: Verdict, what: str, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + HANG_S
    while not holds():
        if time.monotonic() > deadline:
            verdict.n_hangs += 1
            verdict.wrong.append(f"never {what}")
            return False
        await asyncio.sleep(0.005)
    return True


async def _in_time(verdict: Verdict, what: str, work: Awaitable[Any]) -> Any:
    try:
        return await asyncio.wait_for(work, HANG_S)
    except TimeoutError:
        verdict.n_hangs += 1
        verdict.wrong.append(f"{what} hangs")
        return None


async def _whatever(verdict: Verdict, what: str, work: Awaitable[Any]) -> None:
    """What may fail, since its caller sees it: a command that says so, or the server's log."""
    try:
        await _in_time(verdict, what, work)
    except Exception:
        log.exception("%s", what)


# -- the model process and its client --------------------------------------------------------------------------


def _prompt(number: int) -> Prompt:
    """A window with a header, a block of another file and a few lines."""
    ids = [7] * 8 + [(3 * i) % 240 for i in range(64)] + [(5 * i + number) % 240 for i in range(40)]
    pieces = tuple(Piece(n_tokens=n, rank=r, block=b) for n, r, b in ((8, 0, False), (64, 1, True), (40, 0, False)))
    return Prompt(
        token_ids=array("I", ids), heal=b"", stop_token_ids=(), max_tokens=4, format=Format.LEFT, pieces=pieces
    )


async def _ask(verdict: Verdict, client: EngineClient, number: int) -> list[int] | None:
    """The tokens of an answer; None when a sentence came instead."""
    verdict.n_asked += 1
    tokens: list[int] = []

    async def read() -> None:
        async for delta in client.generate(_prompt(number), session="s"):
            tokens.extend(delta.token_ids)

    try:
        await _in_time(verdict, "a request", read())
    except EngineUnavailable as error:
        if not str(error):
            verdict.wrong.append("a request ended without a sentence")
        return None
    except Exception as error:
        log.exception("a request")
        verdict.n_lost += 1
        verdict.wrong.append(f"a request ended with {error!r}")
        return None
    return tokens


async def _answer(verdict: Verdict, client: EngineClient, number: int, expected: list[list[int]]) -> None:
    """Ask until the answer comes; it must be that of a run without faults (which `expected` learns)."""
    deadline = time.monotonic() + HANG_S
    while (tokens := await _ask(verdict, client, number)) is None:
        if time.monotonic() > deadline:
            verdict.n_hangs += 1
            verdict.wrong.append(f"no answer any more: {client.state.phase}: {client.state.message}")
            return
        client.wake()
        await asyncio.sleep(0.01)
    while len(expected) <= number:
        expected.append(tokens)
    if tokens != expected[number]:
        verdict.n_lost += 1
        verdict.wrong.append(f"another answer than without the fault: {tokens}, not {expected[number]}")


# Stands in for the process that quantizes, which takes seconds of torch's start in every life: it says the same.
_COPY = """
import json, shutil, sys
print(json.dumps({"done": 0.0}), flush=True)
shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)
print(json.dumps({"done": 1.0}), flush=True)
"""


@dataclass(slots=True)
class EngineLife:
    """A window's engine from its start over a `midfill stop` to its end, and a second window."""

    model: Path
    kept: Path  # stores with the model's, for whoever has it quantized
    expected: list[list[int]] = field(default_factory=list)

    def __call__(self) -> Verdict:
        verdict = Verdict()
        with mock.patch.object(prepare, "start_child", self._start_copying):
            asyncio.run(self._live(verdict))
        return verdict

    def _start_copying(self, command: list[str]) -> Any:
        return system.start_child([sys.executable, "-I", "-c", _COPY, str(self.kept), str(stores_dir())])

    def _client(self, verdict: Verdict) -> EngineClient:
        def on_state(state: EngineState) -> None:
            if not state.message:
                verdict.wrong.append(f"the state {state.phase} says nothing")

        return EngineClient(EngineSettings(model=str(self.model), idle="always", n_threads=1), on_state)

    async def _live(self, verdict: Verdict) -> None:
        client = self._client(verdict)
        running = asyncio.create_task(client.run())
        await _answer(verdict, client, 0, self.expected)
        await _whatever(verdict, "warming", client.warm(_prompt(1), session="s"))
        await _answer(verdict, client, 1, self.expected)
        await _whatever(verdict, "the status", client.daemon_status())
        cut_off = client.generate(_prompt(2), session="s")
        with suppress(EngineUnavailable):
            await _in_time(verdict, "a first token", anext(cut_off))
        await cut_off.aclose()
        await self._stop(verdict)
        await _answer(verdict, client, 2, self.expected)
        self._lose_the_store()
        second = self._client(verdict)
        also_running = asyncio.create_task(second.run())
        await _answer(verdict, second, 0, self.expected)
        await _answer(verdict, client, 0, self.expected)
        for task in (running, also_running):
            if task.done():
                verdict.wrong.append(f"a client's task ended: {task}")
            task.cancel()
        await asyncio.wait([running, also_running])
        for left in (client, second):
            await left.close()
        path = socket_path(EngineSettings(model=str(self.model)))
        deadline = time.monotonic() + HANG_S
        while path.exists():
            if time.monotonic() > deadline:
                verdict.n_hangs += 1
                verdict.wrong.append("the model process does not leave")
                break
            await self._stop(verdict)
            await asyncio.sleep(0.01)

    async def _stop(self, verdict: Verdict) -> None:
        path = socket_path(EngineSettings(model=str(self.model)))
        await _whatever(verdict, "stopping", EngineClient.stop_daemon(path))

    def _lose_the_store(self) -> None:
        shutil.rmtree(stores_dir())


# -- the index worker and its client ---------------------------------------------------------------------------


@dataclass(slots=True)
class IndexClientLife:
    """A workspace's index client with its worker process."""

    root: Path

    def __call__(self) -> Verdict:
        verdict = Verdict()
        asyncio.run(self._live(verdict))
        return verdict

    async def _live(self, verdict: Verdict) -> None:
        states: list[IndexState] = []
        client = IndexClient(self.root, states.append)
        await _until(verdict, "an index", lambda: client.state.phase is IndexPhase.READY)
        client.pause(True)
        client.pause(False)
        (self.root / "later.py").write_text(f"x = {time.monotonic()}\n")
        seen = len(states)
        await _until(verdict, "a file that changed", lambda: len(states) > seen and client.state.phase == "ready")
        if any(not state.message for state in states):
            verdict.wrong.append("a state says nothing")
        await _whatever(verdict, "closing", client.close())
        await _until(verdict, "an index client that is closed", client._task.done)


class _Orders:
    """Standard input of a worker that runs in a thread here."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[str]:
        while (line := self._lines.get()) is not None:
            yield line

    def end(self) -> None:
        self._lines.put(None)


@dataclass(slots=True)
class WorkerLife:
    """Workers of a workspace one after the other, as their client starts them, until one has the index ready."""

    root: Path

    def __call__(self) -> Verdict:
        verdict = Verdict()
        shutil.rmtree(folder_of(self.root), ignore_errors=True)
        said: list[tuple[str, str]] = []

        def report(phase: IndexPhase, message: str, numbers: object = None) -> None:
            said.append((phase, message))

        with mock.patch.object(worker, "_report", report):
            asyncio.run(self._live(verdict, said))
        return verdict

    async def _live(self, verdict: Verdict, said: list[tuple[str, str]]) -> None:
        for _ in range(4):
            n_before, orders, ended = len(said), _Orders(), threading.Event()
            thread = threading.Thread(target=self._work, args=(orders, ended), daemon=True)
            thread.start()
            await _until(verdict, "a word of the worker", lambda: ended.is_set() or self._is_up(said[n_before:]))  # noqa: B023
            is_up = self._is_up(said[n_before:])
            if is_up:
                for name in ("a.py", "later.py"):  # one that could not be read is read again when it has changed
                    (self.root / name).write_text(f"def later_{time.monotonic_ns()}(): ...\n")
                await _until(verdict, "a file that changed", lambda: ended.is_set() or self._is_complete())  # noqa: B023
                is_up = not ended.is_set()
            orders.end()
            await _until(verdict, "a worker that leaves", ended.is_set)
            if is_up:
                break
        else:
            verdict.wrong.append(f"the worker never came up again: {said[-3:]}")
        if not any(self._is_complete() for _ in range(3)):
            verdict.wrong.append("the index is not complete")
        if any(not message for _, message in said):
            verdict.wrong.append("a report says nothing")

    def _is_complete(self) -> bool:
        reader = IndexReader.open(self.root)
        if reader is None:
            return False
        found = bool(reader.defined_in("a.py")) and reader.is_complete()
        reader.close()
        return found

    def _is_up(self, said: list[tuple[str, str]]) -> bool:
        return any(phase == IndexPhase.READY for phase, _ in said)

    def _work(self, orders: _Orders, ended: threading.Event) -> None:
        try:
            worker.Worker(self.root).run(orders)
        except Exception:  # the process ends with a traceback in its log, and the client says so
            log.info("the worker ended", exc_info=True)
        finally:
            ended.set()


# -- the recorder ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class HistoryLife:
    """A window's memory: what is added until the end; the last of it must be there."""

    def __call__(self) -> Verdict:
        verdict = Verdict()
        file = history.history_file()
        shutil.rmtree(file.parent, ignore_errors=True)
        recorder = Recorder(DocumentStore(), "window")
        for number in range(4):
            recorder.configure(True)
            recorder._write(_event(f"e{number}"))
            recorder._write({"id": f"e{number}", "text": "why"})
            recorder._write(history.Note(f"e{number}", {"fate": "shown"}))
            time.sleep(0.03)
        for number in range(200):  # after a failure it pauses, for no time here
            recorder._write(_event(f"late{number}"))
            time.sleep(0.02)
            if self._has(file, "late"):
                break
        else:
            verdict.n_hangs += 1
            verdict.wrong.append("nothing is written any more")
        recorder.leave()
        try:
            history.read_explanations(file, 5)
        except (history.BrokenHistory, OSError) as error:  # `midfill why` says so in a line
            if not str(error):
                verdict.wrong.append("a broken history says nothing")
        return verdict

    def _has(self, file: Path, beginning: str) -> bool:
        try:
            return any(event.id.startswith(beginning) for event in history.read_events(file, 0))
        except (history.BrokenHistory, OSError):
            return False


def _event(number: str) -> history.Event:
    return history.Event(
        at=time.time(), id=number, kind="shown", language="python", mode="line", characters=1, latency_ms=1.0,
        reused=False, probability=0.5,
    )  # fmt: skip
