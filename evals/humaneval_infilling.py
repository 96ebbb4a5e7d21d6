"""`midfill eval humaneval-infilling`: masked lines and spans of HumanEval, completed, then executed (pass@1).

Bavarian et al. 2022, "Efficient training of language models to fill in the middle". In the line splits whole
lines were cut out; a user stands there on an empty line, so the newline that ended them is put back behind
the cursor. Random spans are cut out to the character.

Rules: what is executed is exactly what an editor would hold after accepting the completion. Halves are
disjoint by HumanEval problem, since the tasks of one problem share their text: choose on one, report on the
other. The interval is a plain bootstrap over tasks, so it is too narrow where one problem has many tasks.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from completion.types import Completion, Mode
from evals.datasets import DataFile, load
from evals.documents import Document, answer
from evals.engines import Subject, open_subject
from evals.progress import tracked
from evals.report import Results, open_results
from evals.sandbox import Verdict, run_python
from evals.stats import mean_interval

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
    whole_lines = selection.split != "random-span"
    tasks = [_task(row, whole_lines) for row in rows]
    if selection.half:
        tasks = [task for task in tasks if task.problem % 2 == "ab".index(selection.half)]
    tasks.sort(key=lambda task: task.task_id)
    random.Random(selection.seed).shuffle(tasks)
    return tasks[: selection.limit or None]


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


def program(task: Task, text: str, replace_right: int = 0) -> str:
    """The program after accepting `text` in place of `replace_right` characters behind the cursor."""
    after = task.after[replace_right:]
    return f"{task.before}{text}{after}\n{task.test}\ncheck({task.entry_point})\n"


async def evaluate(subject: Subject, tasks: list[Task], mode: Mode, results: Results) -> list[float]:
    """Complete and execute every task; returns 1.0 or 0.0 for each, in order."""
    scores = []
    for task in tracked(tasks, subject.name):
        document = Document(
            path="solution.py", repo="", text=task.before + task.after, cursor=len(task.before), mode=mode
        )
        got = await answer(subject, document)
        verdict = await asyncio.to_thread(_execute, task, got.completion)
        scores.append(float(verdict.passed))
        results.add(
            {
                "id": task.task_id,
                "score": scores[-1],
                "error": verdict.error,
                "canonical": task.canonical,
                **got.record(),
            }
        )
    return scores


def _execute(task: Task, completion: Completion) -> Verdict:
    return run_python(program(task, completion.text, completion.replace_right))


async def run(
    selection: Selection, *, engine: str, model: str, prompt_format: str, data: Path | None, out: Path | None
) -> int:
    """Run the suite and print its JSON line."""
    tasks = load_tasks(selection, data)
    mode = Mode.LINE if selection.split == "single-line" else Mode.BLOCK
    suite = f"humaneval-infilling-{selection.split}"
    async with open_subject(engine, model, prompt_format) as subject:
        with open_results(suite, out) as results:
            scores = await evaluate(subject, tasks, mode, results)
            interval = mean_interval(scores)
            chosen = subject.spec.line_format if mode is Mode.LINE else subject.spec.block_format
            print(f"{suite}: pass@1 {interval} over {len(scores)} tasks")
            results.finish(
                {
                    "suite": suite,
                    "n": len(scores),
                    "pass_at_1": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "model": subject.model,
                    "engine": subject.name,
                    "format": chosen.value,
                    "half": selection.half,
                    "seed": selection.seed,
                }
            )
    return 0
