"""A server first, and the local model while it is away: implements model.link.interface.ModelClient over the two.

The local model process is started when the server is first found to be away, and let go when it is back.

Rules: a prompt goes to the engine that it was made for (`current`), or nowhere. That the server went is told once,
that it is still away is only part of the state.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from completion.types import Delta, Priority, Prompt
from model.link import tasks, wire
from model.link.client import EngineClient, EngineState, LoadedModel, Phase
from model.link.spawn import EngineSettings
from model.remote.client import RemoteClient
from model.remote.settings import RemoteSettings

_AWAY = (Phase.DOWN, Phase.FAILED)


class RemoteFirst:
    """The two engines of one window."""

    def __init__(self, remote: RemoteSettings, local: EngineSettings, on_state: Callable[[EngineState], None]) -> None:
        self._on_state, self._local_settings = on_state, local
        self._remote = RemoteClient(remote, self._on_remote)
        self._local: EngineClient | None = None
        self._local_task: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        """That of the engine which answers; of the local one with why it has to."""
        if self._local is None:
            return self._remote.state
        here = self._local.state
        message = f"{self._remote.state.message}; the local model takes its place ({here.message})"
        return EngineState(phase=here.phase, message=message, fraction=here.fraction)

    @property
    def current(self) -> RemoteClient | EngineClient:
        """The engine that answers."""
        return self._remote if self._local is None else self._local

    @property
    def loaded(self) -> LoadedModel | None:
        """Its model."""
        return self.current.loaded

    @property
    def host(self) -> str:
        """As the protocol says: "" while the local model answers."""
        return self.current.host

    def describe(self) -> str:
        """As the protocol says."""
        return self.current.describe()

    async def run(self) -> None:
        """Keep the server, and the local engine while that is away, until cancelled."""
        try:
            await self._remote.run()
        finally:
            await self.close()

    def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        """By the engine that answers now."""
        return self.current.generate(prompt, session=session, priority=priority)

    def wake(self) -> None:
        """As the protocol says, both."""
        self._remote.wake()
        if self._local is not None:
            self._local.wake()

    async def warm(self, prompt: Prompt, *, session: str) -> None:
        """As the engine that answers does."""
        await self.current.warm(prompt, session=session)

    async def daemon_status(self, timeout_s: float = 2.0) -> wire.StatusReply | None:
        """Of the local model process, while it takes the server's place."""
        return await self.current.daemon_status(timeout_s)

    async def close(self) -> None:
        """As the protocol says."""
        if (left := self._taken()) is not None:
            await _let_go(*left)
        await self._remote.close()

    def _on_remote(self, state: EngineState) -> None:
        if state.phase is Phase.READY:
            if (left := self._taken()) is not None:
                tasks.start(_let_go(*left), "letting the local model go")
            self._on_state(state)
        elif state.phase not in _AWAY:
            if self._local is None:
                self._on_state(state)
        elif self._local is None:  # told once: from here on the local engine's states are the window's
            message = f"{state.message}; the local model takes its place until it is back"
            self._on_state(replace(state, message=message))
            self._local = EngineClient(self._local_settings, self._on_local)
            self._local_task = tasks.start(self._local.run(), "the local model in the server's place")

    def _on_local(self, state: EngineState) -> None:
        if self._local is not None:
            self._on_state(self.state)

    def _taken(self) -> "tuple[EngineClient, asyncio.Task[None]] | None":
        """The local engine, which answers no more."""
        local, task = self._local, self._local_task
        self._local = self._local_task = None
        return None if local is None or task is None else (local, task)


async def _let_go(local: EngineClient, task: "asyncio.Task[None]") -> None:
    """Leave the local model process to others."""
    task.cancel()
    await asyncio.wait([task])
    await local.close()
