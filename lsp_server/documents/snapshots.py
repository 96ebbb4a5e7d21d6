"""Freezes documents: an immutable text with its syntax tree, as the completion core wants it.

Rules: parsing goes on off the event loop. The last tree of an open document is kept, for the next parse to begin with.
"""

import asyncio
from collections.abc import Callable

from completion.types import DocumentSnapshot
from lsp_server import convert, memory
from lsp_server.documents.notebooks import OpenDocuments
from lsp_server.documents.store import Document
from parsers.languages import for_document
from parsers.parse import SyntaxTree, parse


class Snapshots:
    """Makes the snapshots of one editor window. `folders` are the URIs of its workspace folders."""

    def __init__(self, documents: OpenDocuments, folders: Callable[[], list[str]]) -> None:
        self._documents, self._folders = documents, folders
        self._trees: dict[str, SyntaxTree] = {}

    async def of(self, document: Document, text: str) -> DocumentSnapshot:
        """An immutable copy of a document, with `text` as its text, and its syntax tree."""
        uri, number = document.uri, document.n_edits
        language = for_document(uri, document.language_id)
        old = self._trees.get(uri)
        tree = await asyncio.to_thread(lambda: parse(language.id, text, old).settle())
        if self._documents.get(uri) is not None:
            self._trees[uri] = tree
        path, repo = convert.shown_path(uri, self._folders())
        return DocumentSnapshot(
            uri=uri, path=path, repo=repo, version=number, text=text, language=language.id, tree=tree
        )

    def shown_path(self, uri: str) -> str:
        """What a document is called to the model and the user: its path in its workspace folder, or its name."""
        return convert.shown_path(uri, self._folders())[0]

    def forget(self, uri: str) -> None:
        """Drop what is kept of a closed document."""
        memory.give_back_later(self._trees.pop(uri, None))
