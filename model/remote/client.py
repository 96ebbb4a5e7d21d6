"""An engine on a server that somebody else runs: implements completion.types.Engine over HTTP.

`run` probes the server once, and again when a request has shown that it is away: after a pause that doubles, or that
the server asked for. What needs a person (a key, a name, a certificate) is tried again when somebody next asks.

Rules: no torch. `generate` never waits for a server that is not ready. A request that fails because the server is
away makes it so for all, at once; one that the server refuses for itself alone does not. The state says in a sentence
what it was. Nothing is sent to read ahead of a request but what the next request will need.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

from completion.types import Delta, EngineUnavailable, Outcome, Priority, Prompt
from model.link import tasks, wire
from model.link.client import EngineState, LoadedModel, Phase
from model.remote.answer import Server, deltas
from model.remote.dialect import Dialect
from model.remote.llamacpp import LlamaCpp
from model.remote.ollama import Ollama
from model.remote.openai import OpenAi
from model.remote.problem import Kind, NotThere, RemoteProblem
from model.remote.settings import RemoteSettings, host_of, target_of
from model.remote.transport import Transport, garbage
from model.remote.vocabulary import vocabulary_of

log = logging.getLogger(__name__)

_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 0.5, 30.0
# A server that was well for so long begins the back-off afresh when it goes.
_HEALTHY_S = 60.0
# How soon after a refusal a request may start another attempt.
_RETRY_REFUSED_S = 30.0
_DIALECTS: dict[str, Callable[[], Dialect]] = {"llamacpp": LlamaCpp, "ollama": Ollama, "openai": OpenAi}
# What only one kind of server has: a path, and a key of what is there.
_TELLING = (("llamacpp", "/props", "default_generation_settings"), ("ollama", "/api/version", "version"))
# Where a server says nothing of it: what the smallest of its kind have.
_CONTEXT_TOKENS = 4_096
# Of its context, how much is used where another model's tokenizer measures: a text may have a fourth more tokens than
# that says, and a server cuts a prompt that is too long at its beginning.
_MEASURED = 0.8


class RemoteClient:
    """Implements model.link.interface.ModelClient."""

    def __init__(self, settings: RemoteSettings, on_state: Callable[[EngineState], None]) -> None:
        self._settings, self._on_state = settings, on_state
        self._state = EngineState(phase=Phase.STARTING, message=f"asking {self.host}", fraction=None)
        self._server: Server | None = None
        self._loaded: LoadedModel | None = None
        self._lost: asyncio.Future[RemoteProblem] | None = None
        self._wanted = asyncio.Event()
        self._backoff_s = _BACKOFF_FIRST_S

    @property
    def state(self) -> EngineState:
        """The present phase."""
        return self._state

    @property
    def loaded(self) -> LoadedModel | None:
        """The server's model, once it was probed."""
        return self._loaded

    @property
    def current(self) -> "RemoteClient":
        """As the protocol says."""
        return self

    @property
    def host(self) -> str:
        """As the protocol says."""
        return host_of(self._settings.url)

    def describe(self) -> str:
        """As the protocol says."""
        return in_words(self._server) if self._server is not None else ""

    async def run(self) -> None:
        """Keep a server until cancelled."""

        def on_failure(error: Exception) -> None:
            self._set_state(Phase.DOWN, f"internal error with {self.host}: {type(error).__name__}: {error}")

        await tasks.again_and_again(self._once, on_failure, _BACKOFF_FIRST_S)

    async def _once(self) -> None:
        """One time that the server is there, from its probe to its loss, and the wait for the next one."""
        began = time.monotonic()
        try:
            problem = await self._follow()
        except RemoteProblem as error:
            problem = error
        finally:
            self._server = self._lost = None
        if time.monotonic() - began > _HEALTHY_S:
            self._backoff_s = _BACKOFF_FIRST_S
        if problem.kind is Kind.AWAY:
            wait_s = max(problem.wait_s, self._backoff_s)
            self._set_state(Phase.DOWN, f"{problem}; asked again in {wait_s:.2g} s")
            self._backoff_s = min(2 * self._backoff_s, _BACKOFF_MOST_S)
            await asyncio.sleep(wait_s)
        else:
            self._set_state(Phase.FAILED, str(problem))
            self._wanted.clear()
            await asyncio.sleep(_RETRY_REFUSED_S)
            await self._wanted.wait()

    async def _follow(self) -> RemoteProblem:
        """Probe, be ready, and say why that ended."""
        settings = self._settings
        target = await asyncio.to_thread(target_of, settings)
        async with Transport(target, ca_file=settings.ca_file, timeout_s=settings.timeout_s) as transport:
            server = self._server = await probed(settings, transport, self._lose)
            self._loaded = loaded_of(server)
            self._lost = asyncio.get_running_loop().create_future()
            self._set_state(Phase.READY, f"{server.abilities.model or 'the model'} at {self.host}")
            return await self._lost

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """Yield tokens as they come; closing the iterator hangs up, which frees the server's slot."""
        server = self._server
        if server is None or self._state.phase is not Phase.READY:
            self.wake()
            down = self._state.phase in (Phase.DOWN, Phase.FAILED)
            raise EngineUnavailable(self._state.message, Outcome.ENGINE_DOWN if down else Outcome.NOT_READY)
        try:
            async with aclosing(deltas(server, prompt)) as answer:
                async for delta in answer:
                    yield delta
        except RemoteProblem as problem:
            self._lose(problem, server)
            raise EngineUnavailable(str(problem), Outcome.ENGINE_DOWN) from problem

    def _lose(self, problem: RemoteProblem, server: Server | None = None) -> None:
        """A server failed. If it is the present one, and not for that request alone, it is away for all, at once."""
        is_present = server is None or server is self._server
        if problem.kind is Kind.REQUEST or not is_present or self._lost is None or self._lost.done():
            return
        self._lost.set_result(problem)
        # Now, not when the task comes to it: nobody else shall wait.
        self._set_state(Phase.DOWN if problem.kind is Kind.AWAY else Phase.FAILED, str(problem))

    def wake(self) -> None:
        """Somebody asks: what was refused may be tried again."""
        self._wanted.set()

    async def warm(self, prompt: Prompt, *, session: str) -> None:
        """A server reads a prompt when it is asked: there is nothing to complete in idle time."""

    async def daemon_status(self, timeout_s: float = 2.0) -> wire.StatusReply | None:
        """There is no model process."""
        return None

    async def close(self) -> None:
        """As the protocol says: `run` has closed the connections."""

    def _set_state(self, phase: Phase, message: str) -> None:
        before, self._state = self._state, EngineState(phase=phase, message=message, fraction=None)
        if (before.phase, before.message) == (phase, message):
            return
        try:
            self._on_state(self._state)
        except Exception:
            log.exception("the state of the engine could not be told")


