import asyncio
from pathlib import Path
from typing import Any

import pytest

from completion.types import Mode
from evals.report import EvalError, open_results
from evals.scoring import runtimes
from evals.scoring.figures import by_suite
from evals.suites.examples import Example, evaluate, verified
from evals.suites.mceval import languages, select
from evals.suites.mceval_languages import BY_NAME, LANGUAGES
from parsers.languages import for_document
from tests.evals.scripted import scripted_subject

PYTHON: dict[str, Any] = {
    "task_id": "Python/1",
    "prompt": 'def add(a, b):\n    """The sum."""',
    "canonical_solution": "    # adds them\n    total = a + b\n    return total\n",
    "test": "def check(add):\n    assert add(2, 3) == 5\n\ncheck(add)",
}
PERL: dict[str, Any] = {
    "task_id": "Perl/1",
    "prompt": "sub add {\n# The sum.\n",
    "canonical_solution": "my ($left, $right) = @_;\nreturn $left + $right;\n}\n",
    "test": "die unless add(2, 3) == 5;",
}
TCL: dict[str, Any] = {
    "task_id": "Tcl/1",
    "prompt": "proc add {a b} {\n# The sum.",
    "canonical_solution": "# adds them\nreturn [expr {$a + $b}]\n}\n",
    "test": "if {[add 2 3] != 5} { error wrong }",
}


def one(row: dict[str, Any], split: str, seed: int = 0) -> Example:
    return select(BY_NAME[row["task_id"].split("/")[0]], [row], split, 0, seed)[0]


def test_the_rows_are_whole() -> None:
    assert len(LANGUAGES) == len(BY_NAME) == 37
    assert {row.runtime for row in LANGUAGES} - {""} == {*runtimes.RUNTIMES, "python"}
    assert all(row.data.url.startswith("https://") and " " not in row.data.url for row in LANGUAGES)
    # What a comment is, the grammar says, else the row.
    assert all(bool(row.comment) == (for_document(row.path).grammar is None) for row in LANGUAGES)


def test_names_are_found_in_any_case_and_others_refused() -> None:
    assert [row.name for row in languages(["python", "C#"])] == ["Python", "C#"]
    assert languages([]) == list(LANGUAGES)
    with pytest.raises(EvalError, match="no 'Cobol'"):
        languages(["Cobol"])


def test_a_line_of_code_is_masked_behind_its_indentation() -> None:
    truths = {one(PYTHON, "lines", seed).truth for seed in range(20)}
    assert truths == {"total = a + b", "return total"}
    example = one(PYTHON, "lines")
    assert example.document.mode is Mode.LINE
    assert example.document.text[: example.document.cursor].endswith("\n    ")
    assert example.document.text.startswith(PYTHON["prompt"] + "\n    # adds them\n")


def test_comments_are_left_out_without_a_grammar_too() -> None:
    assert {one(TCL, "lines", seed).truth for seed in range(20)} == {"return [expr {$a + $b}]"}


def test_a_body_is_masked_from_the_prompt_to_what_closes_it() -> None:
    example = one(PERL, "bodies")
    assert example.truth == "my ($left, $right) = @_;\nreturn $left + $right;"
    assert example.document.text == PERL["prompt"] + "\n}\n"
    assert example.document.mode is Mode.BLOCK
    assert one(TCL, "bodies").truth == "# adds them\nreturn [expr {$a + $b}]"


def test_a_sample_depends_on_the_seed_alone() -> None:
    rows = [{**PYTHON, "task_id": f"Python/{number}"} for number in range(20)]
    chosen = [e.id for e in select(BY_NAME["Python"], rows, "lines", 5, 0)]
    assert chosen == [e.id for e in select(BY_NAME["Python"], rows[::-1], "lines", 5, 0)]
    assert chosen == [e.id for e in select(BY_NAME["Python"], rows, "lines", 9, 0)][:5]
    assert chosen != [e.id for e in select(BY_NAME["Python"], rows, "lines", 5, 1)]


def test_a_test_that_says_nothing_is_not_run() -> None:
    assert verified(one(PYTHON, "bodies")).unfit == ""
    wrong = verified(one({**PYTHON, "test": "assert False"}, "bodies"))
    assert (wrong.runtime, wrong.unfit) == (None, "the true program fails")
    empty = verified(one({**PYTHON, "test": "pass"}, "bodies"))
    assert (empty.runtime, empty.unfit) == (None, "passes with nothing in the place")


def test_a_language_without_runtime_is_scored_by_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert one(PERL, "lines").runtime is None
    assert one(PYTHON, "lines").runtime is not None


@pytest.mark.skipif(runtimes.of("perl") is None, reason="Perl is not installed here")
def test_answers_are_executed_and_figures_are_by_language(tmp_path: Path) -> None:
    examples = [one(PYTHON, "bodies"), one(PERL, "bodies"), one({**PYTHON, "test": "pass"}, "bodies")]
    answers = iter(["return b + a\n", "return 7;\n}\n", "total = (a\n"])
    subject = scripted_subject(lambda _: next(answers))

    async def run() -> list[dict[str, Any]]:
        with open_results("mceval", tmp_path / "out.jsonl") as results:
            return [await evaluate(subject, example, results) for example in examples]

    records = asyncio.run(run())
    assert [record["passed"] for record in records] == [True, False, None]
    assert [record["score"] for record in records] == [1.0, 0.0, 0.0]
    assert records[1]["error"].startswith("exit code")
    suite = by_suite(records)["mceval-bodies"]
    assert (suite["n"], suite["n_executed"], suite["pass_at_1"]) == (3, 2, 0.5)
    python, perl = suite["languages"]["Python"], suite["languages"]["Perl"]
    assert (python["n"], python["pass_at_1"], perl["pass_at_1"]) == (2, 1.0, 0.0)
    assert suite["pass_at_1_low"] < suite["pass_at_1"] < suite["pass_at_1_high"]
