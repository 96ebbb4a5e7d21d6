"""A model server of the tests' own, over real sockets: it speaks as llama.cpp's does, and misbehaves as told.

Its tokens are bytes, as `tests.model.tiny` has them: ids from 256 on are sentinels.

Rules: what it says to `/completion` is the test's; every request is kept; a client that hangs up is noticed. After a
completion it hangs up itself, without having said so.
"""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.model.tiny import SPECIAL

Json = dict[str, Any]
SAYS = "urn a + b"


@dataclass(slots=True)
class Call:
    """A request under way."""

    method: str
    path: str
    headers: dict[str, str]
    body: Json
    writer: asyncio.StreamWriter
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int = 200, **headers: str) -> None:
        """The answer's head; what follows ends with the connection."""
        lines = [f"HTTP/1.1 {status} Said", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """The whole answer, as JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([*lines, "", ""]).encode() + data)

    async def event(self, event: Json) -> None:
        """One event of a stream."""
        await self.send(b"data: " + json.dumps(event).encode() + b"\n\n")

    async def tokens(self, says: bytes, logprob: float = -0.01) -> None:
        """One event for each byte, as llama.cpp's server has them."""
        for byte in says:
            token = {"id": byte, "token": chr(byte), "bytes": [byte], "logprob": logprob, "top_logprobs": []}
            await self.event({"content": "", "stop": False, "completion_probabilities": [token]})

    async def end(self, model: str = "tiny") -> None:
        """The last event."""
        await self.event({"content": "", "stop": True, "model": model, "timings": {"cache_n": 5, "prompt_ms": 2.0}})


Behaviour = Callable[[Call], Awaitable[None]]


def saying(text: str) -> Behaviour:
    """Say what is forced, then a text, as a good server does that stops at the end of the line."""

    async def behave(call: Call) -> None:
        forced = str(call.body.get("grammar", "")).partition('"')[2].partition('"')[0]
        says = forced.encode().decode("unicode_escape") + text
        await call.head()
        await call.tokens(says.encode()[: call.body["n_predict"]])
        await call.end()

    return behave


well = saying(SAYS)


class ModelServer:
    """One server; `completion` may be changed at any time, `pages` hold what other paths answer."""

    def __init__(self) -> None:
        self.completion: Behaviour = well
        self.calls: list[Call] = []
        self.key = ""
        self.model = "tiny"
        self.url = ""
        self.n_ctx = 4_096
        self.bos: int | None = None  # what it puts before a text
        self.pages: dict[str, Behaviour] = {}
        self._server: asyncio.Server | None = None
        self._tasks = set[asyncio.Task[None]]()

    @property
    def completions(self) -> list[Call]:
        """The requests for a completion."""
        return [call for call in self.calls if call.path.endswith(("/completion", "/completions", "/generate"))]

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen; on the same port as before with that port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Die: nothing listens, and every connection breaks."""
        assert self._server is not None
        self._server.close()
        for call in self.calls:
            call.writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while (call := await _read(reader, writer)) is not None:
                self.calls.append(call)
                if call not in self.completions:
                    await self._answer(call)
                    continue
                answering = asyncio.ensure_future(self._answer(call))
                watching = asyncio.ensure_future(_watch(reader, call))
                await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
                for each in (answering, watching):
                    each.cancel()
                await asyncio.wait({answering, watching})
                break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, call: Call) -> None:
        if self.key and call.headers.get("authorization") != f"Bearer {self.key}":
            await call.answer({"error": {"message": "Invalid API Key"}}, 401)
        elif behaviour := self.pages.get(call.path):
            await behaviour(call)
        elif call.path == "/props":
            await call.answer({"default_generation_settings": {"n_ctx": self.n_ctx}})
        elif call.path == "/v1/models":
            await call.answer({"data": [{"id": self.model}]})
        elif call.path == "/tokenize":
            tokens = [{"id": i, "piece": list(says)} for i, says in tokens_of(call.body["content"])]
            begun = call.body.get("add_special") and self.bos is not None
            await call.answer({"tokens": [{"id": self.bos, "piece": []}, *tokens] if begun else tokens})
        elif call.path == "/completion":
            await self.completion(call)
        else:
            await call.answer({"error": {"message": "File Not Found"}}, 404)


def tokens_of(text: str) -> list[tuple[int, bytes]]:
    """Ids and bytes of a text, its sentinels understood."""
    found: list[tuple[int, bytes]] = []
    while text:
        special = next((s for s in SPECIAL if text.startswith(s)), "")
        if special:
            found.append((256 + SPECIAL.index(special), special.encode()))
        else:
            found += [(byte, bytes([byte])) for byte in text[0].encode()]
        text = text[len(special) or 1 :]
    return found


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, json.loads(data) if data else {}, writer)


async def _watch(reader: asyncio.StreamReader, call: Call) -> None:
    """Notice that the client hangs up: it sends nothing while it waits for an answer."""
    if not await reader.read(1):
        call.hung_up.set()


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """A server on the test's own event loop."""
    server = ModelServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def server_in_thread() -> Iterator[tuple[ModelServer, Callable[[Any], Any]]]:
    """A server beside a test that has no event loop, and what runs a coroutine on its loop."""
    loop, server = asyncio.new_event_loop(), ModelServer()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    run(server.start())
    try:
        yield server, run
    finally:
        run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
