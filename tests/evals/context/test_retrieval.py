"""A small index of renamed real code, built and asked as the large ones are."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from completion.code.words import identifiers
from evals.cli import main
from evals.context.exhaustive import exhaustive
from evals.context.retrieval import Built, build, cursors, own_cache
from evals.context.synthetic import Names, real_files
from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of

_CORE = Path(__file__).parents[3] / "completion"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of the size that these tests are about: the core without its next edits."""
    folder = tmp_path_factory.mktemp("code") / "completion"
    return Path(shutil.copytree(_CORE, folder, ignore=shutil.ignore_patterns("next_edit", "__pycache__")))


def silent(n_done: int) -> None:
    pass


def built(workspace: Path, code: Path, n_chunks: int) -> tuple[Built, IndexReader]:
    result = build(workspace, [code], n_chunks, 0, silent)
    reader = IndexReader.open(workspace)
    assert reader is not None
    return result, reader


def test_one_pass_finds_what_the_exhaustive_query_finds(code: Path) -> None:
    with own_cache() as workspace:
        result, reader = built(workspace, code, 200)
        queries = [weights for _, weights in cursors(result.files, 30, 1)]
        found = exhaustive(database_of(workspace), queries, 20, silent)
        assert found == [[chunk_id for chunk_id, _ in reader.exhaustive(asked, 20)] for asked in queries]
        assert {len(chunk_ids) for chunk_ids in found} == {20}
        reader.close()


def test_an_index_has_the_real_files_and_as_many_copies_as_it_takes(code: Path) -> None:
    with own_cache() as workspace:
        result, reader = built(workspace, code, 400)
        n_real = sum(len(real.contents.chunks) for real in result.files)
        assert n_real < 400 <= result.n_chunks < 400 + max(len(real.contents.chunks) for real in result.files)
        words_file = next(real for real in result.files if real.file.path == "code/words.py")
        text = (code / "code/words.py").read_text()
        chunk = words_file.contents.chunks[0][0]
        assert reader.lines("copy0/0-completion/code/words.py", 0, chunk.last_line).startswith(chunk.text.rstrip("\n"))
        copied = reader.lines("copy1/0-completion/code/words.py", 0, text.count("\n") - 1)
        assert copied.count("\n") == text.count("\n")
        assert copied != text
        assert [d.name for d in reader.defined_in("copy0/0-completion/code/words.py")] != []
        assert [(d.line, d.kind) for d in reader.defined_in("copy1/0-completion/code/words.py")] == [
            (d.line, d.kind) for d in reader.defined_in("copy0/0-completion/code/words.py")
        ]
        reader.close()


def test_fewer_chunks_than_there_are_take_some_of_the_files(code: Path) -> None:
    with own_cache() as workspace:
        result, reader = built(workspace, code, 20)
        assert 20 <= result.n_chunks == sum(len(real.contents.chunks) for real in result.files)
        assert result.n_files == len(result.files) < len(list(code.rglob("*.py")))
        reader.close()


def test_a_copy_renames_the_same_way_everywhere_and_keeps_what_is_frequent(code: Path) -> None:
    files = list(real_files([code], 10_000, 0))
    names = Names(files, 0)
    text = (code / "code/words.py").read_text()
    for number in (1, 2):
        pairs = list(zip(identifiers(text), identifiers(names.copy(number).text(text)), strict=True))
        assert len(set(pairs)) == len({before for before, _ in pairs})
        assert len({after for _, after in pairs}) > 0.95 * len(set(pairs))
        assert all(before == after for before, after in pairs if before in ("def", "return", "the", "str"))
        assert sum(before != after for before, after in set(pairs)) > len(set(pairs)) / 3
    assert names.copy(1).text(text) == Names(files, 0).copy(1).text(text) != names.copy(2).text(text)


def test_the_vocabulary_of_copies_grows_as_that_of_the_real_files(code: Path) -> None:
    files = list(real_files([code], 10_000, 0))
    names = Names(files, 0)
    texts = [chunk.text for real in files for chunk, _ in real.contents.chunks]
    known = {word for text in texts for word in identifiers(text)}
    n_real = len(known)
    half = {word for text in texts[: (len(texts) + 1) // 2] for word in identifiers(text)}
    for number in range(1, 8):
        copy = names.copy(number)
        known |= {word for text in texts for word in identifiers(copy.text(text))}
    # Eight times the files are three doublings.
    assert len(known) == pytest.approx(n_real * (n_real / len(half)) ** 3, rel=0.05)


def test_the_suite_prints_its_line_and_leaves_nothing(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("MIDFILL_CACHE", "untouched")
    arguments = ["--synthetic", "200", "--path", str(code), "--queries", "12", "--exact", "8"]
    out = tmp_path / "results.jsonl"
    assert main(["eval", "retrieval", *arguments, "--out", str(out)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["suite"] == "retrieval"
    assert 200 <= summary["n_chunks"] < 250
    assert (summary["n_queries"], summary["n_exact"]) == (12, 8)
    # All 200 chunks are candidates, so nothing may be missed.
    assert summary["recall"] == summary["low"] == summary["recall_5"] == 1.0
    assert summary["query_p99_ms"] >= summary["query_p50_ms"] > 0
    assert summary["n_words_distinct"] > 1_000
    assert summary["index_mb"] > 0.1
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["score"] for row in rows[:-1]] == [1.0] * 8
    assert list(temporary.iterdir()) == []
    assert os.environ["MIDFILL_CACHE"] == "untouched"


def test_a_tree_without_python_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("text\n")
    out = ["--out", str(tmp_path / "out.jsonl")]
    assert main(["eval", "retrieval", "--path", str(tmp_path), *out]) == 1
    assert capsys.readouterr().err == f"midfill: there is no Python below {tmp_path}\n"
    assert main(["eval", "retrieval", "--path", str(tmp_path / "missing"), *out]) == 1
    assert capsys.readouterr().err == f"midfill: there is no folder {tmp_path / 'missing'}\n"
