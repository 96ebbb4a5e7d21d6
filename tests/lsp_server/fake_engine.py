"""An engine that says what a test scripted, and an engine client around it that is always ready."""

import asyncio
from collections.abc import AsyncIterator

from completion.types import Delta, Format, Prompt, PromptSpec
from model.client import EngineState, Phase


class ByteTokenizer:
    """One token per byte: ids 0..255. Implements completion.types.Tokenizer."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id]) if token_id < 256 else b""


class FakeModel:
    """What model.client.LoadedModel says of a model."""

    name = "fake"
    tokenizer = ByteTokenizer()
    spec = PromptSpec(
        repo_name=None,
        file_sep=None,
        fim_prefix=None,
        fim_suffix=None,
        fim_middle=None,
        stop_token_ids=(256,),
        bos=None,
        line_format=Format.LEFT,
        block_format=Format.LEFT,
    )
    context_tokens = 32_768


class FakeClient:
    """Stands in for model.client.EngineClient. Each `generate` waits for `go`, then says the bytes of `says`."""

    def __init__(self, says: str = "urn 1\n") -> None:
        self.says = says
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self.n_closed = 0  # generations that were ended before they were done
        self.closed = asyncio.Event()
        self.n_woken = 0
        self.state = EngineState(phase=Phase.READY, message="ready", fraction=None)
        self.loaded: FakeModel | None = FakeModel()

    async def generate(self, prompt: Prompt, *, session: str) -> AsyncIterator[Delta]:
        self.started.set()
        done = False
        try:
            await self.go.wait()
            for byte in prompt.heal + self.says.encode():
                yield Delta(token_ids=(byte,), logprobs=(-0.1,))
            done = True
        finally:
            if not done:
                self.n_closed += 1
                self.closed.set()

    def wake(self) -> None:
        self.n_woken += 1

    async def daemon_status(self) -> None:
        return None
