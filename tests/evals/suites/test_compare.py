import json
from pathlib import Path

import pytest

from evals.report import EvalError, open_results, read_results
from evals.suites.compare import compare, run


def write(path: Path, scores: dict[str, float]) -> Path:
    lines = [json.dumps({"id": key, "score": score}) for key, score in scores.items()]
    path.write_text("\n".join([*lines, json.dumps({"summary": {"n": len(scores)}})]) + "\n")
    return path


def test_a_difference_is_paired_over_the_shared_examples_only(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"x": 0.0, "y": 1.0, "z": 0.0, "only-a": 1.0})
    b = write(tmp_path / "b", {"z": 1.0, "y": 0.0, "x": 1.0})
    result = compare(a, b)
    assert (result["n"], result["only_a"], result["only_b"]) == (3, 1, 0)
    assert (result["better"], result["worse"]) == (2, 1)
    assert result["difference"] == pytest.approx(1 / 3)
    assert result["low"] < result["difference"] < result["high"]


def test_a_file_compared_with_itself_shows_no_difference(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"x": 0.0, "y": 1.0})
    result = compare(a, a)
    assert (result["difference"], result["low"], result["high"]) == (0, 0, 0)


def test_any_measure_is_compared_over_the_examples_that_have_it(tmp_path: Path) -> None:
    def results(name: str, passed: list[bool | None]) -> Path:
        path = tmp_path / name
        rows = [{"id": str(at), "score": 0.0, "passed": value} for at, value in enumerate(passed)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    a, b = results("a", [False, True, None, True]), results("b", [True, True, True, None])
    result = compare(a, b, "passed")
    assert (result["measure"], result["n"], result["only_a"], result["only_b"]) == ("passed", 2, 1, 1)
    assert result["difference"] == 0.5
    assert compare(a, b)["n"] == 4
    with pytest.raises(EvalError, match="no id and similarity"):
        compare(a, b, "similarity")


def test_files_without_shared_examples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="share no examples"):
        compare(write(tmp_path / "a", {"x": 1.0}), write(tmp_path / "b", {"y": 1.0}))


@pytest.mark.parametrize("content", ["not json\n", '{"id": "x"}\n', "[1]\n"])
def test_what_is_not_a_results_file_is_refused_in_words(tmp_path: Path, content: str) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(content)
    with pytest.raises(EvalError, match=r"bad\.jsonl"):
        compare(bad, bad)


def test_the_last_line_printed_is_the_json_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a", {"x": 0.0, "y": 1.0})
    assert run(a, a) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["suite"] == "compare"


def test_results_keep_every_example_and_end_with_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_results("suite", tmp_path / "new" / "out.jsonl") as results:
        results.add({"id": "1", "score": 1.0})
        results.add({"id": "2", "score": 0.0})
        results.finish({"suite": "suite", "n": 2, "pass_at_1": 1 / 3})
    assert [row["id"] for row in read_results(results.path)] == ["1", "2"]
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads(results.path.read_text().splitlines()[-1]) == {"summary": printed}
    assert printed["pass_at_1"] == 0.3333
    assert set(printed["machine"]) == {"cpu", "cores", "memory_gb"}
    assert "commit" in printed


def test_examples_are_on_disk_before_the_run_is_over(tmp_path: Path) -> None:
    with open_results("suite", tmp_path / "out.jsonl") as results:
        results.add({"id": "1", "score": 1.0})
        assert len(read_results(results.path)) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvalError, match="--out"), open_results("suite", tmp_path / "file" / "out.jsonl"):
        pass
