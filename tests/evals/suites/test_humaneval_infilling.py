import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from completion.types import Mode
from evals import setup
from evals.cli import main
from evals.engines import Subject
from evals.pages.page import page
from evals.pages.parts import escaped, read_run
from evals.pages.published_figures import EXACT_MATCH, OTHER_TASKS, OURS, PASS_AT_1
from evals.report import EvalError, open_results, read_results
from evals.scoring.accepted import with_text
from evals.scoring.sandbox import run_python
from evals.suites import humaneval_infilling
from evals.suites.examples import evaluate_all
from evals.suites.humaneval_infilling import ABOUT, SPLITS, Selection, Task, example, select
from tests.evals.scripted import scripted_subject

ADD: dict[str, Any] = {
    "task_id": "SingleLineInfilling/HumanEval/0/L1",
    "entry_point": "add",
    "prompt": "def add(a, b):\n    total = a\n",
    "canonical_solution": "    total += b\n",
    "suffix": "    return total\n",
    "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
}


def rows(n_problems: int, n_lines: int) -> list[dict[str, Any]]:
    return [
        {**ADD, "task_id": f"SingleLineInfilling/HumanEval/{problem}/L{line}"}
        for problem in range(n_problems)
        for line in range(n_lines)
    ]


def selection(split: str = "single-line", limit: int = 0, half: str = "", seed: int = 0) -> Selection:
    return Selection(split=split, limit=limit, half=half, seed=seed)


def add_task() -> Task:
    return select([ADD], selection())[0]


def test_halves_share_no_problem_and_cover_everything() -> None:
    a = select(rows(9, 4), selection(half="a"))
    b = select(rows(9, 4), selection(half="b"))
    assert not {task.problem for task in a} & {task.problem for task in b}
    assert len(a) + len(b) == 36


def test_a_sample_depends_on_the_seed_and_not_on_the_order_of_the_file() -> None:
    tasks = rows(10, 3)
    first = [task.task_id for task in select(tasks, selection(limit=8))]
    assert first == [task.task_id for task in select(tasks[::-1], selection(limit=8))]
    assert first != [task.task_id for task in select(tasks, selection(limit=8, seed=1))]
    assert len(first) == 8


def test_a_smaller_sample_is_the_beginning_of_a_larger_one() -> None:
    small, large = select(rows(10, 3), selection(limit=5)), select(rows(10, 3), selection(limit=9))
    assert large[:5] == small


def test_a_masked_line_leaves_an_empty_line_for_the_cursor() -> None:
    task = add_task()
    assert task.before + task.canonical + task.after == ADD["prompt"] + ADD["canonical_solution"] + ADD["suffix"]
    assert task.after.startswith("\n")


def test_a_random_span_is_cut_out_to_the_character() -> None:
    row = {**ADD, "prompt": "def add(a, b):\n    total = a\n    tot", "canonical_solution": "al += b\n"}
    task, light = (select([row], selection(split=split))[0] for split in ("random-span", "random-span-light"))
    assert light == task
    assert (task.canonical, task.after) == ("al += b\n", ADD["suffix"])


