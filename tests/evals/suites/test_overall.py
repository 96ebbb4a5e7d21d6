import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from completion.types import Mode
from evals import setup
from evals.cli import main
from evals.engines import Subject
from evals.report import open_results, read_results
from evals.scoring.documents import Document
from evals.suites import humaneval_bodies, humaneval_infilling, mceval
from evals.suites.datasets import DataFile
from evals.suites.examples import Example, Record
from evals.suites.overall import Budget, evaluate_within, round_robin
from tests.evals.scripted import scripted_subject
from tests.evals.suites import test_humaneval_bodies, test_humaneval_infilling, test_mceval


def examples(suite: str, language: str, n: int) -> Iterator[Example]:
    for number in range(n):
        document = Document(path="a.txt", repo="", text="x = \n", cursor=4, mode=Mode.LINE)
        yield Example(
            id=f"{suite}/{language}/{number}", suite=suite, language=language, document=document, truth="value"
        )


class SteppingClock:
    """Every look at it is a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def run(seconds: float, suites: list[list[Iterator[Example]]], out: Path) -> list[Record]:
    subject = scripted_subject(lambda _: "value\n")
    with open_results("all", out) as results:
        return asyncio.run(evaluate_within(subject, suites, Budget(seconds, SteppingClock()), results))


def test_sources_take_turns_until_all_are_used_up() -> None:
    assert list(round_robin(["abc", "x", "12"])) == ["a", "x", "1", "b", "2", "c"]


def test_suites_take_turns_and_in_them_their_languages(tmp_path: Path) -> None:
    suites = [[examples("one", "py", 4)], [examples("two", "c", 2), examples("two", "go", 2)]]
    records = run(1e6, suites, tmp_path / "out.jsonl")
    order = [record["id"] for record in records]
    assert order == ["one/py/0", "two/c/0", "one/py/1", "two/go/0", "one/py/2", "two/c/1", "one/py/3", "two/go/1"]
    assert all(record["exact"] for record in records)


def test_a_shorter_run_has_the_first_examples_of_a_longer_one(tmp_path: Path) -> None:
    def ids(seconds: float) -> list[str]:
        suites = [[examples("one", "py", 50)], [examples("two", "c", 50)]]
        return [record["id"] for record in run(seconds, suites, tmp_path / f"{seconds}.jsonl")]

    short, long = ids(20), ids(60)
    assert 2 < len(short) < len(long) < 60
    assert long[: len(short)] == short


def test_an_example_that_would_not_end_in_time_is_not_begun() -> None:
    clock = SteppingClock()
    budget = Budget(100.0, clock)
    assert budget.begin("slow")
    clock.now += 60.0
    budget.end("slow")
    assert not budget.begin("slow")
    assert budget.begin("quick")
    assert 60.0 < budget.seconds_per_example()["slow"] < 65.0


def load(file: DataFile, _data: Path | None) -> list[dict[str, Any]]:
    """A row or two of each data set, of McEval's languages Python only."""
    if file.folder == "humaneval-infilling":
        return [test_humaneval_infilling.ADD]
    if file.folder == "humaneval-x":
        return [test_humaneval_bodies.ADD]
    return [test_mceval.PYTHON] if file.name == "Python.jsonl" else []


def test_a_whole_run_ends_with_figures_of_every_suite_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def open_subject(*_: str) -> AsyncIterator[Subject]:
        yield scripted_subject(lambda _: "return a + b\n")

    for module in (humaneval_infilling, humaneval_bodies, mceval):
        monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(setup, "open_subject", open_subject)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("def f(a, b):\n    return a + b\n")
    out = tmp_path / "all.jsonl"
    assert main(["eval", "all", "--budget", "5", "--path", str(tmp_path / "tree"), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out.splitlines()[-1])
    passed = {suite: found.get("pass_at_1") for suite, found in summary["suites"].items()}
    assert passed == {
        "humaneval-infilling-single-line": 0.0,
        "humaneval-infilling-multi-line": 0.0,
        "humaneval-bodies": 1.0,
        "mceval-lines": 1.0,  # seed 0 masks "return total"
        "mceval-bodies": 1.0,
        "lines": None,
    }
    assert summary["n"] == len(read_results(out)) == 7
    assert summary["suites"]["lines"]["n"] == 2
    assert set(summary["seconds_per_example"]) == set(passed)
    assert f"page: {out.with_suffix('.html')}" in printed.err
    assert "mceval-bodies: 1 examples" in out.with_suffix(".html").read_text()
