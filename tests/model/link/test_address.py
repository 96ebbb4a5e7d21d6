"""The loopback transport: its secrets, its file, and the whole of client and daemon over it."""

import asyncio
import json
import os
import random
import signal
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from model.link import address
from model.link.client import EngineClient
from model.link.spawn import EngineSettings, socket_path
from tests.conftest import daemons_of
from tests.lsp_server.session import Session

TEXT = "def add(a, b):\n    return "


@pytest.fixture(autouse=True)
def tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_TRANSPORT", "tcp")
    monkeypatch.setattr(address, "_SECRET_TIMEOUT_S", 1.0)


def place_of(path: Path) -> dict[str, object]:
    place: dict[str, object] = json.loads(path.read_text())
    return place


def raw(path: Path, data: bytes) -> bytes:
    """What is answered to bytes sent to a daemon's port, until it hangs up."""
    with socket.create_connection(("127.0.0.1", int(str(place_of(path)["port"])))) as client:
        client.settimeout(20)
        received = b""
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(4096):
                received += part
        except OSError:  # it hung up while we were still talking
            pass
        return received


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello " + await reader.read(100))
    writer.close()


def check(path: Path, act: Callable[[], Awaitable[None]]) -> None:
    """Run `act` while an echo listens at `path`."""

    async def run() -> None:
        server = await address.listen(path, echo)
        await act()
        server.close()

    asyncio.run(run())


def test_who_knows_the_secret_is_let_in(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"

    async def act() -> None:
        reader, writer = await address.connect(path)
        writer.write(b"world")
        writer.write_eof()
        assert await reader.read() == b"hello world"
        writer.close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.is_file()  # no Unix socket

    check(path, act)
    assert [file.name for file in tmp_path.iterdir()] == ["a.sock"]


@pytest.mark.parametrize("change", ["one bit", "short", "nothing", "the answer", "noise"])
def test_who_does_not_know_it_is_told_nothing(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.sock"

    async def act() -> None:
        secret = bytes.fromhex(str(place_of(path)["secret"]))
        sent = {
            "one bit": secret[:-1] + bytes([secret[-1] ^ 1]),
            "short": secret[:-1],
            "nothing": b"",
            "the answer": bytes.fromhex(str(place_of(path)["answer"])),
            "noise": random.Random(0).randbytes(5000),
        }[change]
        assert await asyncio.to_thread(raw, path, sent) == b""
        reader, writer = await address.connect(path)  # others are served as before
        writer.write(b"world")
        assert await reader.read() == b"hello world"
        writer.close()

    check(path, act)


def test_who_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"

    async def act() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(str(place_of(path)["port"])))
        assert await reader.read() == b""
        writer.close()

    check(path, act)


def test_a_stranger_at_the_port_of_a_dead_daemon_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(32))  # what it was sent is all it knows

    async def act() -> None:
        server = await asyncio.start_server(stranger, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        path.write_text(json.dumps({"port": port, "secret": "11" * 32, "answer": "22" * 32}))
        with pytest.raises(ConnectionRefusedError, match="is not the daemon of"):
            await address.connect(path)
        server.close()

    asyncio.run(act())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": 1}', '{"port": 1, "secret": "x", "answer": ""}', "\xe9"])
def test_a_file_that_names_no_port_is_no_daemon(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.sock").write_text(text)
    with pytest.raises(FileNotFoundError):
        asyncio.run(address.connect(tmp_path / "a.sock"))
    with pytest.raises(FileNotFoundError):
        asyncio.run(address.connect(tmp_path / "b.sock"))


def test_every_daemon_has_secrets_of_its_own_and_a_file_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    seen: list[dict[str, object]] = []

    async def act() -> None:
        seen.append(place_of(path))

    check(path, act)
    path.chmod(0o644)
    check(path, act)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len({place[key] for place in seen for key in ("secret", "answer")}) == 4


# -- client and daemon -------------------------------------------------------------------------------------


@pytest.mark.e2e
def test_server_and_daemon_complete_over_the_loopback_and_survive_nonsense(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    dice = random.Random(0)
    options = {"model": str(tiny_model), "maxWaitMs": 0}
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        path = socket_path(EngineSettings(model=str(tiny_model)))
        assert path.is_file()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = bytes.fromhex(str(place_of(path)["secret"]))
        answer = bytes.fromhex(str(place_of(path)["answer"]))
        for number in range(100):
            frame = struct.pack(">I", dice.randrange(1 << 32)) + dice.randbytes(dice.randrange(200))
            said = raw(path, secret + frame if number % 2 else frame)
            assert said.startswith(answer) == bool(number % 2), said
            assert said == b"" or number % 2
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 1, 11)
        assert session.status()["daemon"]["pid"] == pid
        assert session.status()["outcomes"].get("engine_down") is None
    assert daemons_of(ready_cache) == [pid]
    assert asyncio.run(EngineClient.stop_daemon(path))
    assert not path.exists()
    assert not asyncio.run(EngineClient.stop_daemon(path))


@pytest.mark.e2e
def test_another_daemon_takes_the_place_of_one_that_was_killed(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": 0}
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        session.allowed_errors = 1
        first = session.wait_for_phase("ready")["daemon"]["pid"]
        os.kill(first, signal.SIGKILL)  # its file stays
        session.wait_for_phase("down")
        assert session.wait_for_phase("ready")["daemon"]["pid"] != first
