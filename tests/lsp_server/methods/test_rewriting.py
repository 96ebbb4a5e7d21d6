"""Where no rule says what follows, the model is asked: behind every completion, and about the present text alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, NamedTuple

from lsprotocol import types as t

from completion.types import Delta, Priority, Prompt
from lsp_server.config import Config, DaemonConfig, NextEditConfig
from lsp_server.server import Midfill
from tests.completion.next_edit.author import Author
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.test_handlers import URI, insert, run

BEFORE = """\
def fetch(name):
    return load(name)
def show(name):
    user = load(name)
    print(fetch(user))
    return user
"""


class Writer(FakeClient):
    """A client whose model would write another call; with `holds` it waits before it says anything."""

    def __init__(self) -> None:
        super().__init__()
        self.author = Author({"    user = load(name)": ["    user = load_the_whole_thing(name)"]})
        self.holds = False
        self.ended = asyncio.Event()

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.asked.append((session, priority))
        self.started.set()
        try:
            if self.holds:
                await asyncio.Event().wait()
            async for delta in self.author.generate(prompt, session=session, priority=priority):
                yield delta
        finally:
            self.ended.set()


class Document(NamedTuple):
    uri: str
    version: None = None


class Params(NamedTuple):
    textDocument: Document


def edited(scenario: Callable[[Midfill, Writer], Awaitable[None]], config: Config | None = None) -> None:
    """Run a scenario in which another function was just called, and the model is a `Writer`."""

    async def body(server: Midfill, client: FakeClient) -> None:
        server.config = config or Config(max_wait_ms=0, next_edit=NextEditConfig(enabled=True, eagerness=1.0))
        server.documents.open(t.TextDocumentItem(uri=URI, language_id="python", version=1, text=BEFORE))
        insert(server, "_the_whole_thing(1) + \\\n        f", 1, 15)  # no one line became another: no rule follows
        writer = Writer()
        server.engine.client = writer  # type: ignore[assignment]
        server.engine.renew_deps()
        await scenario(server, writer)

    run(body)


async def asked(server: Midfill) -> dict[str, Any]:
    answer: dict[str, Any] = await server.protocol.fm.features["midfill/nextEdit"](Params(Document(URI)))
    return answer


def test_what_the_model_would_write_is_offered_behind_what_completions_ask() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        (edit,) = (await asked(server))["edits"]
        assert (edit["layer"], edit["text"], edit["position"]) == (
            "model",
            "_the_whole_thing",
            {"line": 4, "character": 15},
        )
        assert {priority for _, priority in client.asked} == {Priority.NEXT}
        assert server.session_of(URI) not in {session for session, _ in client.asked}

    edited(scenario)


def test_the_model_is_not_asked_where_a_rule_says_what_follows() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        insert(server, "re", 0, 4)  # the function is called `refetch` now
        edits = (await asked(server))["edits"]
        assert {edit["layer"] for edit in edits} == {"rename"}
        assert client.asked == []

    edited(scenario)


def test_it_ends_when_the_document_changes() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        client.holds = True
        answer = asyncio.create_task(asked(server))
        await client.started.wait()
        insert(server, "x", 2, 0)
        assert (await answer)["edits"] == []
        assert client.ended.is_set()

    edited(scenario)


def test_it_ends_when_the_editor_cancels() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        client.holds = True
        answer = asyncio.create_task(asked(server))
        await client.started.wait()
        answer.cancel()
        await asyncio.wait({answer})
        await asyncio.wait_for(client.ended.wait(), 20)

    edited(scenario)


def test_the_model_is_asked_only_by_who_wants_to_see_everything() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        assert (await asked(server))["edits"] == []
        assert client.asked == []

    edited(scenario, Config(next_edit=NextEditConfig(enabled=True, eagerness=0.9)))


def test_nothing_is_asked_where_nothing_is_to_be_computed_ahead() -> None:
    async def scenario(server: Midfill, client: Writer) -> None:
        assert (await asked(server))["edits"] == []
        assert client.asked == []

    enabled = NextEditConfig(enabled=True, eagerness=1.0)
    edited(scenario, replace(Config(next_edit=enabled), daemon=DaemonConfig(idle="never")))
