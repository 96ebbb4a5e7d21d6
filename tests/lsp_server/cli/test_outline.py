"""`midfill outline` as it is typed."""

import json
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main

TEXT = """from a.b import c as d


@d
class Größe(Base):
    x: int = 1

    def f(
        self,
    ) -> None:
        d(self)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_the_tree_has_kind_name_line_and_signature(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outline", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("a.py (Python)")
    assert [line.strip() for line in lines[1:]] == [
        "└── class Größe:4 class Größe(Base):",
        "├── field x:6 x: int = 1",
        "└── method f:8 def f(",
    ]


def test_a_pipe_gets_whole_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / f"{'long' * 50}.py").write_text(f"{'x' * 200} = 1\n")
    assert main(["outline", str(path)]) == 0
    title, line = capsys.readouterr().out.splitlines()
    assert (title, line) == (f"{path} (Python)", f"└── variable {'x' * 200}:1 {'x' * 200} = 1")


def test_imports_come_first_when_they_are_asked_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outline", str(file), "--imports"]) == 0
    assert "import a.b:1 c as d" in capsys.readouterr().out.splitlines()[1]


def test_json_has_everything_in_one_object(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outline", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["language"] == "python"
    assert found["symbols"][0] == {
        "name": "Größe", "kind": "class", "firstLine": 4, "lastLine": 11, "signature": "@d\nclass Größe(Base):",
        "parent": None, "bases": ["Base"],
    }  # fmt: skip
    assert found["symbols"][2]["parent"] == 0
    assert found["imports"] == [{"path": "a.b", "name": "c", "alias": "d", "line": 1}]
    assert {"name": "d", "kind": "call", "line": 11} in found["references"]


def test_a_file_of_no_known_language_has_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.xyz"
    path.write_text("def f(): pass\n")
    assert main(["outline", str(path)]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "message"), [(b"x = '\0'\n", "not text"), (None, "No such file")])
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.py"
    if content is not None:
        path.write_bytes(content)
    assert main(["outline", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
