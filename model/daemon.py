"""The model daemon: `python -I -m model.daemon SETTINGS`. One per user and model, shared by all windows.

The asyncio loop here only moves bytes between sockets and the scheduler. A second thread gets the model
ready (fetch, quantize, load; the phases are broadcast to every client) and then becomes the scheduler's.

Rules: this module owns no arrays, and imports the engine only in the engine thread, so that a client hears
"loading" within a tenth of a second. With a quantized store and the native kernels the process never imports torch. A
malformed frame, or whatever goes wrong with one client, closes that connection and nothing else. Every accepted
Generate is answered by one Done as long as its client is connected. A client that comes when the model's store is gone
could not use it: the daemon leaves, and the next one makes it again.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from completion.types import GenerationStats, Priority
from model.library import system
from model.library.catalog import ModelError
from model.library.store import StoreError, read_manifest
from model.link import address, tasks, wire
from model.link.counters import EngineCounters
from model.link.spawn import EngineSettings, from_argument, socket_path

if TYPE_CHECKING:
    from model.engine.generate import Finished
    from model.engine.scheduler import Scheduler

log = logging.getLogger(__name__)

# Polite to everything else on the machine; the editor and the compiler go first.
_NICENESS = 5
_MAX_CANDIDATES = 16
_IDLE_CHECK_S = 1.0
_READ_BYTES = 1 << 16
# What went wrong may be known before the one that started us has come to hear it.
_TELL_S = 10.0


class Daemon:
    """Connections, the published state, and the bridge to the engine thread."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._clients: set[asyncio.StreamWriter] = set()
        self._state = wire.State("starting", "starting", -1.0, "")
        self._scheduler: Scheduler | None = None
        self._started = time.monotonic()
        self._last_used = time.monotonic()
        self._running: set[object] = set()  # keys of unfinished requests
        self._leaving = asyncio.Event()
        self._bye = ""

    # -- the engine's side: called from the engine thread -------------------------------------------------

    def publish(self, phase: str, message: str, fraction: float = -1.0, store: str = "") -> None:
        """Announce where the engine stands to all clients; safe from any thread."""
        self._soon(self._publish, wire.State(phase, message, fraction, store))

    def ready(self, scheduler: "Scheduler", message: str, store: Path) -> None:
        """Hand over the scheduler, whose `run` the engine thread is about to enter."""
        self._scheduler = scheduler
        self.publish("ready", message, 1.0, str(store))

    def failed(self, message: str) -> None:
        """The model cannot be had: tell a client and leave; the next request starts another daemon."""
        self.publish("failed", message)
        self._soon(self._loop.call_later, 0.0 if self._clients else _TELL_S, self._leaving.set)

    def leave(self) -> None:
        """End the process; safe from any thread."""
        self._soon(self._leaving.set)

    def _soon(self, callback: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no client is left
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _leave(self, reason: str) -> None:
        """Leave on purpose; `reason` is a `wire.Bye`'s."""
        log.info("leaving: %s", reason)
        self._bye = reason
        self._leaving.set()

    # -- the clients' side ---------------------------------------------------------------------------------

    def _publish(self, state: wire.State) -> None:
        self._state = state
        self._last_used = time.monotonic()
        for writer in self._clients:
            self._send(writer, state)

    def _send(self, writer: asyncio.StreamWriter, message: wire.Message) -> None:
        if writer.is_closing():
            return
        try:
            writer.write(wire.encode(message))
        except Exception:
            log.exception("closing a client that cannot be told a %s", type(message).__name__)
            writer.transport.abort()  # it hears that at once; an answer that is left out it would wait for

    async def serve(self, path: Path) -> None:
        """Listen until it is time to leave."""
        server = await address.listen(path, self._connection)  # we hold the lock: a daemon that was here is gone
        system.on_termination(self._loop, self._leaving.set)
        step = tasks.again_and_again(self._leave_when_idle, lambda error: None, _IDLE_CHECK_S)
        idle = tasks.start(step, "idle exit")
        try:
            await self._leaving.wait()
        finally:
            idle.cancel()
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # before anything else: no client shall find a daemon that is leaving
            await self._say_goodbye()
            server.close()
            if self._scheduler is not None:
                self._scheduler.stop()

    async def _say_goodbye(self) -> None:
        """Tell the clients why, if it is on purpose, and hang up."""
        if self._bye:
            for writer in self._clients:
                self._send(writer, wire.Bye(self._bye))
        for writer in list(self._clients):
            with contextlib.suppress(OSError):  # a TimeoutError is one
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), 1.0)

    async def _leave_when_idle(self) -> None:
        await asyncio.sleep(_IDLE_CHECK_S)
        ready = self._scheduler is not None
        if ready and not self._running and time.monotonic() - self._last_used > self._settings.idle_exit_s:
            self._leave("idle")

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        frames = wire.FrameReader()
        try:
            if self._has_lost_its_store():
                self._leave("store")
            else:
                self._send(writer, self._state)
            if self._state.phase == "failed":  # told
                self._leaving.set()
            while data := await reader.read(_READ_BYTES):
                for message in frames.feed(data):
                    self._receive(message, writer)
        except wire.ProtocolError as error:
            log.warning("closing a client: %s", error)
        except OSError as error:
            log.info("client lost: %s", error)
        except asyncio.CancelledError:  # the process ends; asyncio's own callback fails of a cancelled one
            pass
        except Exception:
            log.exception("closing a client")
        finally:
            self._clients.discard(writer)
            for key in [k for k in self._running if isinstance(k, tuple) and k[0] is writer]:
                if self._scheduler is not None:
                    self._scheduler.cancel(key)
            with contextlib.suppress(OSError):
                writer.close()

    def _has_lost_its_store(self) -> bool:
        if not self._state.store:  # not ready yet
            return False
        try:
            read_manifest(Path(self._state.store))
        except StoreError as error:
            log.warning("%s", error)
            return True
        return False

    def _receive(self, message: wire.Message, writer: asyncio.StreamWriter) -> None:
        match message:
            case wire.Generate():
                self._generate(message, writer)
            case wire.Cancel(request_id):
                if self._scheduler is not None:
                    self._scheduler.cancel((writer, request_id))
            case wire.Status():
                self._send(writer, self._status())
            case wire.Shutdown():
                self._leave("shutdown")
            case _:
                raise wire.ProtocolError(f"{type(message).__name__} goes the other way")

    def _generate(self, message: wire.Generate, writer: asyncio.StreamWriter) -> None:
        self._last_used = time.monotonic()
        prompt = wire.unpack_ids(message.prompt)
        target = wire.unpack_ids(message.target)
        problem = self._problem(message, prompt, target)
        if problem or self._scheduler is None:
            self._send(writer, wire.refusal(message.id, problem, len(prompt)))
            return
        from model.engine.generate import Request  # imported long ago by the engine thread: we are ready
        from model.engine.layout import window_of

        key = (writer, message.id)
        self._running.add(key)

        def on_prefilled(stats: GenerationStats) -> None:
            self._soon(self._send, writer, wire.Prefilled(message.id, stats))

        def on_token(candidate: int, token_id: int, logprob: float, spelled: float) -> None:
            token = wire.Token(message.id, candidate, token_id, logprob, spelled)
            self._soon(self._send, writer, token)

        def on_finished(finished: "Finished") -> None:
            done = wire.Done(message.id, finished.finish, finished.error, finished.stats)
            self._soon(self._finished, key, writer, done)

        self._scheduler.submit(
            Request(
                key=key,
                session=message.session,
                window=window_of(prompt, message.pieces),
                heal=message.heal,
                stop_token_ids=frozenset(message.stop_token_ids),
                max_tokens=message.max_tokens,
                n_candidates=message.n_candidates,
                line_only=message.line_only,
                target=target,
                priority=Priority(message.priority),
                deadline_ms=message.deadline_ms or None,
                on_prefilled=on_prefilled,
                on_token=on_token,
                on_finished=on_finished,
            )
        )

    def _problem(self, message: wire.Generate, prompt: "array[int]", target: "array[int]") -> str:
        """Why a Generate cannot be accepted, or ""."""
        if self._scheduler is None:
            return f"the model is not ready: {self._state.message}"
        if not prompt:
            return "the prompt is empty"
        if message.priority not in list(Priority):
            return f"{message.priority} is no priority"
        if problem := wire.problem_of(message.pieces, len(prompt)):
            return problem
        if not 1 <= message.n_candidates <= _MAX_CANDIDATES:
            return f"{message.n_candidates} candidates are not 1 to {_MAX_CANDIDATES}"
        n_more = len(target) or message.max_tokens
        if len(prompt) + n_more > self._scheduler.context_tokens:
            return f"{len(prompt)} + {n_more} tokens exceed the model's {self._scheduler.context_tokens}"
        if (largest := max(prompt + target)) >= self._scheduler.vocab:
            return f"token id {largest} is not in the vocabulary of {self._scheduler.vocab}"
        return ""

    def _finished(self, key: object, writer: asyncio.StreamWriter, done: wire.Done) -> None:
        self._running.discard(key)
        self._last_used = time.monotonic()
        self._send(writer, done)

    def _status(self) -> wire.StatusReply:
        scheduler = self._scheduler
        return wire.StatusReply(
            pid=os.getpid(),
            model=self._settings.model,
            uptime_s=time.monotonic() - self._started,
            rss_mb=system.rss_mb(),
            counters=scheduler.counters if scheduler else EngineCounters(last_error=self._state.message),
        )


