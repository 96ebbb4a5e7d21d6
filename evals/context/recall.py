"""`midfill eval recall --path DIR`: whether the context holds the definitions that a line is going to need.

Lines that use something of another file of the tree are found by the language's own tools (`resolve`), never by
midfill's index. For each, the product chooses context from the text above the line alone. A needed definition is found
when its line is among the lines shown within a budget of tokens.

Rules: the line itself and what follows are hidden from the retriever; tokens are those of the model's tokenizer,
paths included. No model runs.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from completion.context.selection import Ranked
from completion.types import Tokenizer
from evals.context.needs import NeededLine, Target
from evals.context.resolve import needed_lines
from evals.progress import tracked
from evals.report import EvalError, open_results
from evals.sources import source_files
from lsp_server.index.build import bring_up_to_date
from lsp_server.local import store_of
from lsp_server.workspace.repository import Repository
from model.library.vocabulary import open_tokenizer
from tuning.stats import ratio_interval

BUDGETS = {"2k": 2_048, "4k": 4_096, "16k": 16_384}
# More than the largest budget by the rough count, so that the exact one decides.
ROOM_TOKENS = 24_000


def found(needs: Sequence[Target], ranked: Sequence[Ranked], tokenizer: Tokenizer, budget: int) -> list[bool]:
    """Whether each needed definition is shown by the best snippets that fit into `budget` tokens."""
    shown: set[tuple[str, int]] = set()
    left = budget
    for entry in ranked:
        left -= 1 + len(tokenizer.encode(f"{entry.path}\n{entry.snippet.text}"))
        if left < 0:
            break
        shown |= {(entry.path, line) for first, last in entry.ranges for line in range(first, last + 1)}
    return [(need.path, need.line - 1) in shown for need in needs]


def run(root: Path, *, language: str, limit: int, seed: int, model: str, out: Path | None) -> int:
    """Measure, print a line per miss at 4k, and the JSON line."""
    files = [file for file in source_files(root) if file.language == language]
    lines = needed_lines(root, language, files, limit, seed)
    if not lines:
        raise EvalError(f"no line of {language} below {root} uses a definition of another file of it")
    tokenizer = open_tokenizer(store_of(model))
    bring_up_to_date(root, Console(stderr=True))
    repository = Repository.open(root)
    texts = {file.path: file.text for file in files}
    hits: dict[str, list[float]] = {name: [] for name in BUDGETS}
    times: list[float] = []
    with open_results("recall", out) as results:
        for line in tracked(lines, "recall"):
            above = "".join(texts[line.path].splitlines(keepends=True)[: line.number - 1])
            began = time.perf_counter()
            ranked = repository.retrieve(line.path, above, len(above), ROOM_TOKENS)
            times.append(1e3 * (time.perf_counter() - began))
            row = {name: found(line.needs, ranked, tokenizer, budget) for name, budget in BUDGETS.items()}
            for name, verdicts in row.items():
                hits[name].append(float(sum(verdicts)))
            results.add(_example(line, row))
            for need, is_found in zip(line.needs, row["4k"], strict=True):
                if not is_found:
                    print(f"missed at 4k: {line.path}:{line.number} needs {need.name} ({need.path}:{need.line})")
        n_needs = [float(len(line.needs)) for line in lines]
        recall = {name: ratio_interval(values, n_needs) for name, values in hits.items()}
        results.finish(
            {
                "suite": "recall",
                "tree": root.resolve().name,
                "n": len(lines),
                "n_definitions": int(sum(n_needs)),
                "n_files": len(files),
                "language": language,
                "seed": seed,
                **{f"definition_recall_{name}": interval.mean for name, interval in recall.items()},
                "low_4k": recall["4k"].low,
                "high_4k": recall["4k"].high,
                "retrieve_p50_ms": float(np.percentile(times, 50)),
                "retrieve_p99_ms": float(np.percentile(times, 99)),
            }
        )
    repository.close()
    return 0


def _example(line: NeededLine, row: dict[str, list[bool]]) -> dict[str, Any]:
    needs = [[need.path, need.line, need.name] for need in line.needs]
    return {"id": f"{line.path}:{line.number}", "needs": needs, **row}
