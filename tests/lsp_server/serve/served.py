"""`midfill serve` over a real socket in this very loop, before a model process that waits for the test.

Rules: requests are bytes on a connection, so that a test can hang up whenever it likes.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import uvicorn

from completion.types import Delta, EngineUnavailable, GenerationStats, Outcome, Priority, Prompt
from lsp_server.config import Config
from lsp_server.serve.app import Service, build
from model.link.client import EngineState, Phase
from tests.fakes import MIDDLE, PREFIX, SPEC, SUFFIX, ByteTokenizer

JSON = {"content-type": "application/json"}
_STATS = GenerationStats(
    n_prompt=0, n_cached=0, n_computed=0, n_generated=0, queue_ms=0.0, prefill_ms=2.0, decode_ms=0.0
)


class NamedTokenizer(ByteTokenizer):
    """Bytes, and sentinels with names; what has no bytes is "?", as with the real one."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def special_tokens(self) -> dict[str, int]:
        return {"<fim_prefix>": PREFIX, "<fim_suffix>": SUFFIX, "<fim_middle>": MIDDLE}


class FakeClient:
    """Stands in for model.link.client.EngineClient: says the healed bytes and then those of `says`, and a stop.

    With `hangs` it waits for ever behind them. `could` is what healed tokens have as `Delta.spelled`.
    """

    def __init__(self, says: str = "", *, hangs: bool = False, could: float = 0.0) -> None:
        self.says, self.hangs, self.could = says, hangs, could
        self.others: list[str] = []  # of the next candidates
        self.prompts: list[Prompt] = []
        self.sessions: list[str] = []
        self.priorities: list[Priority] = []
        self.hanging, self.ended = asyncio.Event(), asyncio.Event()
        self.n_ended = self.n_woken = 0
        self.fails: EngineUnavailable | None = None  # at once,
        self.breaks: EngineUnavailable | None = None  # or behind what it says
        self.state = EngineState(phase=Phase.READY, message="ready", fraction=None)
        self.loaded: Any = SimpleNamespace(
            name="fake-1b-sha",
            tokenizer=NamedTokenizer(),
            spec=SPEC,
            context_tokens=4096,
            architecture=SimpleNamespace(vocab=2_000_000),
        )

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""

    def wake(self) -> None:
        self.n_woken += 1

    async def daemon_status(self) -> None:
        return None

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.prompts.append(prompt)
        self.sessions.append(session)
        self.priorities.append(priority)
        try:
            if self.fails is not None:
                raise self.fails
            yield Delta(token_ids=(), logprobs=(), stats=replace(_STATS, n_prompt=len(prompt.token_ids), n_cached=3))
            for candidate, text in enumerate([self.says, *self.others][: prompt.n_candidates]):
                for n, byte in enumerate((prompt.heal + text.encode())[: prompt.max_tokens]):
                    could = self.could if n < len(prompt.heal) else 0.0
                    yield Delta(token_ids=(byte,), logprobs=(-0.5,), spelled=could, candidate=candidate)
            if self.breaks is not None:
                raise self.breaks
            if self.hangs:
                self.hanging.set()
                await asyncio.Event().wait()
        finally:
            self.n_ended += 1
            self.ended.set()

    def is_away(self, phase: Phase, message: str) -> None:
        """Be somewhere else than READY."""
        self.state = EngineState(phase=phase, message=message, fraction=None)
        self.fails = EngineUnavailable(message, Outcome.NOT_READY)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"]["message"])

    @property
    def events(self) -> list[Any]:
        parts = [part.removeprefix("data: ") for part in self.body.decode().split("\n\n") if part]
        return [part if part == "[DONE]" else json.loads(part) for part in parts]


@dataclass(slots=True)
class Served:
    """A server that listens."""

    client: FakeClient
    port: int

    async def open(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has asked."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {"host": f"127.0.0.1:{self.port}", "connection": "close", "content-length": str(len(data))}
        named |= JSON | dict(headers or {})
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
        writer.write(f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        await writer.drain()
        return reader, writer

    async def ask(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask and hear the whole answer."""
        reader, writer = await self.open(path, body, headers)
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        first, *lines = head.decode().split("\r\n")
        got = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Answer(int(first.split()[1]), got, _unchunked(rest) if "transfer-encoding" in got else rest)


def _unchunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        whole, data = whole + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return whole


@asynccontextmanager
async def serving(client: FakeClient, key: str | None = None) -> AsyncIterator[Served]:
    """Serve a client's model as "fake"."""
    app = build(Service(client, Config(), "fake"), key)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        yield Served(client, listening.getsockname()[1])
        server.should_exit = True
        await task
