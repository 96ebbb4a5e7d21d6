"""Notebooks: the cells of one language are one document, in their order, at the place of the notebook's file.

An editor speaks of cells: each has a URI of its own, and is opened, edited and completed as a document is. Context,
trees and sessions are about the *whole* that a cell is part of: its notebook's cells of the same language, one after
the other, and the prose of its Markdown cells as comments. A document that is no cell is its own whole.

Rules: as `documents` says. What an editor calls positions and ranges are those of a cell; offsets in a whole's text are
known to `around` alone. Of editors that say nothing of notebooks the cells come in the order in which they were opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlparse

from lsprotocol import types as t

from lsp_server.documents.store import Document, DocumentStore
from parsers.languages import by_id, for_document

# All cells of all notebooks.
SYNC = t.NotebookDocumentSyncOptions(
    notebook_selector=[t.NotebookDocumentFilterWithNotebook(notebook="*")],
    save=True,
)
_CELL_SCHEME = "vscode-notebook-cell"
_BETWEEN = "\n\n"  # two cells, as between two definitions


@dataclass(slots=True)
class _Notebook:
    """Which cells an open notebook has, in order."""

    uri: str
    is_told: bool  # by the editor; else it has the cells that are open
    cells: list[t.NotebookCell] = field(default_factory=list)


class OpenDocuments(DocumentStore):
    """The open documents of a window by URI: those that the editor knows, and the wholes of its notebooks."""

    def __init__(self) -> None:
        super().__init__()
        self._notebooks: dict[str, _Notebook] = {}
        self._notebook_of: dict[str, _Notebook] = {}  # by the URI of a cell
        self._wholes: dict[str, tuple[object, Document]] = {}  # as they were last asked for, by their URI

    def __iter__(self) -> Iterator[Document]:
        """Every whole once."""
        wholes: dict[str, Document] = {}
        for document in super().__iter__():
            whole = self.whole(document)
            wholes[whole.uri] = whole
        self._wholes = {uri: kept for uri, kept in self._wholes.items() if uri in wholes}
        return iter(wholes.values())

    def get(self, uri: str) -> Document | None:
        """An open document, a cell or a whole; None when there is none of that URI."""
        if (document := super().get(uri)) is not None:
            return document
        return next((whole for whole in self if whole.uri == uri), None) if self._notebooks else None

    def whole(self, document: Document) -> Document:
        """What a document is part of."""
        notebook = self._notebook_of.get(document.uri)
        if notebook is None:
            return document
        language = _language_of(document)
        uri, parts = f"{notebook.uri}#{language}", self._parts(notebook, language)
        state = [(part.uri, part.n_edits, text is None) for part, text in parts]
        known = self._wholes.get(uri)
        if known is None or known[0] != state:
            text = _BETWEEN.join(part.text if text is None else text for part, text in parts)
            known = self._wholes[uri] = (state, Document(uri, language, 0, text))
        return known[1]

    def around(self, document: Document) -> tuple[str, str]:
        """What stands before and after a document's text in its whole."""
        notebook = self._notebook_of.get(document.uri)
        if notebook is None:
            return "", ""
        parts = self._parts(notebook, _language_of(document))
        texts = [part.text if text is None else text for part, text in parts]
        index = [part for part, _ in parts].index(document)
        above = "".join(text + _BETWEEN for text in texts[:index])
        return above, "".join(_BETWEEN + text for text in texts[index + 1 :])

    def open(self, item: t.TextDocumentItem) -> None:
        """Start keeping a document; a cell of a notebook that the editor has not opened comes to its end."""
        super().open(item)
        if item.uri not in self._notebook_of and urlparse(item.uri).scheme == _CELL_SCHEME:
            uri = _notebook_uri(item.uri)
            notebook = self._notebooks.setdefault(uri, _Notebook(uri, is_told=False))
            cell = t.NotebookCell(kind=t.NotebookCellKind.Code, document=item.uri)
            self._arrange(notebook, [*notebook.cells, cell])

    def close(self, uri: str) -> None:
        """Forget a document."""
        super().close(uri)
        notebook = self._notebook_of.get(uri)
        if notebook is not None and not notebook.is_told:
            self._arrange(notebook, [cell for cell in notebook.cells if cell.document != uri])
            if not notebook.cells:
                del self._notebooks[notebook.uri]

    def open_notebook(self, params: t.DidOpenNotebookDocumentParams) -> None:
        """Start keeping a notebook and its cells."""
        uri = params.notebook_document.uri
        if (old := self._notebooks.get(uri)) is not None:
            self._arrange(old, [])
        notebook = self._notebooks[uri] = _Notebook(uri, is_told=True)
        self._arrange(notebook, list(params.notebook_document.cells))
        for item in params.cell_text_documents:
            self.open(item)

    def change_notebook(
        self, params: t.DidChangeNotebookDocumentParams, encoding: t.PositionEncodingKind | str
    ) -> None:
        """Follow a change of a notebook: which cells it has, what they are, what stands in them."""
        notebook, cells = self._notebooks.get(params.notebook_document.uri), params.change.cells
        if notebook is None or cells is None:
            return
        if (structure := cells.structure) is not None:
            for closed in structure.did_close or ():
                super().close(closed.uri)
            start, n_deleted = structure.array.start, structure.array.delete_count
            now = list(notebook.cells)
            now[start : start + n_deleted] = structure.array.cells or ()
            self._arrange(notebook, now)
            for item in structure.did_open or ():
                self.open(item)
        if cells.data:
            kinds = {cell.document: cell for cell in cells.data}
            self._arrange(notebook, [kinds.get(cell.document, cell) for cell in notebook.cells])
        for content in cells.text_content or ():
            self.change(
                t.DidChangeTextDocumentParams(text_document=content.document, content_changes=content.changes), encoding
            )

    def close_notebook(self, params: t.DidCloseNotebookDocumentParams) -> None:
        """Forget a notebook and its cells."""
        for cell in params.cell_text_documents:
            super().close(cell.uri)
        if (notebook := self._notebooks.pop(params.notebook_document.uri, None)) is not None:
            self._arrange(notebook, [])

    def _arrange(self, notebook: _Notebook, cells: list[t.NotebookCell]) -> None:
        """Give a notebook these cells."""
        for cell in notebook.cells:
            self._notebook_of.pop(cell.document, None)
        notebook.cells = cells
        self._notebook_of |= {cell.document: notebook for cell in cells}

    def _parts(self, notebook: _Notebook, language: str) -> list[tuple[Document, str | None]]:
        """The cells of a whole in order, each with what it says there if that is not its text."""
        parts: list[tuple[Document, str | None]] = []
        for cell in notebook.cells:
            document = super().get(cell.document)
            if document is None:
                continue
            if _language_of(document) == language:
                parts.append((document, None))
            elif cell.kind is t.NotebookCellKind.Markup and (comment := by_id(language).line_comment):
                lines = document.text.splitlines()
                parts.append((document, "\n".join(f"{comment} {line}".rstrip() for line in lines)))
        return parts


def _language_of(document: Document) -> str:
    return for_document(document.uri, document.language_id).id


def _notebook_uri(cell_uri: str) -> str:
    """The notebook of a cell whose editor has not said it."""
    path = urlparse(cell_uri).path
    return f"file://{path}" if path.startswith("/") else f"untitled:{path}"
