"""The table of methods is what the server answers, and what the page for authors of editors says of it."""

import re
from pathlib import Path

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
