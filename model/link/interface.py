"""What the server needs of an engine, wherever that runs: in the daemon (`client`), or elsewhere (`model.remote`).

Rules: `generate` never waits for an engine to become ready: without one it raises EngineUnavailable at once.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from completion.types import Delta, Priority, Prompt
from model.link import wire
from model.link.client import EngineState, LoadedModel


class ModelClient(Protocol):
    """Finds or makes an engine, keeps it, and generates. `current` is what a prompt for `loaded` is sent to."""

    @property
    def state(self) -> EngineState: ...

    @property
    def loaded(self) -> LoadedModel | None: ...

    @property
    def current(self) -> "ModelClient": ...

    @property
    def host(self) -> str:
        """Where prompts go, off this machine or not; "" for the local model process."""
        ...

    def describe(self) -> str:
        """What is known of a remote engine, in a sentence; "" for the local model process."""
        ...

    async def run(self) -> None:
        """Keep an engine until cancelled."""
        ...

    def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]: ...

    def wake(self) -> None:
        """Somebody asks: try again what was given up; returns at once."""
        ...

    async def warm(self, prompt: Prompt, *, session: str) -> None: ...

    async def daemon_status(self, timeout_s: float = 2.0) -> wire.StatusReply | None: ...

    async def close(self) -> None:
        """Let go of it. Cancel `run` first."""
        ...
