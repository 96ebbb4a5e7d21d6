"""The server's side of the daemon: finds or starts it, keeps the connection, and generates.

`run` is a task for the life of the server. It connects (starting a daemon when there is none), reads what
comes, and when the daemon dies starts another with back-off. A daemon that left because it was idle or stopped, or
because the model could not be had, is started again by the next request of an editor.

Rules: no torch. `generate` never waits for a daemon: without a ready one it raises EngineUnavailable at
once. Whatever happens to the daemon, every `generate` in progress ends; whatever goes wrong, `run` goes on, and the
state says what it was.
"""

import asyncio
import contextlib
import itertools
import logging
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from completion.types import Delta, EngineUnavailable, Outcome, Priority, Prompt, PromptSpec, Tokenizer
from model.library.architecture import Architecture
from model.library.catalog import ModelError, resolve
from model.library.store import StoreError, present_spec, read_manifest
from model.library.tokenizer import UnsupportedTokenizer
from model.library.vocabulary import open_tokenizer
from model.link import address, tasks, wire
from model.link.messages import generate_message
from model.link.spawn import EngineSettings, socket_path, spawn_daemon

log = logging.getLogger(__name__)

# A daemon opens its socket about 0.1 s after it is started; polling is cheaper than a second protocol.
_CONNECT_POLL_S = 0.02
_CONNECT_TIMEOUT_S = 20.0
_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 0.25, 30.0
# A daemon that lived this long was fine: its death starts the back-off afresh.
_HEALTHY_S = 60.0
# How soon after a failure (no network, say) a request may start another attempt.
_RETRY_FAILED_S = 30.0
_READ_BYTES = 1 << 16
# Why a daemon left that the next request starts again, in words; see `wire.Bye`.
_ASLEEP = {
    "idle": "the model was unloaded after an idle time; the next request loads it",
    "shutdown": "the model process was stopped; the next request starts it",
}
_STORE_LOST = "the model's files were removed or damaged, and are made again"
# How a request finishes that was ended before it was done.
_CUT_OFF = ("superseded", "cancelled")


class Phase(StrEnum):
    """Where the engine stands."""

    STARTING = "starting"
    FETCHING = "fetching"
    QUANTIZING = "quantizing"
    LOADING = "loading"
    READY = "ready"
    ASLEEP = "asleep"  # left after an idle time, or was stopped; the next request starts it
    FAILED = "failed"  # the model cannot be had or run; tried again on a later request
    DOWN = "down"  # died; being started again


