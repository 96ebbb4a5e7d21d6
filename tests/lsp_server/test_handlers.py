"""The request path inside the server: one answer each, the newest request wins, a cancel reaches the engine."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from lsprotocol import types as t

from completion.types import Priority
from lsp_server.config import Config
from lsp_server.methods.table import build_server
from lsp_server.server import Midfill
from model.link.client import EngineState, Phase
from tests.lsp_server.fake_engine import FakeClient

URI = "file:///w/app/a.py"
TEXT = "def f():\n    ret\n"


def run(scenario: Callable[[Midfill, FakeClient], Awaitable[None]], says: str = "urn 1\n") -> None:
    """Run a scenario with an initialized server that has TEXT open and a fake engine."""

    async def body() -> None:
        server, client = build_server(), FakeClient(says)
        folder = t.WorkspaceFolder(uri="file:///w/app", name="app")
        initialize = t.InitializeParams(capabilities=t.ClientCapabilities(), workspace_folders=[folder])
        for _ in server.protocol.lsp_initialize(initialize):
            pass
        server.engine.client = client  # type: ignore[assignment]
        server.config = Config(max_wait_ms=0)  # nothing ends by itself
        item = t.TextDocumentItem(uri=URI, language_id="python", version=1, text=TEXT)
        server.documents.open(item)
        await scenario(server, client)

    asyncio.run(asyncio.wait_for(body(), 30))


def ask(server: Midfill, uri: str = URI, line: int = 1, character: int = 7, kind: int = 1) -> asyncio.Task[Any]:
    handler = server.protocol.fm.features[t.TEXT_DOCUMENT_INLINE_COMPLETION]
    context = t.InlineCompletionContext(trigger_kind=t.InlineCompletionTriggerKind(kind))
    position, identifier = t.Position(line, character), t.TextDocumentIdentifier(uri=uri)
    return asyncio.create_task(
        handler(t.InlineCompletionParams(context=context, text_document=identifier, position=position))
    )


def insert(server: Midfill, text: str, line: int, character: int, counts: bool = True) -> None:
    kept = server.documents.get(URI)
    assert kept is not None
    at = t.Position(line, character)
    change = t.TextDocumentContentChangePartial(range=t.Range(at, at), text=text)
    identifier = t.VersionedTextDocumentIdentifier(uri=URI, version=kept.version + counts)
    params = t.DidChangeTextDocumentParams(text_document=identifier, content_changes=[change])
    server.documents.change(params, server.encoding)


def test_a_completion_replaces_the_line_it_stands_on() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        (item,) = (await ask(server)).items
        assert item.insert_text == "    return 1"
        assert item.range == t.Range(t.Position(1, 0), t.Position(1, 7))
        assert server.journal.outcomes == {"ok": 1}

    run(scenario)


@pytest.mark.parametrize(("begin", "text"), [(4, "ret"), (0, "zzz")])
def test_beside_a_selected_item_of_the_popup_there_is_what_goes_on_from_it_or_nothing(begin: int, text: str) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        insert(server, "\n", 1, 6)  # "    re", and the popup has "ret"
        at_cursor = text == "ret"
        where = t.Range(t.Position(1, begin), t.Position(1, 6 if at_cursor else 2))
        context = t.InlineCompletionContext(
            trigger_kind=t.InlineCompletionTriggerKind.Automatic,
            selected_completion_info=t.SelectedCompletionInfo(range=where, text=text),
        )
        params = t.InlineCompletionParams(
            context=context, text_document=t.TextDocumentIdentifier(uri=URI), position=t.Position(1, 6)
        )
        items = (await server.protocol.fm.features[t.TEXT_DOCUMENT_INLINE_COMPLETION](params)).items
        assert [(item.insert_text, item.range) for item in items] == ([("return 1", where)] if at_cursor else [])
        assert server.journal.outcomes == ({"ok": 1} if at_cursor else {"skipped": 1})

    run(scenario)


@pytest.mark.parametrize("how", ["snoozed", "by hand"])
def test_no_automatic_request_is_answered_while_snoozed_or_by_hand(how: str) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        if how == "snoozed":
            server.protocol.fm.commands["midfill.snooze"](30)
        else:
            server.config = replace(server.config, automatic=False)
        assert (await ask(server, kind=2)).items == []
        assert server.journal.last is not None
        assert how.split()[0] in server.journal.last.reason or "only when asked" in server.journal.last.reason
        assert len((await ask(server, kind=1)).items) == 1
        if how == "snoozed":
            server.protocol.fm.commands["midfill.snooze"](0)
            assert len((await ask(server, kind=2)).items) == 1

    run(scenario)


def test_a_newer_request_for_the_document_ends_the_older_which_is_answered_empty() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        older = ask(server)
        await client.started.wait()
        newer = ask(server, character=6)
        assert (await older).items == []
        await client.closed.wait()
        assert client.n_closed == 1
        client.go.set()
        assert len((await newer).items) == 1
        assert server.journal.outcomes == {"stale": 1, "ok": 1}
        assert server.running == {}

    run(scenario, says="tt\n")  # a word, also before the last letter


def test_a_request_for_another_document_leaves_the_first_alone() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        other = "untitled:Untitled-1"
        server.documents.open(t.TextDocumentItem(uri=other, language_id="python", version=1, text=TEXT))
        both = [ask(server), ask(server, uri=other)]
        await client.started.wait()
        client.go.set()
        assert [len((await task).items) for task in both] == [1, 1]

    run(scenario)


def test_a_cancel_from_the_editor_closes_the_generation() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        task = ask(server)
        await client.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.closed.wait()
        assert server.journal.outcomes == {"cancelled": 1}
        assert server.running == {}

    run(scenario)


@pytest.mark.parametrize("counts", [True, False])
def test_an_edit_during_the_generation_makes_the_answer_empty(counts: bool) -> None:
    """Also of an editor that sends the same version again."""

    async def scenario(server: Midfill, client: FakeClient) -> None:
        task = ask(server)
        await client.started.wait()
        insert(server, "u", 1, 7, counts)
        client.go.set()
        assert (await task).items == []
        assert server.journal.outcomes == {"stale": 1}

    run(scenario)


def test_typing_what_was_suggested_needs_no_second_generation() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        await ask(server)
        insert(server, "urn", 1, 7)
        client.go.clear()  # a second generation would wait for ever
        (item,) = (await ask(server, character=10)).items
        assert item.insert_text == "    return 1"

    run(scenario)


def test_while_a_suggestion_is_shown_the_next_one_is_computed_and_a_request_ends_that() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        assert len((await ask(server, kind=2)).items) == 1
        await client.started_ahead.wait()
        (now, ahead), again = client.asked, ask(server, character=6)
        assert (now[0], now[1], ahead[1]) == (ahead[0], Priority.INTERACTIVE, Priority.NEXT)  # in the same session
        await client.closed_ahead.wait()
        assert len((await again).items) == 1

    run(scenario, says="tt\n")  # a word, also before the last letter


def test_accepting_finds_what_was_computed_ahead() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        await ask(server, kind=2)
        await client.started_ahead.wait()
        client.says = "x = 2\n"
        client.go_ahead.set()
        insert(server, "urn 1\n    ", 1, 7)
        client.go.clear()  # another generation would wait for ever
        deps = server.engine.deps()
        assert deps is not None
        await asyncio.wait([ahead.task for ahead in deps.inflight._ahead.values()])
        (item,) = (await ask(server, line=2, character=4, kind=2)).items
        assert item.insert_text == "    x = 2"
        assert [priority for _, priority in client.asked].count(Priority.INTERACTIVE) == 1

    run(scenario)


@pytest.mark.parametrize(("kind", "idle"), [(1, "auto"), (2, "never")])
def test_nothing_is_computed_ahead_for_an_invoked_request_or_where_nothing_shall_be(kind: int, idle: str) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        server.config = replace(server.config, daemon=replace(server.config.daemon, idle=idle))
        assert (await ask(server, kind=kind)).items
        await asyncio.sleep(0.6)
        assert not client.started_ahead.is_set()

    run(scenario)


def test_closing_the_document_ends_its_request() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        task = ask(server)
        await client.started.wait()
        close = t.DidCloseTextDocumentParams(text_document=t.TextDocumentIdentifier(uri=URI))
        server.protocol.fm.features[t.TEXT_DOCUMENT_DID_CLOSE](close)
        assert (await task).items == []
        assert client.n_closed == 1

    run(scenario)


def test_closing_the_document_ends_what_is_computed_ahead() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        await ask(server, kind=2)
        await client.started_ahead.wait()
        close = t.DidCloseTextDocumentParams(text_document=t.TextDocumentIdentifier(uri=URI))
        server.protocol.fm.features[t.TEXT_DOCUMENT_DID_CLOSE](close)
        await client.closed_ahead.wait()

    run(scenario)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.READY])
def test_without_a_ready_model_the_answer_is_empty_and_the_status_says_why(phase: Phase) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.state, client.loaded = EngineState(phase=phase, message="because of the moon", fraction=0.5), None
        assert (await ask(server)).items == []
        assert client.n_woken == 1
        down = phase in (Phase.FAILED, Phase.DOWN)
        assert server.journal.outcomes == {"engine_down" if down else "not_ready": 1}
        report = await server.protocol.fm.features["midfill/status"](None)
        assert "because of the moon" in report["message"]

    run(scenario)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"enabled": False}, "switched off"), ({"disabled_languages": ("python",)}, "disabledLanguages")],
)
def test_what_the_user_switched_off_stays_silent_and_says_so(change: dict[str, Any], reason: str) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        server.config = replace(server.config, **change)
        assert (await ask(server)).items == []
        assert not client.started.is_set()
        assert server.journal.last is not None
        assert reason in server.journal.last.reason

    run(scenario)


def test_a_bug_in_the_core_is_logged_and_answered_empty(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.loaded = object()  # type: ignore[assignment]
        assert (await ask(server)).items == []

    run(scenario)
    assert "AttributeError" in caplog.text


def test_the_log_has_one_line_per_request_without_source_text(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        await ask(server)

    with caplog.at_level("INFO", logger="lsp_server"):
        run(scenario)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "lsp_server.handlers"]
    assert "language=python outcome=ok mode=line" in line
    assert "return" not in line


def test_the_status_before_initialized_is_an_answer_too() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        server.engine.client = None
        report = await server.protocol.fm.features["midfill/status"](None)
        assert (report["phase"], report["daemon"], report["last"]) == ("starting", None, None)

    run(scenario)
