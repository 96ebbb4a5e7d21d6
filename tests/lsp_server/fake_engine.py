"""An engine client that is always ready, and whose generations wait for the test."""

import asyncio
from collections.abc import AsyncIterator

from completion.types import Delta, Priority, Prompt
from model.link.client import EngineState, Phase
from tests.fakes import SPEC, ByteTokenizer


class FakeModel:
    """What model.link.client.LoadedModel says of a model."""

    name = "fake"
    tokenizer = ByteTokenizer()
    spec = SPEC
    context_tokens = 32_768
    architecture = None
    can_rank = True
    has_logprobs = True


class FakeClient:
    """Stands in for model.link.client.EngineClient. Each `generate` waits for `go`, then says the bytes of `says`.

    What is computed ahead waits for `go_ahead` instead.
    """

    def __init__(self, says: str = "urn 1\n") -> None:
        self.says = says
        self.go = asyncio.Event()
        self.go_ahead = asyncio.Event()
        self.started_ahead = asyncio.Event()
        self.closed_ahead = asyncio.Event()
        self.asked: list[tuple[str, Priority]] = []  # session and priority of every generation
        self.started = asyncio.Event()
        self.n_closed = 0  # generations that were ended before they were done
        self.closed = asyncio.Event()
        self.n_woken = 0
        self.state = EngineState(phase=Phase.READY, message="ready", fraction=None)
        self.loaded: FakeModel | None = FakeModel()
        self.host = ""

    @property
    def current(self) -> "FakeClient":
        return self

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.asked.append((session, priority))
        is_ahead = priority is Priority.NEXT
        (self.started_ahead if is_ahead else self.started).set()
        done = False
        try:
            await (self.go_ahead if is_ahead else self.go).wait()
            for byte in prompt.heal + self.says.encode():
                yield Delta(token_ids=(byte,), logprobs=(-0.001,))
            done = True
        finally:
            if not done:
                self.n_closed += 1
                (self.closed_ahead if is_ahead else self.closed).set()

    async def warm(self, prompt: Prompt, *, session: str) -> None:
        """Nothing is kept."""

    def wake(self) -> None:
        self.n_woken += 1

    async def daemon_status(self) -> None:
        return None
