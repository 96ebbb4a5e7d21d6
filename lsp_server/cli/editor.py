"""A very small editor: starts `lsp_server --stdio` and speaks LSP with it. Used by doctor and the evals.

Rules: what the server asks of the editor is answered with null; what it announces goes to `on_notification`.
The server's log goes where this process's standard error goes, or nowhere.
"""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

Json = dict[str, Any]
_OWN_SERVER = (sys.executable, "-I", "-m", "lsp_server", "--stdio")


class ServerFailed(Exception):
    """The language server ended, or answered a request with an error; the message says which."""


class Editor:
    """One connection to a language server of its own. Use `async with await Editor.start(...)`."""

    def __init__(self, process: asyncio.subprocess.Process, on_notification: Callable[[str, Json], None]) -> None:
        self._process = process
        self.on_notification = on_notification
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @classmethod
    async def start(
        cls, on_notification: Callable[[str, Json], None], log: BinaryIO | int, command: Sequence[str] = _OWN_SERVER
    ) -> "Editor":
        """Start the server that belongs to this installation, or a command; its standard error goes to `log`."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        return cls(process, on_notification)

    async def __aenter__(self) -> "Editor":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Shut the server down as the protocol says, and kill it if it does not leave."""
        with contextlib.suppress(ServerFailed, TimeoutError):
            await asyncio.wait_for(self.request("shutdown", None), 5)
            self.notify("exit", None)
            await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()

    def notify(self, method: str, params: Json | None) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    async def request(self, method: str, params: Json | None) -> Any:
        """Send a request and wait for its result; ServerFailed when there is none. Cancelling it tells the server."""
        request_id = next(self._ids)
        future = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        if self._reading.done():
            future.set_exception(ServerFailed("the language server has ended"))
        else:
            self._send({"id": request_id, "method": method, "params": params})
        try:
            return await future
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": request_id})
            raise
        finally:
            del self._waiting[request_id]

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = (await self._process.stdout.readuntil(b"\r\n\r\n")).decode("ascii")
                length = next(
                    int(line.split(":")[1]) for line in header.split("\r\n") if line.startswith("Content-Length")
                )
                self._receive(json.loads(await self._process.stdout.readexactly(length)))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ServerFailed("the language server has ended"))

    def _receive(self, message: Json) -> None:
        if "method" in message:
            if "id" in message:
                self._send({"id": message["id"], "result": None})
            self.on_notification(message["method"], message.get("params") or {})
            return
        future = self._waiting.get(message["id"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(ServerFailed(message["error"]["message"]))
        else:
            future.set_result(message.get("result"))
