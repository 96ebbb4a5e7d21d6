"""Suggestions in the completion popup, for editors that know no other place."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as t

from lsp_server.config import Config
from lsp_server.methods.table import build_server
from lsp_server.server import Midfill
from tests.lsp_server.e2e.test_protocol import NO_MODEL
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.session import Session
from tests.lsp_server.test_handlers import TEXT, URI


def popup(
    text: str = TEXT, line: int = 1, character: int = 7, *, says: str = "urn 1\n", wanted: bool = True
) -> t.CompletionList:
    """What the popup is given at a place."""

    async def body() -> t.CompletionList:
        server, client = build_server(), FakeClient(says)
        client.go.set()
        options = {"completionFallback": True}
        initialize = t.InitializeParams(capabilities=t.ClientCapabilities(), initialization_options=options)
        for handler, arguments, _ in server.protocol.lsp_initialize(initialize):
            handler(*arguments)
        server.engine.client = client  # type: ignore[assignment]
        server.config = Config(max_wait_ms=0, completion_fallback=wanted)
        server.documents.open(t.TextDocumentItem(uri=URI, language_id="python", version=1, text=text))
        result = await _ask(server, line, character)
        server.stop_choosing()
        return result

    return asyncio.run(asyncio.wait_for(body(), 30))


async def _ask(server: Midfill, line: int, character: int) -> t.CompletionList:
    handler = server.protocol.fm.features[t.TEXT_DOCUMENT_COMPLETION]
    place = t.TextDocumentIdentifier(uri=URI), t.Position(line, character)
    result: t.CompletionList = await handler(t.CompletionParams(*place))
    return result


def test_the_item_replaces_the_word_it_begins_with() -> None:
    answer = popup()
    (item,) = answer.items
    assert answer.is_incomplete
    assert item.text_edit == t.TextEdit(range=t.Range(t.Position(1, 4), t.Position(1, 7)), new_text="return 1")
    assert (item.label, item.filter_text, item.detail) == ("return 1", "return 1", "midfill")
    assert item.insert_text_format is t.InsertTextFormat.PlainText
    assert item.kind is t.CompletionItemKind.Text
    assert item.command is not None
    assert item.command.command == "midfill.accepted"


def test_it_is_selected_though_it_stands_last() -> None:
    (item,) = popup().items
    assert item.preselect
    assert item.sort_text is not None
    assert item.sort_text > "zzz"


def test_many_lines_have_their_first_as_label_and_all_as_documentation() -> None:
    (item,) = popup("def f():\n    \n", 1, 4, says="x = 1\n    return x\n").items
    assert item.label == "x = 1 …"
    assert isinstance(item.text_edit, t.TextEdit)
    assert item.text_edit.new_text == "x = 1\n    return x"
    assert isinstance(item.documentation, t.MarkupContent)
    assert item.documentation.value == item.text_edit.new_text


def test_closers_that_the_suggestion_brings_are_replaced() -> None:
    (item,) = popup("f(a, b)\n", 0, 2, says="xyz)\n").items or [None]  # type: ignore[list-item]
    assert item is None  # code to the right: no automatic request is made
    (item,) = popup("f()\n", 0, 2, says="xyz)\n").items
    assert isinstance(item.text_edit, t.TextEdit)
    assert item.text_edit.range == t.Range(t.Position(0, 2), t.Position(0, 3))


def test_nothing_is_offered_while_it_is_switched_off() -> None:
    answer = popup(wanted=False)
    assert (answer.items, answer.is_incomplete) == ([], False)


@pytest.mark.e2e
def test_an_editor_is_told_of_it_at_the_start_or_later_and_never_by_default(tmp_path: Path, tiny_cache: Path) -> None:
    def start(**options: Any) -> Session:
        return Session(tmp_path, options={**NO_MODEL, **options})

    def asked(session: Session, method: str) -> list[str]:
        session.status()
        found = [message["params"] for message in session.messages if message["method"] == f"client/{method}"]
        return [one["method"] for params in found for many in params.values() for one in many]

    with start(completionFallback=True) as session:
        session.allowed_errors = 1
        assert "." in session.capabilities["completionProvider"]["triggerCharacters"]
        session.wait_for_phase("failed")
        session.open("untitled:a", "x")
        place = {"textDocument": {"uri": "untitled:a"}, "position": {"line": 0, "character": 1}}
        assert session.request("textDocument/completion", place)["items"] == []
        assert asked(session, "registerCapability") == []

    with start() as session:
        session.allowed_errors = 1
        assert "completionProvider" not in session.capabilities
        session.wait_for_phase("failed")
        assert asked(session, "registerCapability") == []
        session.notify("workspace/didChangeConfiguration", {"settings": {"completionFallback": True}})
        assert asked(session, "registerCapability") == ["textDocument/completion"]
        session.open("untitled:a", "x")
        assert session.request("textDocument/completion", place)["items"] == []
        session.notify("workspace/didChangeConfiguration", {"settings": {}})
        assert asked(session, "unregisterCapability") == ["textDocument/completion"]
