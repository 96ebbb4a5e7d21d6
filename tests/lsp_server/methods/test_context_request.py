"""`midfill/context` tells the window that a completion at a place would be sent."""

from typing import Any, NamedTuple

import pytest
from lsprotocol import types as t

from lsp_server.server import Midfill
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.test_handlers import URI, ask, insert, run

LIBRARY = "def ret(width, height):\n    return width * height\n"


class Document(NamedTuple):
    uri: str


class Params(NamedTuple):
    textDocument: Document
    position: Any


async def window(server: Midfill, line: int = 1, character: int = 7, uri: str = URI) -> dict[str, Any]:
    handler = server.protocol.fm.features["midfill/context"]
    answer: dict[str, Any] = await handler(Params(Document(uri), t.Position(line, character)))
    return answer


def test_it_is_the_window_of_the_text_as_it_is_now() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        before = await window(server)
        assert (before["path"], before["line"], before["column"], before["mode"]) == ("a.py", 2, 8, "line")
        assert before["nPrompt"] == before["nFile"] <= before["maxTokens"]
        insert(server, "urn some_value", 1, 7)  # not saved, and a token a byte
        after = await window(server, 1, 21)
        assert after["nPrompt"] > before["nPrompt"]
        assert after["column"] == 22

    run(scenario)


def test_snippets_of_other_files_come_with_their_origin_and_are_those_of_the_completion() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        item = t.TextDocumentItem(uri="file:///w/app/lib.py", language_id="python", version=1, text=LIBRARY)
        server.documents.open(item)
        await server.epochs._workbench.read([server.epochs._page(document) for document in server.documents])
        told = await window(server)
        (snippet,) = told["snippets"]
        assert (snippet["path"], snippet["text"]) == ("lib.py", LIBRARY)
        assert snippet["sources"]
        assert told["nFile"] + snippet["tokens"] == told["nPrompt"]
        await ask(server)
        (explained,) = server.recorder.why(1)
        assert [(one["path"], one["tokens"]) for one in explained["context"]] == [("lib.py", snippet["tokens"])]
        assert explained["context"][0]["sources"] == snippet["sources"]

    run(scenario)


def test_it_says_why_nothing_is_asked_there_while_typing() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        assert (await window(server, 1, 5))["skip"] == "a word stands right behind the cursor"
        assert (await window(server, 1, 7))["skip"] == ""

    run(scenario)


@pytest.mark.parametrize("params", [None, Params(Document(URI), None)])
def test_nonsense_is_answered(params: Any) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        answer = await server.protocol.fm.features["midfill/context"](params)
        assert answer == {"message": "no position was given", "snippets": []}

    run(scenario)


def test_without_a_model_or_a_document_it_says_so() -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        loaded, client.loaded = client.loaded, None
        assert "before a model is loaded" in (await window(server))["message"]
        client.loaded = loaded
        assert "not open" in (await window(server, uri="file:///w/app/b.py"))["message"]

    run(scenario)
