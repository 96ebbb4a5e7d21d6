"""The client of an index worker: whatever keeps the worker from running is a state, and is tried again."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lsp_server.index import client as client_module
from lsp_server.index.client import IndexClient
from lsp_server.index.state import IndexPhase

TIMEOUT_S = 30.0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client_module, "_FIRST_RETRY_S", 0.05)
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("def one(): ...\n")
    return root


def run(root: Path, scenario: Callable[[IndexClient, asyncio.Event], Awaitable[None]]) -> None:
    async def body() -> None:
        changed = asyncio.Event()
        client = IndexClient(root, lambda state: changed.set())
        await scenario(client, changed)
        await client.close()
        assert client._process is None

    asyncio.run(asyncio.wait_for(body(), TIMEOUT_S))


async def until(client: IndexClient, changed: asyncio.Event, phase: IndexPhase) -> None:
    while client.state.phase is not phase:
        changed.clear()
        await changed.wait()


def test_a_worker_that_cannot_be_started_is_a_state_and_started_when_it_can(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: IndexClient, changed: asyncio.Event) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(root / "no-such-python"))
            await until(client, changed, IndexPhase.FAILED)
            assert "no-such-python" in client.state.message
        await until(client, changed, IndexPhase.READY)

    run(root, scenario)


def test_a_worker_that_dies_is_a_state_and_started_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(client: IndexClient, changed: asyncio.Event) -> None:
        await until(client, changed, IndexPhase.READY)
        first = client._process
        assert first is not None
        first.kill()
        await until(client, changed, IndexPhase.FAILED)
        assert "ended with code -9" in client.state.message
        await until(client, changed, IndexPhase.READY)
        assert client._process is not first

    run(root, scenario)


def test_an_index_client_that_never_could_start_its_worker_can_be_closed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: IndexClient, changed: asyncio.Event) -> None:
        monkeypatch.setattr(sys, "executable", str(root / "no-such-python"))
        await until(client, changed, IndexPhase.FAILED)

    run(root, scenario)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the worker")
def test_a_worker_that_does_not_leave_is_gone_when_its_client_is_closed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = root / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 600\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(deaf))
    monkeypatch.setattr(client_module, "_LEAVE_S", 0.2)
    seen: list[asyncio.subprocess.Process] = []

    async def scenario(client: IndexClient, changed: asyncio.Event) -> None:
        process = None
        while process is None:
            await asyncio.sleep(0.01)
            process = client._process
        seen.append(process)

    run(root, scenario)
    assert seen[0].returncode == -9
