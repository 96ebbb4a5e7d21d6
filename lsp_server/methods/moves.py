"""The notification `midfill/didMove`: the cursor went to another line, and the user may type there next.

Editors tell servers of no cursor. Without this the first keys behind a jump wait for what stands around them to be
read: at 300 tokens a second a dozen keys. VS Code's extension and the Neovim plugin send it; the prompt window there
is then read while the person looks for the first key.

Rules: nothing is answered, and nothing shown; a message that makes no sense is ignored.
"""

from typing import Any

from lsprotocol import types as t

from lsp_server.server import Midfill

# A user who holds an arrow key passes a line sooner.
_RESTS_S = 0.15


def did_move(ls: Midfill, params: Any) -> None:
    """{textDocument: {uri}, position}."""
    document = ls.documents.get(str(getattr(getattr(params, "textDocument", None), "uri", "")))
    position = getattr(params, "position", None)
    line, character = getattr(position, "line", None), getattr(position, "character", None)
    if document is None or not isinstance(line, int) or not isinstance(character, int) or ls.silence():
        return
    above, _ = ls.documents.around(document)
    place = t.Position(max(line, 0), max(character, 0))
    whole, cursor = ls.documents.whole(document), len(above) + document.offset(place, ls.encoding)
    ls.epochs.moved(whole.uri, ls.session_of(whole.uri), whole.text, cursor, _RESTS_S)
