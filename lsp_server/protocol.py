"""pygls's protocol, with documents of our own: what the editor says of them goes to the store and to who follows them.

Rules: these methods run on the event loop, in the order of the messages, and take less than 2 ms. A message about a
document that is not open is ignored.
"""

from typing import TYPE_CHECKING, Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

if TYPE_CHECKING:
    from lsp_server.server import Midfill

# Without a keystroke for so long, the user is thinking: time for a new choice of context. A file that was just opened
# is looked at first.
PAUSE_S, OPEN_S = 1.5, 0.2


class Protocol(LanguageServerProtocol):
    """pygls's protocol without its own document store: ours follows the edits (see `documents`)."""

    _server: "Midfill"

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn JSON into a typed message. pygls leaves a malformed request without an answer; it gets one here."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    @lsp_method(t.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: t.DidOpenTextDocumentParams) -> None:
        self._server.stalls.watch()
        self._server.documents.open(params.text_document)
        self._server.touch(params.text_document.uri, OPEN_S)

    @lsp_method(t.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: t.DidChangeTextDocumentParams) -> None:
        self._server.stalls.watch()
        self._server.documents.change(params, self._server.encoding)
        self._server.recorder.edited(params.text_document.uri, params.content_changes)
        self._server.touch(params.text_document.uri, PAUSE_S)

    @lsp_method(t.TEXT_DOCUMENT_DID_SAVE)
    def lsp_text_document__did_save(self, params: t.DidSaveTextDocumentParams) -> None:
        self._server.touch(params.text_document.uri, 0.0)

    @lsp_method(t.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: t.DidCloseTextDocumentParams) -> None:
        self._server.recorder.closed(params.text_document.uri)
        self._server.documents.close(params.text_document.uri)
        self._server.forget(params.text_document.uri)
