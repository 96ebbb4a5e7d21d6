"""How an answer goes out: whole or as server-sent events, and only as long as its client is there.

Rules: a client that hangs up ends the work for it at once, whether it is computed or waits. Before the first event an
error has its status; behind it, it is an event.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lsp_server.serve.refusals import Refused, error_body, error_response

T = TypeVar("T")
Event = Mapping[str, Any] | str
DONE = "[DONE]"


class ClientGone(Exception):
    """Nobody is there to be answered."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work; where the client goes before, it is cancelled and ClientGone raised."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.wait({task, watch})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Events(Response):
    """Server-sent events of JSON, as they come."""

    def __init__(self, events: AsyncGenerator[Event, None], headers: Mapping[str, str]) -> None:
        super().__init__(None, 200, dict(headers) | {"cache-control": "no-store"}, "text/event-stream")
        self._events = events
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_connected(receive, self._send(send))
        except Refused as refused:
            await error_response(refused)(scope, receive, send)
        except ClientGone:
            pass

    async def _send(self, send: Send) -> None:
        has_begun = False
        async with aclosing(self._events) as events:
            try:
                async for event in events:
                    if not has_begun:
                        has_begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": _event(event), "more_body": True})
            except Refused as refused:
                if not has_begun:
                    raise
                await send({"type": "http.response.body", "body": _event(error_body(refused)), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(event: Mapping[str, Any] | str) -> bytes:
    text = event if isinstance(event, str) else json.dumps(event)
    return f"data: {text}\n\n".encode()
