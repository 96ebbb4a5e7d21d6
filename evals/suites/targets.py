"""`midfill eval targets`: how near a model comes to the two accuracies that midfill is measured against.

    single lines of HumanEval-Infilling, and bodies of HumanEval's functions, executed
    each as it is shown while one types (automatic), and as it is answered when asked for (invoked)

Any model of the catalog can be asked, so whoever has the machine for a larger one measures it by the same command.

Rules: one engine and one results file for all four columns, so that a run that was interrupted goes on (`--resume`).
Everything is as it is set up: the trigger is the only difference between two columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from completion.types import Trigger
from evals.engines import Subject
from evals.report import Results
from evals.scoring.figures import figures, with_interval
from evals.setup import Setup, opened
from evals.suites import humaneval_bodies, humaneval_infilling
from evals.suites.examples import Example, evaluate_all
from evals.suites.humaneval_infilling import Selection

SUITE = "targets"
_LINES = "single-line"


@dataclass(frozen=True, slots=True)
class Target:
    """An accuracy to be reached: what is asked for, and the share of it that passes its test."""

    name: str
    about: str
    pass_at_1: float


LINES = Target("lines", "HumanEval-Infilling, single lines", 0.921)
BODIES = Target("bodies", "HumanEval, function bodies", 0.783)
_ASKED = {Trigger.AUTOMATIC: "typing", Trigger.INVOKED: "asked"}


def examples(selection: Selection, setup: Setup) -> dict[str, list[Example]]:
    """The examples of each target by its name; EvalError when the data cannot be had."""
    tasks = humaneval_infilling.load_tasks(replace(selection, split=_LINES), setup.data)
    return {
        LINES.name: [humaneval_infilling.example(task, _LINES) for task in tasks],
        BODIES.name: humaneval_bodies.examples(replace(selection, split=BODIES.name), setup.data),
    }


async def run(selection: Selection, setup: Setup) -> int:
    """Measure both targets both ways, print the table and the JSON line."""
    chosen = examples(selection, setup)
    async with opened(SUITE, setup) as (subject, results):
        found = {
            f"{target.name}_{word}": await _column(subject, chosen[target.name], trigger, results)
            for target in (LINES, BODIES)
            for trigger, word in _ASKED.items()
        }
        _print(subject.model, found)
        results.finish(
            {
                "suite": SUITE,
                "model": subject.model,
                "engine": subject.name,
                "targets": {target.name: target.pass_at_1 for target in (LINES, BODIES)},
                "half": selection.half,
                "seed": selection.seed,
                **found,
            }
        )
    return 0


async def _column(subject: Subject, chosen: Sequence[Example], trigger: Trigger, results: Results) -> dict[str, float]:
    """Figures of one target asked for in one way. Ids say which, since one file holds both."""
    word = _ASKED[trigger]
    asked = [replace(each, id=f"{each.id}/{word}", suite=f"{each.suite}-{word}") for each in chosen]
    return figures(await evaluate_all(replace(subject, trigger=trigger), asked, results))


def _print(model: str, found: dict[str, dict[str, float]]) -> None:
    table = Table(title=f"{model}: pass@1", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for head in ("", "n", "target", *_ASKED.values()):
        table.add_column(head, justify="right" if head else "left")
    for target in (LINES, BODIES):
        columns = [found[f"{target.name}_{word}"] for word in _ASKED.values()]
        reached = [with_interval(each, "pass_at_1", 3) for each in columns]
        table.add_row(target.about, str(columns[0]["n"]), f"{target.pass_at_1:.3f}", *reached)
    Console(highlight=False).print(table)
