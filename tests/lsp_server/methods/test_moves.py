"""Lines that the cursor comes to: what is around them is read before the user types there."""

import asyncio
from collections import namedtuple
from dataclasses import replace
from typing import Any

import pytest

from completion.types import Priority
from lsp_server.config import DaemonConfig
from lsp_server.server import Midfill
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.test_handlers import URI, run

_Document, _Position = namedtuple("Document", "uri"), namedtuple("Position", "line character")
_Params = namedtuple("Params", "textDocument position")


def move(server: Midfill, line: Any, character: Any = 0, uri: Any = URI) -> None:
    server.protocol.fm.features["midfill/didMove"](_Params(_Document(uri), _Position(line, character)))


def test_where_the_cursor_rests_the_window_is_read() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go_ahead.set()
        move(server, 1, 7)
        await asyncio.wait_for(client.started_ahead.wait(), 10)
        assert [priority for _, priority in client.asked] == [Priority.NEXT]
        assert server.epochs._cursors[URI] == len("def f():\n    ret")

    run(scenario)


def test_lines_that_are_passed_are_not_read() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go_ahead.set()
        for line in (0, 1, 0, 1, 0):
            move(server, line)
            await asyncio.sleep(0.02)
        await asyncio.wait_for(client.started_ahead.wait(), 10)
        await asyncio.sleep(0.3)
        assert len(client.asked) == 1

    run(scenario)


@pytest.mark.parametrize("what", ["silence", "idle work is off", "another document", "nonsense"])
def test_nothing_is_read_where_nothing_shall_be(what: str) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go_ahead.set()
        if what == "silence":
            server.snooze(5)
        elif what == "idle work is off":
            server.config = replace(server.config, daemon=DaemonConfig(idle="never"))
        move(server, "x" if what == "nonsense" else 1, 0, "file:///other.py" if what == "another document" else URI)
        await asyncio.sleep(0.4)
        assert client.asked == []

    run(scenario)
