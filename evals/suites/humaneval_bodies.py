"""`midfill eval humaneval-bodies`: the bodies of HumanEval's functions, asked for from signature and docstring.

Chen et al. 2021, "Evaluating Large Language Models Trained on Code", in the Python file of HumanEval-X (Zheng et al.
2023). The cursor stands behind the indentation of the empty body, where an editor puts it; mode block; executed.

Rules: halves are those of `humaneval_infilling`, by problem number, and so is the sample.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from completion.types import Mode
from evals.scoring.runtimes import PYTHON
from evals.setup import Setup
from evals.suites.datasets import DataFile, load
from evals.suites.examples import Example
from evals.suites.function_body import masked, rest
from evals.suites.humaneval_infilling import Selection, run_executed, sampled

SUITE = "humaneval-bodies"
_FILE = "humaneval_python.jsonl.gz"
_REPOSITORY = "https://raw.githubusercontent.com/THUDM/CodeGeeX/2838420b7b4492cf3d16bce5320e26e65960c9e2"
DATA = DataFile(
    folder="humaneval-x",
    name=_FILE,
    url=f"{_REPOSITORY}/codegeex/benchmark/humaneval-x/python/data/{_FILE}",
    sha256="5752fb122efddb0e9b47c77907ae6ce9a15aac4dea14e44c46032c831e6b987a",
)


def examples(selection: Selection, data: Path | None) -> list[Example]:
    """The selected bodies; EvalError when the data cannot be had."""
    return select(load(DATA, data), selection)


def select(rows: Sequence[Mapping[str, Any]], selection: Selection) -> list[Example]:
    """The selected bodies of the data's rows, in the order that the seed gives."""
    return sampled([_example(row) for row in rows], lambda example: example.id, _problem, selection)


def _example(row: Mapping[str, Any]) -> Example:
    prompt = str(row["prompt"])
    text = prompt + str(row["canonical_solution"]).rstrip() + "\n"
    place = rest(text, len(prompt))
    assert place is not None, "no problem of HumanEval has an empty body"
    document, truth = masked("solution.py", text, *place, Mode.BLOCK)
    return Example(
        id=f"{SUITE}/{row['task_id']}",
        suite=SUITE,
        language="Python",
        document=document,
        truth=truth,
        test=str(row["test"]),
        runtime=PYTHON,
    )


def _problem(example: Example) -> int:
    return int(example.id.rsplit("/", 1)[1])


async def run(selection: Selection, setup: Setup) -> int:
    """Run the suite and print its JSON line."""
    return await run_executed(examples(selection, setup.data), selection, setup)
