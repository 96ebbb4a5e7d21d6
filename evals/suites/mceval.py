"""`midfill eval mceval`: lines and function bodies of McEval's canonical solutions, masked, in 37 languages.

Chai et al. 2024. Of each problem one line of code (split "lines": the cursor behind the indentation, the rest of the
solution below) and one body ("bodies": the longest function's, else what stands behind the prompt) is asked for.
Executed where this machine has the language's tools (`runtimes`), with the problem's own tests.

Rules: what is drawn from a problem depends on the seed and on nothing else, so that runs can be compared by `id`.
What cannot be executed counts by its text: exact match, similarity, and whether it parses.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from completion.types import Mode
from evals.report import EvalError
from evals.scoring import runtimes
from evals.scoring.figures import by_suite, print_table
from evals.setup import Setup, opened
from evals.sources import SourceFile
from evals.suites.datasets import load
from evals.suites.examples import Example, evaluate_all, unfit_counts
from evals.suites.function_body import longest_body, masked, rest
from evals.suites.lines import code_lines, is_code
from evals.suites.mceval_languages import BY_NAME, LANGUAGES, McEvalLanguage
from parsers.languages import for_document

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Solution:
    """A problem's program before its test: `file.text` is the prompt, then the canonical solution from `begin` on."""

    problem: str
    file: SourceFile
    begin: int
    test: str


def languages(names: Sequence[str]) -> list[McEvalLanguage]:
    """The rows of names in any case, all for none; EvalError for a name that McEval does not have."""
    by_name = {name.lower(): row for name, row in BY_NAME.items()}
    unknown = [name for name in names if name.lower() not in by_name]
    if unknown:
        raise EvalError(f"McEval has no {unknown[0]!r}: use --lang of {', '.join(BY_NAME)}")
    return [by_name[name.lower()] for name in names] or list(LANGUAGES)


def examples(row: McEvalLanguage, split: str, limit: int, seed: int, data: Path | None) -> list[Example]:
    """A seeded sample of `limit` problems (0: all) of a language; EvalError when the data cannot be had."""
    return select(row, load(row.data, data), split, limit, seed)


def select(row: McEvalLanguage, rows: Sequence[Mapping[str, Any]], split: str, limit: int, seed: int) -> list[Example]:
    """The same from a file's rows; problems in which nothing can be masked are left out."""
    solutions = sorted((_solution(row, problem) for problem in rows), key=lambda solution: solution.problem)
    random.Random(f"{seed} {row.name}").shuffle(solutions)
    choose, mode = _CHOICES[split]
    runtime = runtimes.of(row.runtime)
    chosen: list[Example] = []
    for solution in solutions:
        if limit and len(chosen) == limit:
            break
        if (place := choose(solution, row, seed)) is not None:
            document, truth = masked(row.path, solution.file.text, *place, mode)
            chosen.append(
                Example(
                    id=f"mceval-{split}/{solution.problem}",
                    suite=f"mceval-{split}",
                    language=row.name,
                    document=document,
                    truth=truth,
                    test=solution.test,
                    runtime=runtime if solution.test else None,
                    check=True,
                )
            )
    return chosen


def _solution(row: McEvalLanguage, problem: Mapping[str, Any]) -> Solution:
    prompt = row.prose + str(problem["prompt"])
    if prompt.rpartition("\n")[2].strip():  # some end within the solution's first indentation
        prompt += "\n"
    text = prompt + str(problem["canonical_solution"]).rstrip() + "\n"
    file = SourceFile(row.path, for_document(row.path).id, text)
    return Solution(str(problem["task_id"]), file, len(prompt), str(problem.get("test", "")))


def _line(solution: Solution, row: McEvalLanguage, seed: int) -> Range | None:
    lines = [line for line in code_lines(solution.file) if line.begin >= solution.begin]
    random.Random(f"{seed} {solution.problem}").shuffle(lines)
    for line in lines:
        if not (row.comment and line.truth.startswith(row.comment)) and is_code(line):
            return line.begin, line.end
    return None


def _body(solution: Solution, _row: McEvalLanguage, _seed: int) -> Range | None:
    found = longest_body(solution.file.language, solution.file.text, solution.begin)
    return found or rest(solution.file.text, solution.begin)


_CHOICES: dict[str, tuple[Callable[[Solution, McEvalLanguage, int], Range | None], Mode]] = {
    "lines": (_line, Mode.LINE),
    "bodies": (_body, Mode.BLOCK),
}


async def run(names: Sequence[str], setup: Setup, *, splits: Sequence[str], limit: int, seed: int) -> int:
    """Run the suite and print its JSON line."""
    rows = languages(names)
    found = [example for split in splits for row in rows for example in examples(row, split, limit, seed, setup.data)]
    async with opened("mceval", setup) as (subject, results):
        records = await evaluate_all(subject, found, results)
        suites = by_suite(records)
        print_table(suites)
        unfit = unfit_counts(records)
        for reason, n in unfit.items():
            print(f"not executed: {n} examples ({reason})")
        results.finish(
            {
                "suite": "mceval",
                "n": len(records),
                "suites": suites,
                "unfit": unfit,
                "model": subject.model,
                "engine": subject.name,
                "line_format": subject.spec.line_format.value,
                "block_format": subject.spec.block_format.value,
                "limit": limit,
                "seed": seed,
            }
        )
    return 0
