"""Who is let in, and with what: the key, the host that was asked for, the kind and the size of a body.

A browser reaches a loopback port, too. A page cannot send JSON to another site without asking first, which is not
answered; and one whose name was made to mean this machine says that name as its host. So no page gets past this.

Rules: `/health` alone needs no key. Keys are compared in a time that does not tell how much of one is right.
"""

import asyncio
import hashlib
import hmac
import ipaddress

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from lsp_server.serve.refusals import Refused, error_response

MOST_BYTES = 8 << 20
# Of a body that is too large, how much is read and thrown away: who is cut off while he sends hears no answer.
_MOST_READ_BYTES = 64 << 20
_BODY_S = 30
_OPEN = "/health"
_BEARER = "bearer "


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Gate:
    """Lets requests through to an application. Without a key only those that name a loopback host."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = None if key is None else _digest(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http":
                self._check(scope)
        except Refused as refused:
            await error_response(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._key is None:
            host = headers.get("host", "")
            if not is_loopback(host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host):
                raise Refused(403, "this server answers at this machine's own address alone")
        elif scope["path"] != _OPEN:
            given = headers.get("authorization", "")
            sent = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
            if not hmac.compare_digest(_digest(sent), self._key):
                raise Refused(401, "the key is wrong, or there is none: send it as `Authorization: Bearer KEY`")
        if scope["method"] == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise Refused(415, "the body must be sent as Content-Type: application/json")


async def body_of(request: Request) -> bytes:
    """A request's body; Refused when it is too large."""
    data, n_bytes = bytearray(), 0
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                n_bytes += len(part)
                if n_bytes <= MOST_BYTES:
                    data += part
                elif n_bytes > _MOST_READ_BYTES:
                    break
    except ClientDisconnect as error:
        raise Refused(400, "the body did not come whole") from error
    except TimeoutError as error:
        raise Refused(408, f"the body did not come within {_BODY_S} seconds") from error
    if n_bytes > MOST_BYTES:
        raise Refused(413, f"the body is larger than {MOST_BYTES >> 20} MiB")
    return bytes(data)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