_UNDER_WAY = (Phase.STARTING, Phase.FETCHING, Phase.QUANTIZING, Phase.LOADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """A phase, in words for the user, and how far it is (0..1) when that is known."""

    phase: Phase
    message: str
    fraction: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """What the front end needs to know of the model that answers."""

    name: str
    tokenizer: Tokenizer
    spec: PromptSpec
    context_tokens: int  # the most that a prompt and its completion may have together
    architecture: Architecture | None  # None: it runs elsewhere
    can_rank: bool = True  # scores given texts, and has several answers to a prompt
    has_logprobs: bool = True


class EngineClient:
    """Implements completion.types.Engine over the daemon's socket (see `address`).

    Without `may_start` it finds a daemon that is there, or is FAILED.
    """

    def __init__(
        self, settings: EngineSettings, on_state: Callable[[EngineState], None], *, may_start: bool = True
    ) -> None:
        self._settings, self._may_start = settings, may_start
        self._on_state = on_state
        self._state = EngineState(phase=Phase.STARTING, message="starting", fraction=None)
        self._loaded: LoadedModel | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ids = itertools.count(1)
        self._requests: dict[int, asyncio.Queue[wire.Token | wire.Prefilled | wire.Done | None]] = {}
        self._statuses: list[asyncio.Future[wire.StatusReply]] = []
        self._wanted = asyncio.Event()
        self._bye = ""
        self._backoff_s = _BACKOFF_FIRST_S

    @property
    def state(self) -> EngineState:
        """The present phase."""
        return self._state

    @property
    def loaded(self) -> LoadedModel | None:
        """The model, once it has been READY; kept when the daemon restarts, since the store stays."""
        return self._loaded

    @property
    def current(self) -> "EngineClient":
        """As the protocol of `interface` says."""
        return self

    @property
    def host(self) -> str:
        """Prompts stay on this machine."""
        return ""

    def describe(self) -> str:
        """The state says it all."""
        return ""

    async def run(self) -> None:
        """Keep a daemon until cancelled."""

        def on_failure(error: Exception) -> None:
            self._set_state(Phase.DOWN, f"internal error with the model process: {type(error).__name__}: {error}")

        await tasks.again_and_again(self._once, on_failure, _BACKOFF_FIRST_S)

    async def _once(self) -> None:
        """One connection from its beginning to its end, and the wait for the next one."""
        began = time.monotonic()
        try:
            cause = await self._follow()
        finally:
            self._drop_connection()
        if (message := _ASLEEP.get(self._bye)) is not None:
            self._set_state(Phase.ASLEEP, message)
            await self._wanted.wait()
            self._backoff_s = _BACKOFF_FIRST_S
        elif self._state.phase is Phase.FAILED:
            self._wanted.clear()
            await asyncio.sleep(_RETRY_FAILED_S)
            await self._wanted.wait()
        else:
            if time.monotonic() - began > _HEALTHY_S:
                self._backoff_s = _BACKOFF_FIRST_S
            self._set_state(Phase.DOWN, f"{cause}; next start in {self._backoff_s:.2g} s")
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, _BACKOFF_MOST_S)

    async def _follow(self) -> str:
        """Connect, and take what comes until the connection ends; returns why it ended, in words."""
        try:
            await self._read(await self._connect())
        except ModelError as error:
            self._set_state(Phase.FAILED, str(error))
            return str(error)
        except (OSError, StoreError, UnsupportedTokenizer, wire.ProtocolError) as error:
            return f"the model process cannot be used: {error}"
        return _STORE_LOST if self._bye else "the model process ended unexpectedly"

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """Yield tokens as they come; stats come when the prompt is done and at the end. Closing the iterator cancels.

        EngineUnavailable at once when the model is not ready, and when the daemon dies meanwhile or ends the request.
        """
        writer = self._require_ready()
        request_id = next(self._ids)
        inbox = self._requests[request_id] = asyncio.Queue()
        done = False
        try:
            self._write(writer, generate_message(request_id, prompt, session, priority))
            while not done:
                message = await inbox.get()
                if message is None:
                    done = True
                    if priority.is_awaited:  # who waits for this one will ask again
                        self.wake()
                    raise EngineUnavailable("the model process ended during the request", Outcome.ENGINE_DOWN)
                if isinstance(message, wire.Token):
                    yield Delta(
                        token_ids=(message.token_id,),
                        logprobs=(message.logprob,),
                        spelled=message.spelled,
                        candidate=message.candidate,
                    )
                    continue
                if isinstance(message, wire.Prefilled):
                    yield Delta(token_ids=(), logprobs=(), stats=message.stats)
                    continue
                done = True
                if message.finish == "failed":
                    raise EngineUnavailable(message.error, Outcome.ENGINE_DOWN)
                if message.finish in _CUT_OFF:  # not by us: who took what came so far for the whole would show half
                    raise EngineUnavailable("another request took this one's place", Outcome.STALE)
                yield Delta(token_ids=(), logprobs=(), stats=message.stats)
        finally:
            self._requests.pop(request_id, None)
            if not done and not writer.is_closing():
                with contextlib.suppress(EngineUnavailable):
                    self._write(writer, wire.Cancel(request_id))

    def wake(self) -> None:
        """Have a daemon that left (idle, or without its model) started again; returns at once."""
        if self._state.phase not in _UNDER_WAY:
            self._wanted.set()

    async def warm(self, prompt: Prompt, *, session: str) -> None:
        """Have the prompt prefilled when the engine has nothing better to do; does nothing when not ready."""
        if self._state.phase is Phase.READY and (writer := self._writer) is not None:
            with contextlib.suppress(OSError, EngineUnavailable):
                self._write(writer, generate_message(next(self._ids), prompt, session, Priority.WARM))
                await writer.drain()

    async def daemon_status(self, timeout_s: float = 2.0) -> wire.StatusReply | None:
        """The daemon's own counters; None when there is none or it does not answer in time."""
        if self._writer is None or self._writer.is_closing():
            return None
        future: asyncio.Future[wire.StatusReply] = asyncio.get_running_loop().create_future()
        try:
            self._write(self._writer, wire.Status())
            self._statuses.append(future)
            return await asyncio.wait_for(future, timeout_s)
        except (OSError, EngineUnavailable):  # a TimeoutError is one
            return None

    @staticmethod
    async def stop_daemon(path: Path) -> bool:
        """Ask the daemon at a socket to leave, for all its clients; False when there is none."""
        try:
            reader, writer = await address.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        writer.write(wire.encode(wire.Shutdown()))
        with contextlib.suppress(OSError, TimeoutError):
            # Until the daemon hangs up: closing earlier could break its own writing before it reads this.
            await asyncio.wait_for(reader.read(), _CONNECT_TIMEOUT_S)
        writer.close()
        return True

    async def close(self) -> None:
        """Drop the connection; the daemon stays for others. Cancel `run` first."""
        self._drop_connection()

    # -- connection ----------------------------------------------------------------------------------------

    async def _connect(self) -> asyncio.StreamReader:
        """Connect, starting a daemon when none answers; OSError when none comes up."""
        path = socket_path(self._settings)
        self._bye = ""
        deadline = time.monotonic() + _CONNECT_TIMEOUT_S
        process: subprocess.Popen[bytes] | None = None
        while True:
            try:
                reader, self._writer = await address.connect(path)
                return reader
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            if not self._may_start:
                raise ModelError("the model process is not running")
            code = process.poll() if process is not None else 0
            if code == 0:  # one that ends so met another's lock: of one that comes up, or of one that is leaving
                if self._state.phase is not Phase.DOWN:
                    self._set_state(Phase.STARTING, "starting the model process")
                process = self._process = spawn_daemon(self._settings)
            elif code is not None:
                raise OSError(f"it ended with code {code}; see {path.with_suffix('.log')}")
            if time.monotonic() > deadline:
                raise OSError(f"it does not answer; see {path.with_suffix('.log')}")
            await asyncio.sleep(_CONNECT_POLL_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Handle messages until the connection ends."""
        frames = wire.FrameReader()
        with contextlib.suppress(ConnectionError):  # killed: as if it had ended, which is what `run` will say
            while data := await reader.read(_READ_BYTES):
                for message in frames.feed(data):
                    await self._receive(message)

    async def _receive(self, message: wire.Message) -> None:
        match message:
            case wire.Token() | wire.Prefilled() | wire.Done():
                if inbox := self._requests.get(message.id):
                    inbox.put_nowait(message)
            case wire.State():
                await self._receive_state(message)
            case wire.StatusReply():
                while self._statuses:
                    if not (future := self._statuses.pop()).done():
                        future.set_result(message)
            case wire.Bye():
                self._bye = message.reason
            case _:
                raise wire.ProtocolError(f"{type(message).__name__} goes the other way")

    async def _receive_state(self, message: wire.State) -> None:
        phase = Phase(message.phase)
        if phase is Phase.READY:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(_loaded_from, Path(message.store), self._settings.model)
            self._wanted.clear()
        self._set_state(phase, message.message, None if message.fraction < 0 else message.fraction)

    def _write(self, writer: asyncio.StreamWriter, message: wire.Message) -> None:
        """Send; where that fails the connection is given up, which `run` notices, and EngineUnavailable raised."""
        try:
            writer.write(wire.encode(message))
        except OSError as error:
            writer.transport.abort()
            raise EngineUnavailable(f"the model process cannot be reached: {error}", Outcome.ENGINE_DOWN) from error

    def _drop_connection(self) -> None:
        """Forget the connection and end everything that waits on it."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer = None
        for inbox in self._requests.values():
            inbox.put_nowait(None)
        for future in self._statuses:
            if not future.done():
                future.set_exception(ConnectionError("the daemon is gone"))
        self._statuses.clear()
        if self._process is not None:
            self._process.poll()  # reap it if it has ended

    def _set_state(self, phase: Phase, message: str, fraction: float | None = None) -> None:
        self._state = EngineState(phase=phase, message=message, fraction=fraction)
        try:
            self._on_state(self._state)
        except Exception:
            log.exception("the state of the engine could not be told")

    def _require_ready(self) -> asyncio.StreamWriter:
        if self._state.phase is Phase.READY and self._writer is not None and not self._writer.is_closing():
            return self._writer
        self.wake()
        outcome = Outcome.ENGINE_DOWN if self._state.phase in (Phase.DOWN, Phase.FAILED) else Outcome.NOT_READY
        raise EngineUnavailable(self._state.message, outcome)


def _loaded_from(store: Path, model: str) -> LoadedModel:
    """What a store says of its model; StoreError or UnsupportedTokenizer when it cannot be read (any more)."""
    manifest = read_manifest(store)
    return LoadedModel(
        name=manifest.model_id,
        tokenizer=open_tokenizer(store),
        spec=present_spec(store, resolve(model).row),
        context_tokens=manifest.architecture.context_tokens,
        architecture=manifest.architecture,
    )
