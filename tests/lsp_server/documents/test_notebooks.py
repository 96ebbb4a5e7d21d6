"""The cells of a notebook are one document for each language, whatever is done to them."""

from typing import Any

from lsprotocol import types as t

from lsp_server.convert import converter_factory
from lsp_server.documents.notebooks import OpenDocuments

NOTEBOOK = "file:///w/nb/analysis.ipynb"
UTF16 = t.PositionEncodingKind.Utf16
CONVERTER = converter_factory()


def cell_uri(name: str) -> str:
    return f"vscode-notebook-cell:/w/nb/analysis.ipynb#{name}"


def cell(name: str, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": cell_uri(name), "metadata": {"collapsed": None}, "executionSummary": None}


def item(name: str, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": cell_uri(name), "languageId": language, "version": 1, "text": text}


def opened(*cells: tuple[str, str, str]) -> OpenDocuments:
    """Documents with one notebook of (name, text, language); markdown is prose."""
    documents = OpenDocuments()
    raw = {
        "notebookDocument": {
            "uri": NOTEBOOK,
            "notebookType": "jupyter-notebook",
            "version": 1,
            "cells": [cell(name, 1 if language == "markdown" else 2) for name, _, language in cells],
        },
        "cellTextDocuments": [item(*each) for each in cells],
    }
    documents.open_notebook(CONVERTER.structure(raw, t.DidOpenNotebookDocumentParams))
    return documents


def change(documents: OpenDocuments, cells: dict[str, Any], uri: str = NOTEBOOK) -> None:
    raw = {"notebookDocument": {"uri": uri, "version": 2}, "change": {"cells": cells}}
    documents.change_notebook(CONVERTER.structure(raw, t.DidChangeNotebookDocumentParams), UTF16)


def whole(documents: OpenDocuments, language: str = "python") -> str:
    document = documents.get(f"{NOTEBOOK}#{language}")
    return "" if document is None else document.text


def check(documents: OpenDocuments, name: str, above: str, text: str, below: str) -> None:
    """A cell has this text, and stands between these in its whole."""
    document = documents.get(cell_uri(name))
    assert document is not None
    assert (documents.around(document), document.text) == ((above, below), text)
    assert documents.whole(document).text == above + text + below


THREE = (("a", "import math", "python"), ("b", "x = 1", "python"), ("c", "y = x", "python"))


def test_a_cell_stands_between_those_above_and_those_below() -> None:
    documents = opened(*THREE)
    check(documents, "a", "", "import math", "\n\nx = 1\n\ny = x")
    check(documents, "b", "import math\n\n", "x = 1", "\n\ny = x")
    check(documents, "c", "import math\n\nx = 1\n\n", "y = x", "")
    assert [document.uri for document in documents] == [f"{NOTEBOOK}#python"]


def test_cells_of_another_language_are_left_out_and_prose_is_a_comment() -> None:
    documents = opened(
        ("a", "# Sales\n\nBy month.", "markdown"),
        ("b", "x = 1", "python"),
        ("c", "SELECT 1", "sql"),
        ("d", "y", "python"),
    )
    check(documents, "d", "# # Sales\n#\n# By month.\n\nx = 1\n\n", "y", "")
    check(documents, "c", "-- # Sales\n--\n-- By month.\n\n", "SELECT 1", "")
    check(documents, "a", "", "# Sales\n\nBy month.", "")
    assert {document.uri for document in documents} == {f"{NOTEBOOK}#{one}" for one in ("python", "sql", "markdown")}


def test_cells_come_and_go_and_change_places() -> None:
    documents = opened(*THREE)
    new = {"array": {"start": 1, "deleteCount": 0, "cells": [cell("n")]}, "didOpen": [item("n", "z = 0")]}
    change(documents, {"structure": new})
    assert whole(documents) == "import math\n\nz = 0\n\nx = 1\n\ny = x"
    moved = {"array": {"start": 1, "deleteCount": 3, "cells": [cell("c"), cell("b"), cell("n")]}}
    change(documents, {"structure": moved})
    assert whole(documents) == "import math\n\ny = x\n\nx = 1\n\nz = 0"
    gone = {"array": {"start": 0, "deleteCount": 2}, "didClose": [{"uri": cell_uri("a")}, {"uri": cell_uri("c")}]}
    change(documents, {"structure": gone})
    assert whole(documents) == "x = 1\n\nz = 0"
    assert documents.get(cell_uri("a")) is None
    both = {"array": {"start": 0, "deleteCount": 2, "cells": []}, "didClose": [{"uri": cell_uri(n)} for n in "bn"]}
    change(documents, {"structure": both})
    assert list(documents) == []
    change(documents, {"structure": new})  # an empty notebook is still open
    assert whole(documents) == "z = 0"


def test_a_cell_that_is_moved_may_be_closed_and_opened_again() -> None:
    documents = opened(*THREE)
    moved = {
        "array": {"start": 0, "deleteCount": 2, "cells": [cell("b"), cell("a")]},
        "didClose": [{"uri": cell_uri("a")}],
        "didOpen": [item("a", "import os")],
    }
    change(documents, {"structure": moved})
    assert whole(documents) == "x = 1\n\nimport os\n\ny = x"


def test_what_is_typed_in_a_cell_is_in_the_whole_at_once_and_another_text() -> None:
    documents = opened(*THREE)
    before = next(iter(documents))
    end = {"line": 0, "character": 5}
    edit = {"range": {"start": end, "end": end}, "text": "0"}
    change(documents, {"textContent": [{"document": {"uri": cell_uri("b"), "version": None}, "changes": [edit]}]})
    check(documents, "c", "import math\n\nx = 10\n\n", "y = x", "")
    after = documents.get(f"{NOTEBOOK}#python")
    assert after is not None
    assert after.n_edits != before.n_edits


def test_a_cell_may_become_prose_and_another_language() -> None:
    documents = opened(*THREE)
    again = {"array": {"start": 1, "deleteCount": 1, "cells": [cell("b", 1)]}}
    as_prose = again | {"didClose": [{"uri": cell_uri("b")}], "didOpen": [item("b", "x = 1", "markdown")]}
    change(documents, {"structure": as_prose})
    check(documents, "c", "import math\n\n# x = 1\n\n", "y = x", "")
    change(documents, {"data": [cell("b", 2)]})  # of the kind of code, but in no language of the others
    check(documents, "c", "import math\n\n", "y = x", "")


def test_a_closed_notebook_is_gone_with_its_cells() -> None:
    documents = opened(*THREE)
    assert whole(documents) != ""
    raw = {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": [{"uri": cell_uri(name)} for name in "abc"]}
    documents.close_notebook(CONVERTER.structure(raw, t.DidCloseNotebookDocumentParams))
    assert list(documents) == []
    assert documents.get(f"{NOTEBOOK}#python") is None
    change(documents, {"structure": {"array": {"start": 0, "deleteCount": 0, "cells": [cell("a")]}}})
    assert list(documents) == []


def test_nonsense_of_a_notebook_is_ignored() -> None:
    documents = opened(*THREE)
    change(documents, {"structure": {"array": {"start": 70, "deleteCount": 9, "cells": [cell("nobody")]}}})
    change(documents, {"textContent": [{"document": {"uri": "file:///nobody", "version": 1}, "changes": []}]})
    change(documents, {"data": [cell("stranger")]})
    change(documents, {"structure": {"array": {"start": 0, "deleteCount": 3}}}, uri="file:///w/unknown.ipynb")
    check(documents, "c", "import math\n\nx = 1\n\n", "y = x", "")


def test_of_an_editor_that_says_nothing_of_notebooks_cells_come_as_they_were_opened() -> None:
    documents = OpenDocuments()
    for name, text, language in (
        ("1", "import math", "python"),
        ("2", "# Sales", "markdown"),
        ("3", "x = 1", "python"),
    ):
        documents.open(CONVERTER.structure(item(name, text, language), t.TextDocumentItem))
    check(documents, "3", "import math\n\n", "x = 1", "")
    documents.close(cell_uri("1"))
    check(documents, "3", "", "x = 1", "")
    documents.close(cell_uri("3"))
    documents.close(cell_uri("2"))
    assert list(documents) == []


def test_a_document_that_is_no_cell_is_its_own_whole() -> None:
    documents = opened(*THREE)
    documents.open(t.TextDocumentItem(uri="file:///w/a.py", language_id="python", version=1, text="a = 1"))
    document = documents.get("file:///w/a.py")
    assert document is not None
    assert documents.whole(document) is document
    assert documents.around(document) == ("", "")
    assert [each.uri for each in documents] == [f"{NOTEBOOK}#python", "file:///w/a.py"]
