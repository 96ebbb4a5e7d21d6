"""`midfill eval humaneval-infilling`: masked lines and spans of HumanEval, completed, then executed (pass@1).

Bavarian et al. 2022, "Efficient training of language models to fill in the middle". In the line splits whole
lines were cut out; a user stands there on an empty line, so the newline that ended them is put back behind
the cursor. Random spans are cut out to the character. Each split is a suite of its own, said by its name (`ABOUT`);
`--split all` runs the four one after the other, `--limit` tasks of each.

Another benchmark goes by this name, too: single lines in three languages, compared as text (Allal et al. 2023). What
was published of either stands in `published_figures`.

Rules: what is executed is exactly what an editor would hold after accepting the completion. Halves are
disjoint by HumanEval problem, since the tasks of one problem share their text: choose on one, report on the
other. The interval is a plain bootstrap over tasks, so it is too narrow where one problem has many tasks.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from completion.types import Mode
from evals.scoring.documents import Document
from evals.scoring.figures import by_suite, figures, print_table, with_interval
from evals.scoring.runtimes import PYTHON
from evals.setup import Setup, opened
from evals.suites.datasets import DataFile, load
from evals.suites.examples import Example, evaluate_all

T = TypeVar("T")
_ORIGIN = "https://raw.githubusercontent.com/openai/human-eval-infilling/88062ff9859c875d04db115b698ed4b0f0395170"


def _file(name: str, sha256: str) -> DataFile:
    return DataFile(folder="humaneval-infilling", name=name, url=f"{_ORIGIN}/data/{name}", sha256=sha256)


SPLITS: dict[str, DataFile] = {
    "single-line": _file(
        "HumanEval-SingleLineInfilling.jsonl.gz",
        "1277073e7ddce163ef68598c2bca777f688a53df99422f097e37362090f88e1f",
    ),
    "multi-line": _file(
        "HumanEval-MultiLineInfilling.jsonl.gz",
        "2f341612eee1d35da1357a4f365e0c0b3ba6e2b62eb491e88aaefa4855af0349",
    ),
    "random-span": _file(
        "HumanEval-RandomSpanInfilling.jsonl.gz",
        "b4f330d8a8ff97bf85d9def497dffcae4d741e506449386a877236e422e33e8d",
    ),
    "random-span-light": _file(
        "HumanEval-RandomSpanInfillingLight.jsonl.gz",
        "1432250ecac0cb56e6f97f8faf0970419ef892a98fda7e1f5aa4c4b87209b760",
    ),
}
ALL = "all"
SUITE = "humaneval-infilling"
_WHOLE_LINES = ("single-line", "multi-line")
# What each suite asks for, in the words of its output and its page.
ABOUT: dict[str, str] = {
    f"{SUITE}-single-line": "one line of a solution is missing",
    f"{SUITE}-multi-line": "one line or several in a row are missing, every such run of each solution",
    f"{SUITE}-random-span": "the text between two random characters is missing, ten places in each solution",
    f"{SUITE}-random-span-light": "the text between two random characters is missing, one place in each solution",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One masked place: the program is `before` + completion + `after` + `test` + check(entry_point)."""

    task_id: str
    before: str
    after: str
    canonical: str  # what stood there, without the newline that belongs to `after`
    test: str
    entry_point: str

    @property
    def problem(self) -> int:
        """Number of the HumanEval problem that this was cut out of."""
        return int(self.task_id.split("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tasks: a seeded sample of `limit` (0: all) out of a half ("a", "b", or "" for both)."""

    split: str
    limit: int
    half: str
    seed: int


def load_tasks(selection: Selection, data: Path | None) -> list[Task]:
    """The selected tasks; EvalError when the data cannot be had."""
    return select(load(SPLITS[selection.split], data), selection)


def select(rows: Sequence[dict[str, Any]], selection: Selection) -> list[Task]:
    """The selected tasks of a split's rows, in a seeded order that does not depend on the rows' order."""
    whole_lines = selection.split in _WHOLE_LINES
    tasks = [_task(row, whole_lines) for row in rows]
    return sampled(tasks, lambda task: task.task_id, lambda task: task.problem, selection)


def sampled(
    tasks: Sequence[T], task_id: Callable[[T], str], problem: Callable[[T], int], selection: Selection
) -> list[T]:
    """The selected tasks of a suite whose halves are told apart by the number of the HumanEval problem.

    Those of one problem come together: they share most of their text, whose keys and values are reused.
    """
    halves = [task for task in tasks if not selection.half or problem(task) % 2 == "ab".index(selection.half)]
    ordered = sorted(halves, key=task_id)
    random.Random(selection.seed).shuffle(ordered)
    chosen = ordered[: selection.limit or None]
    turn = {number: at for at, number in reversed(list(enumerate(map(problem, chosen))))}
    return sorted(chosen, key=lambda task: (turn[problem(task)], task_id(task)))


def _task(row: dict[str, Any], whole_lines: bool) -> Task:
    canonical, after = row["canonical_solution"], row["suffix"]
    if whole_lines:
        canonical, after = canonical.removesuffix("\n"), "\n" + after
    return Task(
        task_id=row["task_id"],
        before=row["prompt"],
        after=after,
        canonical=canonical,
        test=row["test"],
        entry_point=row["entry_point"],
    )


def example(task: Task, split: str) -> Example:
    """The task as an example: a user stands on an empty line, or within one in random spans."""
    mode = Mode.LINE if split == "single-line" else Mode.BLOCK
    return Example(
        id=task.task_id,
        suite=f"{SUITE}-{split}",
        language="Python",
        document=Document(
            path="solution.py", repo="", text=task.before + task.after, cursor=len(task.before), mode=mode
        ),
        truth=task.canonical,
        test=f"{task.test}\ncheck({task.entry_point})",
        runtime=PYTHON,
    )


async def run(selection: Selection, setup: Setup) -> int:
    """Run the suite and print its JSON line."""
    splits = tuple(SPLITS) if selection.split == ALL else (selection.split,)
    tasks = [
        example(task, split) for split in splits for task in load_tasks(replace(selection, split=split), setup.data)
    ]
    return await run_executed(tasks, selection, setup)


async def run_executed(tasks: Sequence[Example], selection: Selection, setup: Setup) -> int:
    """Run a suite of which every example is executed, or several, and print their JSON line."""
    suite, mode = tasks[0].suite, tasks[0].document.mode
    is_one = all(task.suite == suite for task in tasks)
    suite = suite if is_one else SUITE
    async with opened(suite, setup) as (subject, results):
        records = await evaluate_all(subject, tasks, results)
        found = figures(records)
        suites = by_suite(records)
        for name, each in suites.items():
            about = f" ({ABOUT[name]})" if name in ABOUT else ""
            rates = f"pass@1 {with_interval(each, 'pass_at_1', 4)}, exact match {with_interval(each, 'exact_match', 4)}"
            print(f"{name}{about}: {rates} over {each['n']} tasks")
        print_table(suites)
        spec = subject.spec
        chosen = spec.line_format if mode is Mode.LINE else spec.block_format
        formats = (
            {"format": chosen.value}
            if is_one
            else {"line_format": spec.line_format.value, "block_format": spec.block_format.value}
        )
        results.finish(
            {
                "suite": suite,
                "about": ABOUT.get(suite, ""),
                **({"low": found["pass_at_1_low"], "high": found["pass_at_1_high"], **found} if is_one else {}),
                **({} if is_one else {"n": len(records), "suites": suites}),
                "model": subject.model,
                "engine": subject.name,
                **formats,
                "half": selection.half,
                "seed": selection.seed,
            }
        )
    return 0
