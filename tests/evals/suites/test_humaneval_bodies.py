import asyncio
from pathlib import Path
from typing import Any

from evals.report import open_results
from evals.scoring.accepted import with_text
from evals.scoring.sandbox import run_python
from evals.suites.examples import evaluate_all
from evals.suites.humaneval_bodies import select
from evals.suites.humaneval_infilling import Selection
from tests.evals.scripted import scripted_subject

ADD: dict[str, Any] = {
    "task_id": "Python/0",
    "prompt": 'def add(a, b):\n    """The sum.\n    """\n',
    "canonical_solution": "    total = a\n    total += b\n\n    return total\n",
    "test": "\ndef check(add):\n    assert add(2, 3) == 5\n\ncheck(add)\n",
}


def selection(half: str = "") -> Selection:
    return Selection(split="bodies", limit=0, half=half, seed=0)


def test_the_cursor_stands_in_the_empty_body_where_an_editor_puts_it() -> None:
    example = select([ADD], selection())[0]
    assert example.document.text == f"{ADD['prompt']}    \n"
    assert example.document.cursor == len(ADD["prompt"]) + 4
    assert example.truth == "total = a\n    total += b\n\n    return total"


def test_the_true_body_passes_and_an_empty_one_does_not() -> None:
    example = select([ADD], selection())[0]
    assert run_python(example.program(with_text(example.document, example.truth))).passed
    assert not run_python(example.program(example.document.text)).passed


def test_halves_are_told_apart_by_problem() -> None:
    rows = [{**ADD, "task_id": f"Python/{number}"} for number in range(9)]
    a, b = ({int(e.id.split("/")[-1]) for e in select(rows, selection(half))} for half in "ab")
    assert (a, b) == ({0, 2, 4, 6, 8}, {1, 3, 5, 7})


def test_a_body_is_generated_as_a_block_and_executed(tmp_path: Path) -> None:
    rows = [ADD, {**ADD, "task_id": "Python/1"}]
    answers = iter(["total = a + b\n    return total\n\n\ndef other():\n", "return a - b\n"])
    with open_results("suite", tmp_path / "out.jsonl") as results:
        subject = scripted_subject(lambda _: next(answers))
        records = asyncio.run(evaluate_all(subject, select(rows, selection()), results))
    assert [record["passed"] for record in records] == [True, False]
    assert records[0]["completion"].rstrip() == "total = a + b\n    return total"
    assert [record["error"] for record in records] == ["", "AssertionError"]
