"""`bench next-edit`: which functions are renamed, how times become figures, and the whole of it on a tiny tree."""

import json
import random
from pathlib import Path

import pytest

from evals.cli import main
from evals.replay.next_edit_bench import figures_of, renames_of
from evals.sources import SourceFile

TEXT = "def area(width):\n    return width\n\n\nprint(area(1), area(2))\n\nprint(area(3))\n"


def test_a_function_is_renamed_that_its_file_uses_and_a_line_of_another_is_written() -> None:
    files = [
        SourceFile("a.py", "python", TEXT),
        SourceFile("b.py", "python", TEXT.replace("area", "side")),
        SourceFile("unused.py", "python", "def area(width):\n    return width\n"),
        SourceFile("wide.py", "python", f"# ü\n{TEXT}"),
        SourceFile("short.py", "python", TEXT.replace("area", "f")),
    ]
    found = {each.file.path: each for each in renames_of(files, random.Random(1))}
    assert set(found) == {"a.py", "b.py"}
    assert [(each.name, each.line, each.column) for each in found.values()] == [
        ("area" if path == "a.py" else "side", 0, 4) for path in found
    ]
    assert all(each.written.strip() for each in found.values())


def test_figures_are_of_each_kind_and_of_all() -> None:
    times = [("typed", float(n)) for n in range(100)] + [("here", 500.0)]
    found = figures_of(times)
    assert (found["typed_n"], found["typed_p50_ms"], found["typed_p95_ms"]) == (100, 50, 95)
    assert (found["here_n"], found["here_p95_ms"], found["elsewhere_n"], found["n"]) == (1, 500, 0, 101)


def test_it_needs_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "next-edit"]) == 1
    assert capsys.readouterr().err == "midfill: bench next-edit needs --path DIR\n"


@pytest.mark.e2e
def test_a_tiny_tree_is_measured(tiny_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("area", "side"):
        (root / f"{name}.py").write_text(TEXT.replace("area", name))
        (root / f"uses_{name}.py").write_text(f"from {name} import {name}\n\n\nprint({name}(4))\n")
    assert main(["bench", "next-edit", "--path", str(root), "--out", str(tmp_path / "times.jsonl")]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["n_files"], summary["n_edited"], summary["typed_n"]) == (4, 2, 2)
    # Of each function two lines in its file are offered, then the other file's.
    assert (summary["here_n"], summary["elsewhere_n"]) == (4, 2)
    assert 0 < summary["p50_ms"] <= summary["p95_ms"]
    assert (root / "area.py").read_text() == TEXT
    assert not list((tiny_cache / "index").iterdir())
