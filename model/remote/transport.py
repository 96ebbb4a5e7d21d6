"""HTTP to one server: JSON in one piece, or a stream of lines. httpx does the protocol, this bounds and explains it.

A request has a connection of its own (HTTP/1.1), since closing that is what every server and proxy understands: of
HTTP/2 httpcore closes a stream without telling the server, and after a hundred of these can send nothing more.

Rules: whatever a server does ends in an answer or a `RemoteProblem`, never in a hang: a request has a time for its
answer, a line and an answer have a size. No redirect is followed. No proxy stands before this machine's own
addresses. A request is sent again only while nothing of its answer has come.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import httpx2

from model.remote.problem import Kind, RemoteProblem, refusal
from model.remote.settings import Target

log = logging.getLogger(__name__)

# Before another try. The first is at once: a kept connection that the server has closed meanwhile looks like a failure.
_PAUSES_S = (0.0, 0.1, 0.4)
# A server that asks for more than this is left alone for so long; who waits for an answer is told.
_LONGEST_PAUSE_S = 1.0
_CONNECT_S = 5.0
# A line holds one event: some tokens with the likeliest others, or a whole prompt's echo at the end.
_MOST_LINE_BYTES = 4 << 20
_MOST_JSON_BYTES = 32 << 20
_MOST_SAID_BYTES = 4_096  # of what a refusal says
_CONNECTIONS = 8

Json = dict[str, Any]


class Transport:
    """The connections to one server. Use `async with`."""

    def __init__(self, target: Target, *, ca_file: str, timeout_s: float) -> None:
        """RemoteProblem when the file of certificates cannot be used."""
        self.host, self._timeout_s = target.host, timeout_s
        headers = {"User-Agent": f"midfill/{version('midfill')}", "Accept-Encoding": "identity"}
        if target.key:
            headers["Authorization"] = f"Bearer {target.key}"
        self._client = httpx2.AsyncClient(
            base_url=target.base,
            headers=headers,
            http2=False,  # a stream that is closed there stays open for the server, which goes on computing
            verify=_certificates(ca_file),
            trust_env=not target.is_loopback,
            follow_redirects=False,
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
            limits=httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=60.0),
        )

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Json:
        """The JSON object at a path."""
        return await self._whole("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """The JSON object that answers another."""
        return await self._whole("POST", path, body)

    async def text(self, path: str) -> str:
        """The text at a path."""
        return (await self._read_all("GET", path, None)).decode("utf-8", "replace")

    async def lines(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The lines of an answer as they come, without their ends. Closing the iterator hangs up at once."""
        async with self._answer("POST", path, body) as response:
            buffer = bytearray()
            async for data in response.aiter_bytes():
                buffer += data
                *whole, rest = bytes(buffer).split(b"\n")
                buffer = bytearray(rest)
                for line in whole:
                    yield line.rstrip(b"\r")
                if len(buffer) > _MOST_LINE_BYTES:
                    raise RemoteProblem(f"{self.host} sends a line without an end", Kind.AWAY)
            if buffer:
                yield bytes(buffer)

    async def _whole(self, method: str, path: str, body: Mapping[str, Any] | None) -> Json:
        data = await self._read_all(method, path, body)
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise garbage(self.host, path) from error
        if not isinstance(answer, dict):
            raise garbage(self.host, path)
        return answer

    async def _read_all(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s), self._answer(method, path, body) as response:
                data = bytearray()
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > _MOST_JSON_BYTES:
                        raise RemoteProblem(f"{self.host} sends an answer without an end", Kind.AWAY)
                return bytes(data)
        except TimeoutError as error:
            raise too_late(self.host, self._timeout_s) from error

    @asynccontextmanager
    async def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> AsyncIterator[httpx2.Response]:
        """An answer whose status is 200; its connection is given up unless it is read to its end."""
        response = await self._sent(method, path, body)
        try:
            yield response
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._broken(error, again=False) from error
        finally:
            await response.aclose()

    async def _sent(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        """Send, and again after a pause while nothing has come back."""
        for pause_s in _PAUSES_S:
            try:
                return await self._send_once(method, path, body)
            except RemoteProblem as problem:
                pause_s = max(pause_s, problem.wait_s)
                if not problem.again or pause_s > _LONGEST_PAUSE_S:
                    raise
                log.debug("sent again: %s", problem)
            await asyncio.sleep(pause_s)
        return await self._send_once(method, path, body)

    async def _send_once(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        if self._client.is_closed:  # who still holds on to a server that was lost
            raise RemoteProblem(f"{self.host} is away", Kind.AWAY)
        try:
            request = self._client.build_request(method, path, json=body)
            response = await self._client.send(request, stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._broken(error, again=not isinstance(error, httpx2.TimeoutException)) from error
        if response.status_code == 200:
            return response
        try:
            said = await self._beginning(response)
        finally:
            await response.aclose()
        raise refusal(self.host, path, response.status_code, said, response.headers.get("retry-after"))

    async def _beginning(self, response: httpx2.Response) -> str:
        """What a refusal says, as far as it comes."""
        data = b""
        try:
            async with asyncio.timeout(self._timeout_s):
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > _MOST_SAID_BYTES:
                        break
        except (httpx2.HTTPError, TimeoutError):
            pass
        return _message_in(data[:_MOST_SAID_BYTES])

    def _broken(self, error: Exception, *, again: bool) -> RemoteProblem:
        """What a failure of the connection means."""
        if _is_about_certificate(error):
            message = f"{self.host} shows a certificate that is not trusted here (engine.caFile): {error}"
            return RemoteProblem(message, Kind.REFUSED)
        if isinstance(error, httpx2.TimeoutException):
            return too_late(self.host, self._timeout_s)
        if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
            return RemoteProblem(
                f"{self.host} cannot be reached: {error or type(error).__name__}", Kind.AWAY, again=again
            )
        if isinstance(error, httpx2.DecodingError | httpx2.LocalProtocolError):
            return garbage(self.host, "its address")
        return RemoteProblem(f"{self.host} hung up: {error or type(error).__name__}", Kind.AWAY, again=again)


def too_late(host: str, timeout_s: float) -> RemoteProblem:
    """The server says nothing for too long."""
    return RemoteProblem(f"{host} has said nothing for {timeout_s:g} s (engine.timeoutMs)", Kind.AWAY)


def garbage(host: str, path: str) -> RemoteProblem:
    """What the server said is not what such a server says."""
    return RemoteProblem(f"{host} answers {path} with something that midfill does not understand", Kind.AWAY)


def _certificates(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise RemoteProblem(f"engine.caFile {ca_file} cannot be used: {error}", Kind.REFUSED) from error


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _message_in(data: bytes) -> str:
    """The words in an error's JSON, as these servers send it; the text itself where it is none."""
    text = data.decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except ValueError:
        return "" if text.lstrip().startswith("<") else text  # a proxy's page
    for key in ("error", "message", "detail"):
        if isinstance(answer, dict):
            answer = answer.get(key, answer)
    return answer if isinstance(answer, str) else ""
