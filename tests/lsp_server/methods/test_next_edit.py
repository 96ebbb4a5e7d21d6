"""A renamed name is followed into other files a few at a time."""

from typing import Any, NamedTuple

from lsprotocol import types as t

from lsp_server.config import Config, NextEditConfig
from lsp_server.server import Midfill
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.test_handlers import URI, insert, run

USING = "from a import load_rows\n\n\nx = load_rows()\n"


class Document(NamedTuple):
    uri: str
    version: None = None


class Params(NamedTuple):
    textDocument: Document


def test_three_files_at_a_time_are_offered_and_the_rest_when_those_are_changed() -> None:
    others = [f"file:///w/{name}.py" for name in "bcdef"]

    async def body(server: Midfill, client: FakeClient) -> None:
        async def asked() -> list[str]:
            answer: Any = await server.protocol.fm.features["midfill/nextEdit"](Params(Document(URI)))
            return list(dict.fromkeys(edit["textDocument"]["uri"] for edit in answer["edits"]))

        server.config = Config(next_edit=NextEditConfig(enabled=True))
        for uri, text in ((URI, "def load_rows():\n    return 1\n"), *((uri, USING) for uri in others)):
            server.documents.open(t.TextDocumentItem(uri=uri, language_id="python", version=1, text=text))
        insert(server, "_now", 0, 13)
        assert await asked() == others[:3]
        for uri in others[:3]:
            text = USING.replace("load_rows", "load_rows_now")
            server.documents.open(t.TextDocumentItem(uri=uri, language_id="python", version=2, text=text))
        assert await asked() == others[3:]

    run(body)
