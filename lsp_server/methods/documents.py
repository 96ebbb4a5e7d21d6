"""What the editor says of documents and notebooks: it goes to the store, and to what follows the edits.

Rules: these run on the event loop, in the order of the messages, and take less than 2 ms. A message about a document
that is not open is ignored.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lsprotocol import types as t

from lsp_server.server import Midfill
from lsp_server.workspace.epochs import OPEN_S, PAUSE_S


def did_open(ls: Midfill, params: t.DidOpenTextDocumentParams) -> None:
    """A document is there."""
    ls.stalls.watch()
    ls.documents.open(params.text_document)
    _touch(ls, params.text_document.uri, OPEN_S)


def did_change(ls: Midfill, params: t.DidChangeTextDocumentParams) -> None:
    """It was edited."""
    ls.stalls.watch()
    ls.documents.change(params, ls.encoding)
    ls.recorder.edited(params.text_document.uri, params.content_changes)
    _touch(ls, params.text_document.uri, PAUSE_S)


def did_save(ls: Midfill, params: t.DidSaveTextDocumentParams) -> None:
    """It was saved: a good moment to choose its context anew."""
    _touch(ls, params.text_document.uri, 0.0)


def did_close(ls: Midfill, params: t.DidCloseTextDocumentParams) -> None:
    """It is gone."""
    with _closing(ls, [params.text_document]):
        ls.documents.close(params.text_document.uri)


def did_open_notebook(ls: Midfill, params: t.DidOpenNotebookDocumentParams) -> None:
    """A notebook is there, with its cells."""
    ls.stalls.watch()
    with _closing(ls, []):
        ls.documents.open_notebook(params)
    for cell in params.cell_text_documents[:1]:
        _touch(ls, cell.uri, OPEN_S)


def did_change_notebook(ls: Midfill, params: t.DidChangeNotebookDocumentParams) -> None:
    """Its cells, or what stands in them, changed."""
    ls.stalls.watch()
    if (cells := params.change.cells) is None:
        return
    structure, contents = cells.structure, cells.text_content or ()
    with _closing(ls, structure.did_close or () if structure else ()):
        ls.documents.change_notebook(params, ls.encoding)
    for content in contents:
        ls.recorder.edited(content.document.uri, content.changes)
        _touch(ls, content.document.uri, PAUSE_S)


def did_save_notebook(ls: Midfill, params: t.DidSaveNotebookDocumentParams) -> None:
    """It was saved."""
    if ls.epochs.touched.startswith(f"{params.notebook_document.uri}#"):
        ls.epochs.touch(ls.epochs.touched, 0.0)


def did_close_notebook(ls: Midfill, params: t.DidCloseNotebookDocumentParams) -> None:
    """It is gone, with its cells."""
    with _closing(ls, params.cell_text_documents):
        ls.documents.close_notebook(params)


def _touch(ls: Midfill, uri: str, wait_s: float) -> None:
    if (document := ls.documents.get(uri)) is not None:
        ls.epochs.touch(ls.documents.whole(document).uri, wait_s)


@contextmanager
def _closing(ls: Midfill, documents: Sequence[t.TextDocumentIdentifier]) -> Iterator[None]:
    """Around what closes these documents: what is not open any more is forgotten."""
    for closed in documents:
        ls.recorder.closed(closed.uri)
    before = {document.uri for document in ls.documents}
    yield
    for uri in before - {document.uri for document in ls.documents}:
        ls.forget(uri)