async def probed(settings: RemoteSettings, transport: Transport, on_problem: Callable[[RemoteProblem], None]) -> Server:
    """What a server can do; RemoteProblem when it is none that midfill can use. `on_problem` as in `vocabulary_of`."""
    dialect = _DIALECTS[await _kind(transport) if settings.kind == "auto" else settings.kind]()
    try:
        abilities = await dialect.probe(transport, settings.model)
        vocabulary = await vocabulary_of(dialect, transport, abilities, settings, on_problem)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise garbage(transport.host, "the first questions") from error
    if not vocabulary.are_ids_its_own:  # what it says of ids is of no use
        abilities = replace(abilities, takes_ids=False, returns_ids=False, can_score=False)
    return Server(
        transport=transport,
        dialect=dialect,
        abilities=abilities,
        vocabulary=vocabulary,
        timeout_s=settings.timeout_s,
    )


async def _kind(transport: Transport) -> str:
    """What kind of server it is: by what only one kind has."""
    for kind, path, key in _TELLING:
        with contextlib.suppress(NotThere):
            if key in await transport.get(path):
                return kind
    return "openai"


def loaded_of(server: Server) -> LoadedModel:
    """The server's model as the core is told of it."""
    abilities = server.abilities
    context = abilities.context_tokens or _CONTEXT_TOKENS
    return LoadedModel(
        name=abilities.model or server.transport.host,
        tokenizer=server.vocabulary.tokenizer,
        spec=server.vocabulary.spec,
        architecture=None,
        context_tokens=int(context * (1 if server.vocabulary.is_exact else _MEASURED)),
        can_rank=False,
        has_logprobs=abilities.has_logprobs,
    )


def in_words(server: Server) -> str:
    """What a server was found to do, and what follows from it."""
    abilities, vocabulary = server.abilities, server.vocabulary
    are_ids = abilities.takes_ids and vocabulary.are_ids_its_own
    told = [
        f"{abilities.kind} with {abilities.model or 'one model'}",
        f"a context of {abilities.context_tokens:,} tokens"
        if abilities.context_tokens
        else "a context of unknown size",
        "prompts as token ids" if are_ids else "prompts as text",
        "log-probabilities"
        if abilities.has_logprobs
        else "no log-probabilities (suggestions are not cut where unsure)",
        "begins with what is typed" if abilities.constraint else "what is typed is checked",
        "no scoring (invoked suggestions are not compared)" if not abilities.can_score else "scoring",
    ]
    return "; ".join(told)
