"""The real server over stdio: what follows from an edit is offered, in order, in its file and in others. No model."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.session import TIMEOUT_S, Session

pytestmark = pytest.mark.e2e
OPTIONS = {"model": "/nonexistent/model.gguf", "nextEdit": {"enabled": True, "eagerness": 0.6}}
TEXT = "def load(path):\n    return path\n\n\ndef main():\n    x = load(1)\n    y = 2\n    return load(x, y)\n"
NAME = (0, 4, 8)


@pytest.fixture
def fresh(tmp_path: Path, tiny_cache: Path) -> Iterator[Session]:
    """A server whose model cannot be had, which it says once."""
    with Session(tmp_path, options=OPTIONS) as running:
        running.allowed_errors = 1
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Such a server for tests that leave it nothing to remember."""
    folder = tmp_path_factory.mktemp("next-edits")
    with Session(folder, options=OPTIONS, environment={"MIDFILL_CACHE": str(folder / "cache")}) as session:
        session.allowed_errors = 1
        yield session


@pytest.fixture
def session(running: Session) -> Iterator[Session]:
    """The shared server, with no document before and after a test."""
    yield running
    running.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/a.py"}})


def typed(session: Session, uri: str, text: str, version: int, line: int, begin: int, end: int) -> int:
    """Put a text in place of characters of a line, key by key; the version after it."""
    for n, key in enumerate(text):
        place = {
            "start": {"line": line, "character": begin + n},
            "end": {"line": line, "character": end if not n else begin + n},
        }
        version += 1
        session.change(uri, version, [{"range": place, "text": key}])
    return version


def asked(session: Session, uri: str, version: int | None, method: str = "midfill/nextEdit") -> dict[str, Any]:
    params = {"textDocument": {"uri": uri, "version": version}, "position": {"line": 0, "character": 0}}
    result: dict[str, Any] = session.request(method, params)
    return result


def applied(text: str, edit: dict[str, Any]) -> str:
    lines = text.splitlines(keepends=True)
    begin, end = (
        sum(map(len, lines[: edit["range"][side]["line"]])) + edit["range"][side]["character"]
        for side in ("start", "end")
    )
    return f"{text[:begin]}{edit['text']}{text[end:]}"


def renamed(session: Session, uri: str = "file:///w/a.py") -> int:
    session.open(uri, TEXT)
    return typed(session, uri, "read", 1, *NAME)


def test_renaming_a_function_offers_its_other_uses_in_order(session: Session) -> None:
    uri = "file:///w/a.py"
    version, text = renamed(session), TEXT.replace("def load", "def read")
    answer = asked(session, uri, version)
    assert [edit["position"]["line"] for edit in answer["edits"]] == [5, 7]
    for edit in answer["edits"]:
        assert edit["textDocument"] == {"uri": uri, "version": version}
        text = applied(text, edit)
    assert text == TEXT.replace("load", "read")


def test_an_answer_is_about_the_present_text_alone(session: Session) -> None:
    version = renamed(session)
    assert asked(session, "file:///w/a.py", version - 1)["edits"] == []
    assert asked(session, "file:///w/a.py", version)["edits"] != []
    assert asked(session, "file:///w/b.py", 1)["edits"] == []


def test_what_was_accepted_is_offered_no_more_and_the_next_one_is(session: Session) -> None:
    uri = "file:///w/a.py"
    version = renamed(session)
    first = asked(session, uri, version)["edits"][0]
    session.change(uri, version + 1, [{"range": first["range"], "text": first["text"]}])
    session.request("workspace/executeCommand", {key: first["command"][key] for key in ("command", "arguments")})
    assert [edit["position"]["line"] for edit in asked(session, uri, version + 1)["edits"]] == [7]


def test_what_was_dismissed_is_not_offered_again(fresh: Session) -> None:
    uri = "file:///w/a.py"
    version = renamed(fresh)
    for edit in asked(fresh, uri, version)["edits"]:
        fresh.notify("midfill/didDismissNextEdit", {"id": edit["id"]})
    answer = asked(fresh, uri, version)
    assert answer["edits"] == []
    assert "dismissed" in answer["reason"]


def test_copilots_request_gets_the_first_of_them(session: Session) -> None:
    uri = "file:///w/a.py"
    version = renamed(session)
    (edit,) = asked(session, uri, version, "textDocument/copilotInlineEdit")["edits"]
    assert set(edit) == {"text", "range", "textDocument", "command"}
    assert edit["range"]["start"]["line"] == 5
    session.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})
    session.notify("textDocument/didShowInlineEdit", {"item": {"command": edit["command"]}})
    session.request("workspace/executeCommand", {key: edit["command"][key] for key in ("command", "arguments")})
    assert not any("unknown method" in line for line in session.stderr)


