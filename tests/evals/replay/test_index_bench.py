"""`bench index`: what is typed, which keys are compared, and the whole of it on a tiny tree."""

import json
import random
from pathlib import Path

import pytest

from evals.cli import main
from evals.replay.index_bench import Key, copies, of_many_sizes, slowdown
from evals.replay.index_script import SAVED, chosen_file, long_text, script_of
from evals.replay.keystrokes import play
from evals.report import EvalError
from evals.sources import SourceFile, source_files
from lsp_server.index.schema import folder_of
from lsp_server.index.write import IndexWriter
from parsers.outline import outline
from parsers.parse import parse

FUNCTION = "def area_{0}(width: float, height: float) -> float:\n    # Of a rectangle.\n    return width * height\n\n\n"


def tree(root: Path, n_files: int = 12) -> Path:
    for number in range(n_files):
        (root / f"shape_{number}.py").write_text(FUNCTION.format(number) * (number + 2))
    return root


@pytest.mark.parametrize("n_keys", [1, 60, 10_000])
def test_typing_a_script_gives_the_file_back(n_keys: int) -> None:
    text = "".join(FUNCTION.format(number) for number in range(50))
    script = script_of("a.py", text, n_keys, random.Random(3))
    typed = script.before
    for action in script.actions:
        typed = play(typed, action)
    assert 1 <= len(script.actions) <= n_keys
    if n_keys == 10_000:  # there are not so many: all was typed
        assert typed == text
    assert script.before != typed
    assert script.before.count("\n") == text.count("\n")
    assert script == script_of("a.py", text, n_keys, random.Random(3))


def test_a_file_without_code_is_not_typed() -> None:
    with pytest.raises(EvalError, match="no lines"):
        script_of("a.py", "\n\n\n", 5, random.Random(0))


def test_the_long_file_is_of_one_language_and_as_long_as_asked() -> None:
    files = [SourceFile("a.py", "python", "x = 1\ny = 2"), SourceFile("b.go", "go", "package b\n")]
    path, text = long_text(files, files[0], 5)
    assert (path, text) == ("long_file.py", "x = 1\ny = 2\nx = 1\ny = 2\nx = 1\n")
    with pytest.raises(EvalError, match="no source files"):
        chosen_file([], random.Random(0))


def test_files_of_many_sizes_are_saved() -> None:
    files = [SourceFile(f"{n}.py", "python", "x" * n) for n in range(100)] + [SourceFile("a.html", "html", "")]
    sizes = [len(file.text) for file in of_many_sizes(files, 5)]
    assert sizes == [0, 25, 50, 74, 99]
    with pytest.raises(EvalError, match="has no file of"):
        of_many_sizes(files[-1:], 5)


@pytest.mark.parametrize("language", SAVED)
def test_what_is_appended_defines_its_name(language: str) -> None:
    found = outline(parse(language, SAVED[language].format("midfill_saved")))
    assert [symbol.name for symbol in found.symbols] == ["midfill_saved"]


def test_only_keys_typed_while_indexing_count_each_beside_itself() -> None:
    def keys(phase: str, *waits: tuple[float, bool]) -> list[Key]:
        return [Key(n, ms, by_engine, 3, phase) for n, (ms, by_engine) in enumerate(waits)]

    idle = keys("ready", (100, True), (2, False), (200, True), (300, True))
    busy = keys("indexing", (130, True), (1, False), (260, True)) + keys("ready", (900, True))
    found = slowdown(idle, busy)
    assert (found["n_keys"], found["n_keys_while_indexing"], found["n_pairs"]) == (4, 3, 2)
    assert (found["idle_p50_ms"], found["indexing_p50_ms"], found["slowdown_p50_ms"]) == (150, 195, 45)
    assert (found["idle_p50_ms_all_keys"], found["indexing_p50_ms_all_keys"]) == (100, 130)
    assert found["idle_computed_per_key"] == 3
    assert slowdown(idle, [])["slowdown_p50_ms"] == 0


def test_copies_hold_what_is_indexed_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tree" / "node_modules").mkdir(parents=True)
    tree(tmp_path / "tree", 2)
    (tmp_path / "tree" / "node_modules" / "a.js").write_text("x\n")
    with copies(tmp_path / "tree", ["one", "two"]) as roots:
        assert [file.path for file in source_files(roots[1])] == ["shape_0.py", "shape_1.py"]
        assert not (roots[0] / "node_modules").exists()
        IndexWriter(roots[0]).close()
        assert folder_of(roots[0]).exists()
    assert not folder_of(roots[0]).exists()
    assert not roots[0].parent.exists()
    assert (tmp_path / "tree" / "node_modules" / "a.js").exists()


def test_it_needs_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "index"]) == 1
    assert capsys.readouterr().err == "midfill: bench index needs --path DIR\n"


@pytest.mark.e2e
def test_a_tiny_tree_is_measured(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    tree(root)
    out = tmp_path / "index.jsonl"
    command = ["bench", "index", "--path", str(root), "--keystrokes", "4", "--model", str(tiny_model)]
    assert main([*command, "--out", str(out)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["index_files"] == 12
    assert summary["n_saves"] == 12
    assert summary["n_keys"] == 4
    assert summary["stall_n"] > 0
    assert summary["stall_control_n"] > 0
    assert all(summary[key] > 0 for key in ("index_s", "index_mb", "reindex_ms", "update_ms", "stall_max_ms"))
    assert {
        "slowdown_p50_ms",
        "no_index_slowdown_p50_ms",
        "idle_p50_ms",
        "indexing_p50_ms",
        "stall_p999_ms",
    } <= summary.keys()
    assert (root / "shape_0.py").read_text() == FUNCTION.format(0) * 2
    assert len(out.read_text().splitlines()) == 12 + 4 * 4 + 1
    assert not list((ready_cache / "index").iterdir())