def _engine_thread(daemon: Daemon, settings: EngineSettings) -> None:
    """Get the model ready, then run the scheduler until it is stopped."""
    try:
        from model.engine import startup

        scheduler = startup.prepare(settings, daemon.publish, daemon.ready)
    except ModelError as error:
        log.error("model not available: %s", error)
        daemon.failed(str(error))
        return
    except Exception as error:
        log.exception("the model could not be prepared")
        daemon.failed(f"internal error while preparing the model: {error}")
        return
    try:
        scheduler.run()
    except Exception:
        # Nothing would answer any more: leave, so that the windows' servers start another daemon.
        log.exception("the engine thread ended")
        daemon.leave()


def _lock(path: Path) -> BinaryIO | None:
    """Hold this path's lock for the life of the process; None when another daemon holds it."""
    handle = path.with_suffix(".lock").open("ab")
    if system.try_lock(handle):
        return handle
    handle.close()
    return None


async def _main(settings: EngineSettings, path: Path) -> None:
    daemon = Daemon(settings)
    threading.Thread(target=_engine_thread, args=(daemon, settings), name="engine", daemon=True).start()
    await daemon.serve(path)


def run(settings: EngineSettings) -> int:
    """Be the daemon of these settings until it is time to leave; 0 at once when there is one already."""
    try:
        path = socket_path(settings)
        lock = _lock(path)
        if lock is None:
            return 0
        system.be_nice(_NICENESS)
        with lock:
            asyncio.run(_main(settings, path))
    except (OSError, ModelError) as error:
        log.error("the model process cannot run: %s", error)
        return 1
    return 0


def settings_of(arguments: list[str]) -> EngineSettings:
    """What `spawn.spawn_daemon` has written on the command line."""
    parser = argparse.ArgumentParser(prog="model.daemon", description=__doc__)
    parser.add_argument("settings", type=from_argument, help="a JSON object: the fields of EngineSettings")
    settings: EngineSettings = parser.parse_args(arguments).settings
    return settings


def main() -> int:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return run(settings_of(sys.argv[1:]))


if __name__ == "__main__":
    code = main()
    # The engine thread may be deep in a C++ call; there is nothing left to flush but the log.
    logging.shutdown()
    os._exit(code)