def test_how_an_answer_came_about_is_told(fresh: Session) -> None:
    uri = "file:///w/a.py"
    version = renamed(fresh)
    first = asked(fresh, uri, version)["edits"][0]
    fresh.notify("midfill/didDismissNextEdit", {"id": first["id"]})
    (told,) = fresh.request("midfill/why", {"last": 1})["nextEdits"]
    assert told["sentence"] == "A next edit was offered at line 6, and 1 more. It was dismissed."
    assert [(each["layer"], each["verdict"]) for each in told["proposals"]] == [("rename", "offered")] * 2
    assert told["edits"] == [{"path": "a.py", "old": ["def load(path):"], "new": ["def read(path):"]}]
    fresh.request("workspace/executeCommand", {"command": "midfill.snooze", "arguments": [5]})
    assert "snoozed" in asked(fresh, uri, version)["reason"]
    assert "snoozed" in fresh.request("midfill/why", {"last": 1})["nextEdits"][0]["sentence"]


def test_positions_are_in_the_encodings_units(session: Session) -> None:
    uri = "file:///w/a.py"
    session.open(uri, "def load():\r\n    pass\r\n\r\n\r\nx = '🙂', load(), 1\r\n")
    version = typed(session, uri, "read", 1, *NAME)
    (edit,) = asked(session, uri, version)["edits"]
    assert edit["range"] == {"start": {"line": 4, "character": 10}, "end": {"line": 4, "character": 12}}
    assert edit["text"] == "re"


def test_it_is_off_unless_it_is_switched_on(tmp_path: Path, tiny_cache: Path) -> None:
    with Session(tmp_path, options={"model": "/nonexistent/model.gguf"}) as session:
        session.allowed_errors = 1
        answer = asked(session, "file:///w/a.py", renamed(session))
        assert answer["edits"] == []
        assert "nextEdit.enabled" in answer["reason"]


def test_the_uses_in_other_files_follow_when_there_is_none_left_here(tmp_path: Path, tiny_cache: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("def load_rows():\n    return 1\n")
    (root / "b.py").write_text("from a import load_rows\n\n\nx = load_rows()\n")
    (root / "c.py").write_text("from a import load_rows\n\n\ny = [load_rows()]\n")
    (root / "d.py").write_text("def load_rows(): ...\n\n\nload_rows()\n")
    with Session(root, options=OPTIONS, folders=[root]) as session:
        session.allowed_errors = 1
        deadline = time.monotonic() + TIMEOUT_S
        while [index["phase"] for index in session.status()["indexes"].values()] != ["ready"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        here, opened = (root / "a.py").as_uri(), (root / "b.py").as_uri()
        session.open(here, (root / "a.py").read_text())
        session.open(opened, (root / "b.py").read_text())
        version = typed(session, here, "read_rows", 1, 0, 4, 13)
        edits = asked(session, here, version)["edits"]
        texts = {(root / name).as_uri(): (root / name).read_text() for name in ("b.py", "c.py")}
        assert {edit["textDocument"]["uri"] for edit in edits} == set(texts)
        assert {edit["textDocument"]["version"] for edit in edits} == {1, None}
        for edit in reversed(edits):
            uri = edit["textDocument"]["uri"]
            texts[uri] = applied(texts[uri], edit)
        assert list(texts.values()) == [(root / name).read_text().replace("load", "read") for name in ("b.py", "c.py")]


def test_a_name_that_is_used_and_not_imported_gets_the_line_that_the_repository_has(
    tmp_path: Path, tiny_cache: Path
) -> None:
    root = tmp_path / "w"
    root.mkdir()
    text = "from a import other\n\n\ndef f():\n    return other\n"
    (root / "b.py").write_text("from a import Widget\n\n\nx = Widget()\n")
    (root / "c.py").write_text(text)
    options = {**OPTIONS, "nextEdit": {"enabled": True, "eagerness": 0.99}}
    with Session(root, options=options, folders=[root]) as session:
        session.allowed_errors = 1
        deadline = time.monotonic() + TIMEOUT_S
        while [index["phase"] for index in session.status()["indexes"].values()] != ["ready"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        uri = (root / "c.py").as_uri()
        session.open(uri, text)
        version = typed(session, uri, "Widget(other)", 1, 4, 11, 16)
        (edit,) = asked(session, uri, version)["edits"]
        assert edit["layer"] == "import"
        now = text.replace("return other", "return Widget(other)")
        assert applied(now, edit) == now.replace("import other", "import Widget, other")
