"""The table of methods is what the server answers, and what the page for authors of editors says of it."""

import asyncio
import re
from pathlib import Path
from typing import Any

from lsprotocol import types as t

from lsp_server.methods.table import COMMANDS, METHODS, ON_DEMAND, build_server
from lsp_server.server import GROWN

PROTOCOL = (Path(__file__).parents[3] / "docs/protocol.md").read_text()


def test_the_server_answers_what_the_table_says_and_nothing_else_of_documents() -> None:
    manager = build_server().protocol.fm
    assert set(manager.features) == set(METHODS)
    assert set(manager.commands) == set(COMMANDS)
    followed = {name for name in manager.builtin_features if name.startswith(("textDocument/", "notebookDocument/"))}
    assert followed == set(), "pygls keeps no document"


def test_the_page_names_every_method_that_is_not_of_the_protocol_and_no_other() -> None:
    beyond = {name for name in (*METHODS, *ON_DEMAND) if name not in t.METHOD_TO_TYPES}
    named = set(re.findall(r"`((?:\$/)?(?:midfill|textDocument)/\w+)`|`(midfill\.\w+)`", PROTOCOL))
    assert {name or command for name, command in named} == {
        *beyond, *COMMANDS, GROWN, t.TEXT_DOCUMENT_INLINE_COMPLETION,
    }  # fmt: skip


def test_edits_are_followed_as_their_messages_come_and_in_their_order() -> None:
    async def body() -> None:
        server = build_server()
        initialize = t.InitializeParams(capabilities=t.ClientCapabilities())
        for handler, arguments, _ in server.protocol.lsp_initialize(initialize):
            handler(*arguments)

        def tell(method: str, **params: Any) -> None:
            message = {"jsonrpc": "2.0", "method": f"textDocument/{method}", "params": params}
            server.protocol.handle_message(server.protocol.structure_message(message))

        tell("didOpen", textDocument={"uri": "file:///a.py", "languageId": "python", "version": 1, "text": "a\n"})
        document = server.documents.get("file:///a.py")
        assert document is not None
        opened = document.n_edits
        for version, text in ((2, "b"), (3, "c")):
            at = {"line": 0, "character": 1}
            changes = [{"range": {"start": at, "end": at}, "text": text}]
            tell("didChange", textDocument={"uri": "file:///a.py", "version": version}, contentChanges=changes)
        assert (document.text, document.n_edits - opened) == ("acb\n", 2)
        tell("didClose", textDocument={"uri": "file:///a.py"})
        assert server.documents.get("file:///a.py") is None
        server.stop_choosing()

    asyncio.run(body())
