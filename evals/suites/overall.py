"""`midfill eval all --budget MINUTES`: a sample of every suite that fits a time, as a table and an HTML page.

Suites take turns, and within a suite its languages do (infilling and bodies have one, McEval 37, `lines` those of the
tree), each in the order of its seed: whenever the time is up, every suite has had about as many examples as the others.

Rules: an example is begun only when, by what its suite's examples took so far, it will end within the budget. The
time is that of the examples; fetching data and the model comes before. A longer run with the same seed has the
examples of a shorter one, so the two can be compared by `id`.
"""

import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from evals.engines import Subject
from evals.pages import page
from evals.progress import counted
from evals.report import EvalError, Results
from evals.scoring.figures import by_suite, print_table
from evals.setup import Setup, opened
from evals.suites import humaneval_bodies, humaneval_infilling, mceval
from evals.suites.examples import Example, Record, evaluate, unfit_counts
from evals.suites.humaneval_infilling import Selection
from evals.suites.lines import masked_lines
from evals.suites.mceval_languages import LANGUAGES, SPLITS

# Of a tree, the lines that are ready to be asked for: more than any budget reaches.
_MAX_LINES = 2_000

T = TypeVar("T")


def strata(path: Path | None, seed: int, data: Path | None) -> list[list[Iterator[Example]]]:
    """The suites, and in each its languages' examples in the order of the seed; EvalError when data cannot be had."""
    suites = [[iter(_infilling(split, seed, data))] for split in ("single-line", "multi-line")]
    suites.append([iter(humaneval_bodies.examples(_everything("bodies", seed), data))])
    # In an order of the seed: a short run should not always see the first letters of the alphabet.
    languages = random.Random(seed).sample(LANGUAGES, len(LANGUAGES))
    for split in SPLITS:
        suites.append([iter(mceval.examples(row, split, 0, seed, data)) for row in languages])
    if path is not None:
        lines = masked_lines(path, _MAX_LINES, seed)
        by_language: dict[str, list[Example]] = {}
        for line in lines:
            by_language.setdefault(line.file.language, []).append(line.example(path.resolve().name))
        suites.append([iter(examples) for examples in by_language.values()])
    return suites


def _infilling(split: str, seed: int, data: Path | None) -> list[Example]:
    tasks = humaneval_infilling.load_tasks(_everything(split, seed), data)
    return [humaneval_infilling.example(task, split) for task in tasks]


def _everything(split: str, seed: int) -> Selection:
    return Selection(split=split, limit=0, half="", seed=seed)


def round_robin(sources: Iterable[Iterable[T]]) -> Iterator[T]:
    """One of each source in turn, until all are used up."""
    waiting = deque(iter(source) for source in sources)
    while waiting:
        source = waiting.popleft()
        for item in source:
            yield item
            waiting.append(source)
            break


class Budget:
    """Says whether another example of a suite fits, by the mean time of those before it."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock, self._start_at = clock, clock()
        self._began_at = self._start_at
        self._taken: dict[str, list[float]] = {}

    def begin(self, suite: str) -> bool:
        """Whether there is time for an example of this suite, which then begins."""
        self._began_at = self._clock()
        taken = self._taken.get(suite) or [0.0]
        return self._began_at + sum(taken) / len(taken) < self._start_at + self.seconds

    def end(self, suite: str) -> None:
        """The example is done."""
        self._taken.setdefault(suite, []).append(self._clock() - self._began_at)

    def elapsed_s(self) -> float:
        """Seconds since the budget was made."""
        return self._clock() - self._start_at

    def seconds_per_example(self) -> dict[str, float]:
        """The mean of each suite."""
        return {suite: sum(taken) / len(taken) for suite, taken in self._taken.items()}


async def evaluate_within(
    subject: Subject, suites: Sequence[Sequence[Iterator[Example]]], budget: Budget, results: Results
) -> list[Record]:
    """Take examples in turn until none fits any more; a suite whose next one does not fit gives way to the others."""
    records: list[Record] = []
    spent: set[str] = set()
    with counted("seconds", round(budget.seconds)) as show:
        for example in round_robin(round_robin(suite) for suite in suites):
            if example.suite in spent:
                if len(spent) == len(suites):
                    break
                continue
            if not budget.begin(example.suite):
                spent.add(example.suite)
                continue
            records.append(await evaluate(subject, example, results))
            budget.end(example.suite)
            show(round(budget.elapsed_s()))
    return records


async def run(setup: Setup, *, minutes: int, path: Path | None, seed: int) -> int:
    """Run the sample, print its table and JSON line, and write the page beside the results file."""
    suites = strata(path, seed, setup.data)
    async with opened("all", setup) as (subject, results):
        budget = Budget(minutes * 60.0)
        records = await evaluate_within(subject, suites, budget, results)
        found = by_suite(records)
        print_table(found)
        results.finish(
            {
                "suite": "all",
                "n": len(records),
                "suites": found,
                "seconds_per_example": budget.seconds_per_example(),
                "unfit": unfit_counts(records),
                "model": subject.model,
                "engine": subject.name,
                "line_format": subject.spec.line_format.value,
                "block_format": subject.spec.block_format.value,
                "tree": path.resolve().name if path is not None else None,
                "minutes": minutes,
                "seed": seed,
            }
        )
    _write_page(results.path)
    return 0


def _write_page(results: Path) -> None:
    """The page lies beside the results; without matplotlib there is none, and the figures stand all the same.

    Said on standard error, since the last line on standard output is the JSON line.
    """
    out = results.with_suffix(".html")
    try:
        page.write([results], out)
    except EvalError as error:
        print(f"no page: {error}", file=sys.stderr)
    else:
        print(f"page: {out}", file=sys.stderr)
