"""Texts that crash or hang a grammar, opened in the real server beside an honest one; nothing but they may suffer."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e
ANSWERED = ("ok", "empty", "filtered", "quiet", "skipped")
HONEST = "def add(a, b):\n    return "
HOSTILE = {
    "mail.md": ("markdown", ">" * 300),
    "list.md": ("markdown", "- " * 300),
    "a.swift": ("swift", "/*" * 1_200),
    "sum.py": ("python", "total = " + " +\n    ".join(f"value_{n}" for n in range(1_100)) + "\n"),
    "chain.c": ("c", "void f() {\n if (a) {}\n" + "else if (b) {}\n" * 540 + "}\n"),
    "deep.json": ("json", "[" * 1_500),
    "call.py": ("python", "(" * 20_000),
}


def start(cwd: Path, model: Path) -> Session:
    return Session(cwd, options={"model": str(model), "maxWaitMs": 0}, folders=[cwd])


def ask(session: Session, uri: str, line: int, character: int) -> str:
    """How an automatic request ended."""
    before = session.status()["outcomes"]
    session.complete(uri, line, character, 2)
    after = session.status()["outcomes"]
    return next(outcome for outcome in after if after[outcome] != before.get(outcome, 0))


def test_hostile_documents_cost_themselves_alone(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    for is_again in (False, True):
        with start(workspace, tiny_model) as session:
            session.wait_for_phase("ready")
            honest = (workspace / "ok.py").as_uri()
            session.open(honest, HONEST)
            for name, (language, text) in HOSTILE.items():
                uri = (workspace / name).as_uri()
                session.open(uri, text, language)
                assert ask(session, uri, text.count("\n"), 0) in ANSWERED
                assert ask(session, honest, 1, 11) in ANSWERED
            why = session.request("midfill/why", {"last": 20})["explanations"]
            refused = {one["path"]: one["refused"] for one in why if one["refused"]}
            assert "crashes" in refused["mail.md"]
            assert "takes too long" in refused["a.swift"]
            assert "ok.py" not in refused
            time.sleep(2.0)  # an epoch
            assert ask(session, honest, 1, 11) in ANSWERED
        log = "".join(session.stderr)
        assert "choosing context failed" not in log
        assert ("is plain text from now on" in log) is not is_again


def test_text_that_is_pasted_into_an_honest_document(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        honest, mail = (tmp_path / "ok.py").as_uri(), (tmp_path / "mail.md").as_uri()
        session.open(honest, HONEST)
        session.open(mail, "# A mail\n\nDear", "markdown")
        assert ask(session, mail, 2, 4) in ANSWERED
        everything = {"start": {"line": 2, "character": 0}, "end": {"line": 2, "character": 4}}
        session.change(mail, 2, [{"range": everything, "text": ">" * 300}])
        assert ask(session, mail, 2, 300) in ANSWERED
        assert ask(session, honest, 1, 11) in ANSWERED
        (newest, *_) = session.request("midfill/why", {"last": 2})["explanations"][::-1]
        assert "crashes" in newest["refused"]


def test_a_workspace_with_hostile_files_has_an_index(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    for name, (_, text) in HOSTILE.items():
        (workspace / name).write_text(text)
    (workspace / "zoo.py").write_text("def feed_animals(count):\n    return count\n")
    with start(workspace, tiny_model) as session:
        session.wait_for_phase("ready")
        deadline = time.monotonic() + 120
        while (state := session.status()["indexes"].get(str(workspace), {})).get("phase") != "ready":
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        uri = (workspace / "ok.py").as_uri()
        session.open(uri, "from zoo import feed_animals\n\nfeed_animals(")
        window = session.request(
            "midfill/context", {"textDocument": {"uri": uri}, "position": {"line": 2, "character": 13}}
        )
        assert any("def feed_animals(count)" in snippet["text"] for snippet in window["snippets"])


@pytest.mark.parametrize("name", ["mail.md", "a.swift", "sum.py"])
def test_the_commands_take_any_file(name: str, tiny_cache: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(HOSTILE[name][1])
    command = [
        sys.executable,
        "-c",
        "from lsp_server.cli.__main__ import main; raise SystemExit(main())",
        "outline",
        str(tmp_path / name),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