def test_all_splits_are_suites_of_one_run_and_each_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def open_subject(*_: str) -> AsyncIterator[Subject]:
        yield scripted_subject(lambda _: "    total += b\n")

    rows_of = {
        file.name: [{**ADD, "task_id": ADD["task_id"].replace("SingleLine", file.name[10:].split("Infilling")[0])}]
        for file in SPLITS.values()
    }
    monkeypatch.setattr(humaneval_infilling, "load", lambda file, _data: rows_of[file.name])
    monkeypatch.setattr(setup, "open_subject", open_subject)
    out = tmp_path / "out.jsonl"
    assert main(["eval", "humaneval-infilling", "--split", "all", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    summary = json.loads(printed.splitlines()[-1])
    names = [
        f"humaneval-infilling-{split}" for split in ("single-line", "multi-line", "random-span", "random-span-light")
    ]
    assert list(summary["suites"]) == names
    passed = [summary["suites"][name]["pass_at_1"] for name in names]
    assert passed == [1.0, 1.0, 0.0, 0.0]  # of a span the line end was missing, too
    for name, rate in zip(names, passed, strict=True):
        assert f"{name} ({ABOUT[name]}): pass@1 {rate:.4f} [{rate:.4f}, {rate:.4f}], exact match " in printed
    text = page([read_run(out)])
    assert all(f"{name}: {ABOUT[name]}" in text for name in names)


def test_published_figures_stand_beside_ours_with_their_sources_and_methods(tmp_path: Path) -> None:
    tasks = [example(add_task(), split) for split in ("single-line", "random-span-light")]
    subject = scripted_subject(lambda _: "    total += b\n")
    with open_results("suite", tmp_path / "out.jsonl") as results:
        records = asyncio.run(evaluate_all(subject, tasks, results))
        results.finish({"suite": "humaneval-infilling", "model": "tuned", "n": len(records)})
    text = page([read_run(tmp_path / "out.jsonl")])
    ours = re.search(r"<tr><td>tuned \(ours, pass@1\)</td>(.*?)</tr>", text)
    assert ours is not None
    assert "<td>1.000 [1.000, 1.000]</td><td></td><td></td>" in ours[1]  # the other splits were not run
    assert "<tr><td>FIM90</td><td>6.9B</td><td>0.751</td><td>0.441</td><td>0.551</td>" in text
    assert "<tr><td>InCoder</td><td>6.7B</td><td>0.690</td><td>0.386</td><td></td>" in text
    for row in (*PASS_AT_1, *EXACT_MATCH):
        assert escaped(f"{row.source.place}: {row.source.name}; {row.source.method}") in text
    assert escaped(OURS) in text
    assert escaped(OTHER_TASKS) in text


def program(task: Task, text: str) -> str:
    masked = example(task, "single-line")
    return masked.program(with_text(masked.document, text))


def test_the_true_line_passes_and_others_do_not() -> None:
    task = add_task()
    assert run_python(program(task, task.canonical)).passed
    assert run_python(program(task, "    total -= b")).error == "AssertionError"
    assert not run_python(program(task, "")).passed


def test_only_single_lines_are_asked_for_as_lines() -> None:
    modes = [example(add_task(), split).document.mode for split in ("single-line", "multi-line", "random-span")]
    assert modes == [Mode.LINE, Mode.BLOCK, Mode.BLOCK]


def test_what_the_pipeline_answers_is_executed_and_kept(tmp_path: Path) -> None:
    tasks = select([ADD, {**ADD, "task_id": "SingleLineInfilling/HumanEval/1/L1"}], selection())
    answers = iter(["    total += b\nignored\n", "    total *= b\n"])
    subject = scripted_subject(lambda _: next(answers))
    with open_results("suite", tmp_path / "out.jsonl") as results:
        records = asyncio.run(evaluate_all(subject, [example(task, "single-line") for task in tasks], results))
    assert [record["score"] for record in records] == [1.0, 0.0]
    kept = read_results(tmp_path / "out.jsonl")
    assert kept == records
    assert [row["completion"] for row in kept] == ["    total += b", "    total *= b"]
    assert [row["error"] for row in kept] == ["", "AssertionError"]
    assert [row["exact"] for row in kept] == [True, False]
    assert [row["id"] for row in kept] == [task.task_id for task in tasks]
    assert all(bytes(row["prompt_tokens"]).decode().endswith("total = a\n") for row in kept)


def test_an_interrupted_run_goes_on_where_it_ended(tmp_path: Path) -> None:
    tasks = select([ADD, {**ADD, "task_id": "SingleLineInfilling/HumanEval/1/L1"}], selection())
    masked, out = [example(task, "single-line") for task in tasks], tmp_path / "out.jsonl"
    answers = iter(["    total += b\n", "    total *= b\n"])
    subject = scripted_subject(lambda _: next(answers))
    with open_results("suite", out) as results:
        first = asyncio.run(evaluate_all(subject, masked[:1], results))
    out.write_text(out.read_text() + '{"id": "SingleLine')  # stopped in the middle of a line
    with open_results("suite", out, resume=True) as results:
        records = asyncio.run(evaluate_all(subject, masked, results))  # a third answer would be one too many
        summary = results.finish({"n": len(records)})
    assert records[0] == first[0]
    assert [record["score"] for record in records] == [1.0, 0.0]
    assert read_results(out) == records
    assert summary["resumed"] == 1


def test_only_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with open_results("suite", out) as results:
        results.finish({"n": 0})
    before = out.read_text()
    for path, problem in ((out, "finished"), (tmp_path / "none.jsonl", "cannot resume"), (None, "--out")):
        with pytest.raises(EvalError, match=problem), open_results("suite", path, resume=True):
            pass
    assert out.read_text() == before
