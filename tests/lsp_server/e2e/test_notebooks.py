"""Notebooks over stdio: a cell sees the cells around it and the repository of the notebook's file."""

from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.e2e.test_documents import context, options, shown, wait_for_index, wait_for_shown, wait_until
from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e

LIBRARY = "def area_of(width, height):\n    return width * height\n"


def cell_uri(notebook: Path, name: str) -> str:
    return notebook.as_uri().replace("file://", "vscode-notebook-cell:") + f"#{name}"


def item(notebook: Path, name: str, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": cell_uri(notebook, name), "languageId": language, "version": 1, "text": text}


def cell(notebook: Path, name: str, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": cell_uri(notebook, name)}


def change(session: Session, notebook: Path, cells: dict[str, Any]) -> None:
    identifier = {"uri": notebook.as_uri(), "version": None}
    session.notify("notebookDocument/didChange", {"notebookDocument": identifier, "change": {"cells": cells}})


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A place for a notebook in a workspace with a library."""
    folder = tmp_path / "w" / "my notes"
    folder.mkdir(parents=True)
    (folder.parent / "library.py").write_text(LIBRARY)
    return folder / "analysis.ipynb"


def n_file(session: Session, notebook: Path, name: str, line: int = 0) -> int:
    """Tokens of the prompt that are of the notebook: those of the tiny model are bytes."""
    told = context(session, cell_uri(notebook, name), line, 0)
    assert told["path"] == "my notes/analysis.ipynb"
    return int(told["nFile"])


def test_cells_are_one_document_in_its_files_place(ready_cache: Path, tiny_model: Path, notebook: Path) -> None:
    workspace = notebook.parent.parent
    texts = {"1": "from library import area_of", "2": "width = 3", "3": "print(area_of(width, "}
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        assert session.capabilities["notebookDocumentSync"]["notebookSelector"] == [{"notebook": "*"}]
        session.wait_for_phase("ready")
        wait_for_index(session, workspace)
        opened = {
            "notebookDocument": {
                "uri": notebook.as_uri(),
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [cell(notebook, name) for name in texts],
            },
            "cellTextDocuments": [item(notebook, *each) for each in texts.items()],
        }
        session.notify("notebookDocument/didOpen", opened)
        third = cell_uri(notebook, "3")
        # Snippets of the repository, for the import in another cell.
        told = context(session, third, 0, 21)
        assert [(s["path"], s["text"]) for s in told["snippets"]] == [("library.py", LIBRARY)]
        assert "imported" in told["snippets"][0]["sources"]
        alone = n_file(session, notebook, "3")
        more = {"array": {"start": 2, "deleteCount": 0, "cells": [cell(notebook, "n")]}}
        change(session, notebook, {"structure": more | {"didOpen": [item(notebook, "n", "height = 1234")]}})
        assert n_file(session, notebook, "3") == alone + len("height = 1234\n\n")
        end = {"line": 0, "character": 13}
        edit = {"range": {"start": end, "end": end}, "text": "56"}
        content = {"document": {"uri": cell_uri(notebook, "n"), "version": None}, "changes": [edit]}
        change(session, notebook, {"textContent": [content]})
        assert n_file(session, notebook, "3") == alone + len("height = 123456\n\n")
        items = session.complete(third, 0, 21)
        assert all(item["range"]["start"]["line"] == 0 for item in items)  # of the cell
        last = session.status()["last"]
        assert last["nPrompt"] > len("".join(texts.values())) + len(LIBRARY)
        session.notify("notebookDocument/didSave", {"notebookDocument": {"uri": notebook.as_uri()}})
        closed = {"notebookDocument": {"uri": notebook.as_uri()}, "cellTextDocuments": []}
        closed["cellTextDocuments"] = [{"uri": cell_uri(notebook, name)} for name in (*texts, "n")]
        session.notify("notebookDocument/didClose", closed)
        assert "not open" in context(session, third)["message"]


def test_other_files_are_shown_the_cells_while_the_notebook_is_open(
    ready_cache: Path, tiny_model: Path, notebook: Path
) -> None:
    workspace = notebook.parent.parent
    user = (workspace / "user.py").as_uri()
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        opened = {
            "notebookDocument": {
                "uri": notebook.as_uri(), "notebookType": "jupyter-notebook", "version": 1,
                "cells": [cell(notebook, "1")],
            },
            "cellTextDocuments": [item(notebook, "1", "def area_in_cell(depth):\n    return depth")],
        }  # fmt: skip
        session.notify("notebookDocument/didOpen", opened)
        session.open(user, "x = 1\n\nprint(area_in_cell(")
        wait_for_shown(session, user, "def area_in_cell(depth)")
        closed = {
            "notebookDocument": {"uri": notebook.as_uri()},
            "cellTextDocuments": [{"uri": cell_uri(notebook, "1")}],
        }
        session.notify("notebookDocument/didClose", closed)
        wait_until(lambda: "area_in_cell" not in shown(session, user))


def test_cells_of_an_editor_that_says_nothing_of_notebooks_have_its_place_too(
    ready_cache: Path, tiny_model: Path, notebook: Path
) -> None:
    workspace = notebook.parent.parent
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        wait_for_index(session, workspace)
        for name, text in (("W0", "from library import area_of"), ("W1", "print(area_of(")):
            session.notify("textDocument/didOpen", {"textDocument": item(notebook, name, text)})
        told = context(session, cell_uri(notebook, "W1"), 0, 14)
        assert told["path"] == "my notes/analysis.ipynb"
        assert [snippet["path"] for snippet in told["snippets"]] == ["library.py"]
