"""Where a model daemon listens: a Unix socket, or a TCP port on the loopback interface with a secret.

Windows has no Unix sockets in asyncio. There, and wherever `MIDFILL_TRANSPORT=tcp` is set, the daemon listens on a port
that the system chooses, and writes it beside two random secrets into a file that its user alone can read. A
client sends the first, the daemon answers with the second: other users can reach the port, but are not let in, and
a process that gets the port after a daemon that died is not taken for it.

Rules: `path` names a daemon in both cases; it exists while one listens. Before the secret nothing is read as a
frame and nothing is said. An address without a daemon raises FileNotFoundError or ConnectionRefusedError.
"""

import asyncio
import hmac
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.library.records import write_private

_SECRET_BYTES = 32
# A client sends its secret at once.
_SECRET_TIMEOUT_S = 5.0

OnConnection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def uses_tcp() -> bool:
    """Whether daemons are reached over TCP rather than a Unix socket."""
    return sys.platform == "win32" or os.environ.get("MIDFILL_TRANSPORT") == "tcp"


async def listen(path: Path, on_connection: OnConnection) -> asyncio.Server:
    """Listen at an address whose lock the caller holds; what a dead daemon left there is replaced."""
    path.unlink(missing_ok=True)
    if sys.platform != "win32" and not uses_tcp():
        server = await asyncio.start_unix_server(on_connection, path)
        with _closed_on_failure(server):
            path.chmod(0o600)
        return server
    secret, answer = secrets.token_bytes(_SECRET_BYTES), secrets.token_bytes(_SECRET_BYTES)

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await _is_let_in(reader, secret):
            writer.write(answer)
            await on_connection(reader, writer)
        else:
            writer.close()

    server = await asyncio.start_server(admit, "127.0.0.1", 0)
    with _closed_on_failure(server):
        port = server.sockets[0].getsockname()[1]
        write_private(path, json.dumps({"port": port, "secret": secret.hex(), "answer": answer.hex()}))
    return server


@contextmanager
def _closed_on_failure(server: asyncio.Server) -> Iterator[None]:
    """Nobody may be let in to a daemon that is not to be: who came would wait for it for ever."""
    try:
        yield
    except Exception:
        server.close()
        raise


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams to the daemon at an address; FileNotFoundError or ConnectionRefusedError when there is none."""
    if sys.platform != "win32" and not uses_tcp():
        return await asyncio.open_unix_connection(path)
    try:
        place = json.loads(path.read_text(encoding="ascii"))
        port, secret, answer = int(place["port"]), bytes.fromhex(place["secret"]), bytes.fromhex(place["answer"])
    except (ValueError, KeyError, TypeError) as error:
        raise FileNotFoundError(f"{path} names no port") from error
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(secret)
    if not await _is_let_in(reader, answer):
        writer.close()
        raise ConnectionRefusedError(f"what listens at port {port} is not the daemon of {path}")
    return reader, writer


async def answers(path: Path) -> bool:
    """Whether a daemon is there; a socket that a dead one has left is none."""
    try:
        _, writer = await connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


async def _is_let_in(reader: asyncio.StreamReader, secret: bytes) -> bool:
    """Whether the other side begins with a secret; compared in a time that does not tell how much of it is right."""
    try:
        sent = await asyncio.wait_for(reader.readexactly(len(secret)), _SECRET_TIMEOUT_S)
    except (asyncio.IncompleteReadError, TimeoutError, OSError):
        return False
    return hmac.compare_digest(sent, secret)
