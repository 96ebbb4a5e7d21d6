"""pygls's protocol, with documents of our own: what the editor says of them goes to the store and to who follows them.

Rules: these methods run on the event loop, in the order of the messages, and take less than 2 ms. A message about a
document that is not open is ignored.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from lsp_server.documents import notebooks

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

    @lsp_method(t.INITIALIZE)
    def lsp_initialize(self, params: t.InitializeParams) -> Generator[Any, Any, t.InitializeResult]:
        """Say what the server can do; pygls omits notebooks to editors that have said nothing of them."""
        result: t.InitializeResult = yield from super().lsp_initialize(params)
        result.capabilities.notebook_document_sync = notebooks.SYNC
        return result

    # -- documents -----------------------------------------------------------------------------------------

    @lsp_method(t.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: t.DidOpenTextDocumentParams) -> None:
        self._server.stalls.watch()
        self._server.documents.open(params.text_document)
        self._touch(params.text_document.uri, OPEN_S)

    @lsp_method(t.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: t.DidChangeTextDocumentParams) -> None:
        self._server.stalls.watch()
        self._server.documents.change(params, self._server.encoding)
        self._server.recorder.edited(params.text_document.uri, params.content_changes)
        self._touch(params.text_document.uri, PAUSE_S)

    @lsp_method(t.TEXT_DOCUMENT_DID_SAVE)
    def lsp_text_document__did_save(self, params: t.DidSaveTextDocumentParams) -> None:
        self._touch(params.text_document.uri, 0.0)

    @lsp_method(t.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: t.DidCloseTextDocumentParams) -> None:
        with self._closing([params.text_document]):
            self._server.documents.close(params.text_document.uri)

    # -- notebooks -----------------------------------------------------------------------------------------

    @lsp_method(t.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: t.DidOpenNotebookDocumentParams) -> None:
        self._server.stalls.watch()
        with self._closing([]):
            self._server.documents.open_notebook(params)
        for cell in params.cell_text_documents[:1]:
            self._touch(cell.uri, OPEN_S)

    @lsp_method(t.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: t.DidChangeNotebookDocumentParams) -> None:
        self._server.stalls.watch()
        if (cells := params.change.cells) is None:
            return
        structure, contents = cells.structure, cells.text_content or ()
        with self._closing(structure.did_close or () if structure else ()):
            self._server.documents.change_notebook(params, self._server.encoding)
        for content in contents:
            self._server.recorder.edited(content.document.uri, content.changes)
            self._touch(content.document.uri, PAUSE_S)

    @lsp_method(t.NOTEBOOK_DOCUMENT_DID_SAVE)
    def lsp_notebook_document__did_save(self, params: t.DidSaveNotebookDocumentParams) -> None:
        if self._server.touched.startswith(f"{params.notebook_document.uri}#"):
            self._server.touch(self._server.touched, 0.0)

    @lsp_method(t.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: t.DidCloseNotebookDocumentParams) -> None:
        with self._closing(params.cell_text_documents):
            self._server.documents.close_notebook(params)

    def _touch(self, uri: str, wait_s: float) -> None:
        if (document := self._server.documents.get(uri)) is not None:
            self._server.touch(self._server.documents.whole(document).uri, wait_s)

    @contextmanager
    def _closing(self, documents: Sequence[t.TextDocumentIdentifier]) -> Iterator[None]:
        """Around what closes these documents: what is not open any more is forgotten."""
        for closed in documents:
            self._server.recorder.closed(closed.uri)
        before = {document.uri for document in self._server.documents}
        yield
        for uri in before - {document.uri for document in self._server.documents}:
            self._server.forget(uri)
