"""Open, closed and changed documents over stdio: what other files are shown of them is their text as it is now."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.session import TIMEOUT_S, Session

pytestmark = pytest.mark.e2e

OLD = "def area(width, height):\n    return width * height\n"
NEW = "def area(depth):\n    return depth\n"
USER = "from library import area\n\nprint(area("


def options(model: Path, **more: Any) -> dict[str, Any]:
    return {"model": str(model), "maxWaitMs": 0, "maxPromptTokens": 4096, "maxFileTokens": 1024, **more}


def context(session: Session, uri: str, line: int = 2, character: int = 11) -> dict[str, Any]:
    """The window of a completion in a document."""
    position = {"line": line, "character": character}
    answer: dict[str, Any] = session.request("midfill/context", {"textDocument": {"uri": uri}, "position": position})
    return answer


def shown(session: Session, uri: str) -> str:
    """All text of other files in a document's window."""
    return "".join(snippet["text"] for snippet in context(session, uri)["snippets"])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_shown(session: Session, uri: str, text: str) -> None:
    wait_until(lambda: text in shown(session, uri))


def wait_for_index(session: Session, folder: Path) -> None:
    wait_until(lambda: bool(session.status()["indexes"][str(folder)]["phase"] == "ready"))


@pytest.mark.parametrize("version", [1, None])
def test_a_version_that_stands_still_or_is_none_hides_no_edit(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, version: Any
) -> None:
    library, user = ((tmp_path / name).as_uri() for name in ("library.py", "user.py"))
    with Session(tmp_path, options=options(tiny_model), folders=[tmp_path]) as session:
        session.wait_for_phase("ready")
        for uri, text in ((library, OLD), (user, USER)):
            item = {"uri": uri, "languageId": "python", "text": text, "version": version}
            session.notify("textDocument/didOpen", {"textDocument": item})
        wait_for_shown(session, user, OLD)
        change = {
            "textDocument": {"uri": library, "version": version},
            "contentChanges": [{"text": NEW, "range": None}],
        }
        session.notify("textDocument/didChange", change)
        wait_for_shown(session, user, NEW)
        assert "width" not in shown(session, user)


@pytest.mark.parametrize("index", [True, False])
def test_a_closed_file_is_as_the_disk_has_it(ready_cache: Path, tiny_model: Path, tmp_path: Path, index: bool) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    file = workspace / "library.py"
    library, user = file.as_uri(), (workspace / "user.py").as_uri()
    file.write_text(OLD)
    with Session(workspace, options=options(tiny_model, context={"index": index}), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        session.open(library, OLD)
        session.open(user, USER)
        wait_for_shown(session, user, OLD)
        session.notify("textDocument/didClose", {"textDocument": {"uri": library}})
        file.write_text(NEW)  # git checkout
        session.open(library, NEW)
        wait_for_shown(session, user, NEW)
        assert "width" not in shown(session, user)
        session.change(library, 2, [{"text": "never_saved = 1\n"}])
        session.notify("textDocument/didClose", {"textDocument": {"uri": library}})
        file.write_text(OLD)
        wait_for_shown(session, user, OLD)
        assert "never_saved" not in shown(session, user)
        assert "depth" not in shown(session, user)
        file.unlink()
        wait_until(lambda: shown(session, user) == "")


def test_a_change_on_disk_of_a_file_that_was_never_open_arrives_without_a_key(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    functions = [OLD.replace("area", f"area_{n}") for n in range(12)]
    file, user = workspace / "library.py", (workspace / "user.py").as_uri()
    file.write_text("\n\n".join(functions))
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        wait_for_index(session, workspace)
        session.open(user, "from library import *\n\nprint(area_1, area_2, area_3, area_4(")
        wait_for_shown(session, user, functions[4])
        file.write_text("\n\n".join(functions).replace("def area_4(width, height)", "def area_4(depth)"))
        wait_for_shown(session, user, "def area_4(depth)")
        assert "def area_4(width, height)" not in shown(session, user)


def test_what_is_edited_and_not_saved_is_shown_as_it_is_and_not_as_it_was_indexed(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    file, user = workspace / "library.py", (workspace / "user.py").as_uri()
    other = "def volume(side):\n    return side**3\n"
    file.write_text(f"{OLD}\n\n{other}")
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        wait_for_index(session, workspace)
        session.open(user, "from library import area, volume\n\nprint(volume(2), area(")
        wait_for_shown(session, user, OLD)
        session.open(file.as_uri(), f"{OLD}\n\n{other}")
        session.change(file.as_uri(), 1, [{"text": f"# more\n\n\n{NEW}\n\n{other}"}])
        wait_for_shown(session, user, NEW)
        assert "width" not in shown(session, user)
        assert other in shown(session, user)
        file.write_text(f"# more\n\n\n{NEW}\n\n{other}")
        session.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
        session.notify("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
        file.write_text(f"{OLD}\n\n{other}")
        wait_until(lambda: "width" in shown(session, user) and "depth" not in shown(session, user))
