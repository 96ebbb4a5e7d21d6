"""pygls's protocol, with documents of our own.

Rules: pygls keeps no document: what an editor says of one is a method like any other (`methods.table`), and `documents`
follows the edits.
"""

from collections.abc import Generator
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from lsp_server.documents import notebooks

# What pygls would answer itself, with a copy of every text.
_OURS = (
    t.TEXT_DOCUMENT_DID_OPEN,
    t.TEXT_DOCUMENT_DID_CHANGE,
    t.TEXT_DOCUMENT_DID_CLOSE,
    t.NOTEBOOK_DOCUMENT_DID_OPEN,
    t.NOTEBOOK_DOCUMENT_DID_CHANGE,
    t.NOTEBOOK_DOCUMENT_DID_CLOSE,
)


class Protocol(LanguageServerProtocol):
    """pygls's protocol without its own document store."""

    def _register_builtin_features(self) -> None:
        super()._register_builtin_features()  # type: ignore[no-untyped-call]
        for method in _OURS:
            del self.fm.builtin_features[method]

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
