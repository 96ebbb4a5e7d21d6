import json
from pathlib import Path

import pytest

from evals.cli import main
from lsp_server.ablation import VARIABLE


def test_an_expected_failure_is_one_line_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing")
    assert main(["eval", "lines", "--path", missing]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"midfill: there is no folder {missing}\n"
    assert captured.out == ""


def test_an_unknown_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("value = compute(1)\n")
    assert main(["eval", "nll", "--path", str(tmp_path), "--model", "no-such-model"]) == 1
    assert capsys.readouterr().err.startswith("midfill: unknown model 'no-such-model'")


@pytest.mark.parametrize(
    "argv",
    [[], ["eval"], ["eval", "no-such-suite"], ["eval", "lines"], ["eval", "lines", "--path", ".", "--limit", "-1"],
     ["eval", "all"], ["eval", "all", "--budget", "0"], ["eval", "mceval", "--split", "spans"],
     ["bench", "--repetitions", "0"], ["bench", "replay", "--without", "jnk"],
     ["eval", "humaneval-infilling", "--half", "c"]],
)  # fmt: skip
def test_wrong_arguments_exit_with_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    assert exit_info.value.code == 2


def test_a_language_that_mceval_lacks_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "mceval", "--lang", "Cobol"]) == 1
    assert capsys.readouterr().err.startswith("midfill: McEval has no 'Cobol': use --lang of AWK, C#")


@pytest.mark.parametrize("suite", ["humaneval-infilling", "humaneval-bodies", "targets", "mceval", "all"])
def test_data_that_is_not_there_is_one_line(suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    budget = ["--budget", "1"] if suite == "all" else []
    assert main(["eval", suite, "--data", str(tmp_path), *budget]) == 1
    assert "without --data it is downloaded" in capsys.readouterr().err


@pytest.mark.parametrize(("without", "refused_by"), [([], {"placeholders"}), (["--without", "junk"], set())])
def test_a_suite_runs_without_what_is_named_and_says_so(
    without: list[str],
    refused_by: set[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "")  # and as it was afterwards
    (tmp_path / "a.py").write_text("def later(a):\n    pass  # TODO: implement it\n")
    arguments = ["eval", "refusals", "--path", str(tmp_path), "--out", str(tmp_path / "out.jsonl"), *without]
    assert main(arguments) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name for counts in summary["by_filter"].values() for name in counts} == refused_by
    assert summary.get("without") == (["junk"] if without else None)


def test_compare_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": "x", "score": 1.0}) + "\n")
    assert main(["eval", "compare", str(file), str(file)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["difference"] == 0
