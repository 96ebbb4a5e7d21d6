"""What the filters would do to real code: which cases are made of a line, and what counts as a refusal."""

from pathlib import Path

import pytest

from completion.types import Mode
from evals.report import open_results, read_results
from evals.suites.lines import MaskedLine, masked_lines
from evals.suites.refusals import Case, cases_of, evaluate, judge

SHOP = """\
def price(item):
    total = len(item)
    if total > 3:
        total = 3
        print(total)
    return total
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shop.py").write_text(SHOP)
    return tmp_path / "shop"


def _line(root: Path, truth: str) -> MaskedLine:
    return next(line for line in masked_lines(root, 0, 0) if line.truth == truth)


def _case(root: Path, truth: str, situation: str) -> Case:
    return next(case for case in cases_of(_line(root, truth), 0) if case.situation == situation)


def _whole(case: Case) -> str:
    text, cursor = case.document.text, case.document.cursor
    return text[:cursor] + case.truth + text[cursor:]


@pytest.mark.parametrize("situation", ["line", "inside", "block"])
def test_a_case_and_its_truth_are_the_file(root: Path, situation: str) -> None:
    assert _whole(_case(root, "total = 3", situation)) == SHOP


def test_the_file_ends_with_the_line(root: Path) -> None:
    assert SHOP.startswith(_whole(_case(root, "total = 3", "end")))
    assert _whole(_case(root, "total = 3", "end")).endswith("total = 3")


def test_a_block_is_what_is_left_of_it(root: Path) -> None:
    case = _case(root, "total = 3", "block")
    assert (case.truth, case.document.mode) == ("total = 3\n        print(total)", Mode.BLOCK)
    assert not [case for case in cases_of(_line(root, "return total"), 0) if case.situation == "block"]


def test_the_true_text_is_not_refused_and_a_wrong_one_is(root: Path) -> None:
    case = _case(root, "total = 3", "line")
    assert judge(case).refused_by == ""
    wrong = Case(case.situation, case.document, "total = = 3")
    assert judge(wrong).refused_by == "parse_check"


def test_refusals_are_counted_by_situation_and_filter(root: Path, tmp_path: Path) -> None:
    """Three same lines are a loop to the filters, and code to whoever wrote this file."""
    (root / "loop.py").write_text("def f():\n    go_on()\n    go_on()\n    go_on()\n    go_on()\n")
    line = next(line for line in masked_lines(root, 0, 0) if line.truth == "go_on()" and line.number == 2)
    with open_results("refusals", tmp_path / "out.jsonl") as results:
        summary = evaluate([line], 0, results)
    assert summary["by_filter"]["block"] == {"repetition": 1}  # type: ignore[index]
    assert summary["refused"]["line"] == 1.0  # type: ignore[index]
    assert {row["refused_by"] for row in read_results(tmp_path / "out.jsonl")} >= {"repetition", "next_lines"}
