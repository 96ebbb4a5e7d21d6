"""`midfill eval refusals --path DIR`: real code that the filters would change if a model wrote it. Needs no model.

A filter that cuts what people write costs good suggestions. So real lines are put through the filters as if they had
been generated, in four situations: the line is missing from its file (`line`), the file ends there, as when it
is written from top to bottom (`end`), the cursor stands within the line (`inside`), and the rest of a
block is missing (`block`). A refusal is a line, or a block, whose acceptance does not give the true text.

Rules: the filters are the product's, in its order. A refusal is put down to the first filter that changed something.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from completion.code.lines import columns
from completion.filters.chain import apply_filters
from completion.types import Mode, Trigger
from evals.progress import tracked
from evals.report import Results, open_results
from evals.scoring.documents import Document
from evals.suites.lines import MaskedLine, masked_lines
from tuning.stats import mean_interval

_MAX_BLOCK_LINES = 16


@dataclass(frozen=True, slots=True)
class Case:
    """A document with a cursor, and the text that truly stands there."""

    situation: str
    document: Document
    truth: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filters made of it: the first that changed the result ("" when none did), and how long they took."""

    refused_by: str
    left: str
    ms: float


def cases_of(line: MaskedLine, seed: int) -> Iterator[Case]:
    """A line in each situation that it can be in."""
    text, begin, end = line.file.text, line.begin, line.end
    after = text[end:].lstrip(" \t")
    yield _case(line, "line", text[:begin], line.truth, after, Mode.LINE)
    yield _case(line, "end", text[:begin], line.truth, "", Mode.LINE)
    # Not in the middle of the last word: that is a line of its own kind, and seldom asked for.
    at = begin + random.Random(f"{seed}:{line.file.path}:{line.number}").randrange(1, len(line.truth) - 1)
    if text[at:end].strip():
        yield _case(line, "inside", text[:at], text[at:end], after, Mode.LINE)
    last = _block_end(text, begin)
    if last > end:
        yield _case(line, "block", text[:begin], text[begin:last].rstrip(), text[last:], Mode.BLOCK)


def _case(line: MaskedLine, situation: str, before: str, truth: str, after: str, mode: Mode) -> Case:
    document = Document(path=line.file.path, repo="", text=before + after, cursor=len(before), mode=mode)
    return Case(situation, document, truth)


def _block_end(text: str, begin: int) -> int:
    """Where the block ends of whose lines the one at `begin` is; `begin` when it is too long."""
    body, end = columns(text[text.rfind("\n", 0, begin) + 1 : begin] + "x"), begin
    for _ in range(_MAX_BLOCK_LINES):
        stop = text.find("\n", end)
        if stop < 0:
            return len(text)
        following = text[stop + 1 :].split("\n", 1)[0]
        if not following.strip() or columns(following) < body:
            return stop
        end = stop + 1
    return begin


def judge(case: Case) -> Verdict:
    """Put the true text through the filters."""
    request = case.document.request(trigger=Trigger.AUTOMATIC)  # more is refused than to an invoked one
    began = time.perf_counter()
    candidate, steps = apply_filters(case.truth, request)
    ms = (time.perf_counter() - began) * 1e3
    document = case.document
    whole = document.text[: document.cursor] + case.truth + document.text[document.cursor :]
    same = candidate.accepted(request) == whole
    return Verdict("" if same else steps[0].name if steps else "?", candidate.text, ms)


def run(root: Path, *, limit: int, seed: int, out: Path | None) -> int:
    """Run the suite and print its JSON line."""
    lines = masked_lines(root, limit, seed)
    with open_results("refusals", out) as results:
        results.finish({"suite": "refusals", "seed": seed, "n": len(lines), **evaluate(lines, seed, results)})
    return 0


def evaluate(lines: Sequence[MaskedLine], seed: int, results: Results) -> dict[str, object]:
    """Judge every line in every situation; the rates of refusal, by situation, language and filter."""
    refused: dict[str, list[float]] = {}
    filters: dict[str, Counter[str]] = {}
    times: list[float] = []
    for line in tracked(lines, "filters"):
        for case in cases_of(line, seed):
            verdict = judge(case)
            times.append(verdict.ms)
            for key in (case.situation, f"{case.situation} {line.file.language}"):
                refused.setdefault(key, []).append(float(bool(verdict.refused_by)))
            if verdict.refused_by:
                filters.setdefault(case.situation, Counter())[verdict.refused_by] += 1
                results.add(
                    {
                        "id": f"{line.file.path}:{line.number} {case.situation}",
                        "score": 0.0,
                        "refused_by": verdict.refused_by,
                        "before": case.document.text[max(0, case.document.cursor - 200) : case.document.cursor],
                        "truth": case.truth,
                        "left": verdict.left,
                    }
                )
    for key in sorted(refused, key=lambda key: (key.split()[0], key)):
        print(f"refusals: {key}: {mean_interval(refused[key])} of {len(refused[key])}", dict(filters.get(key, {})))
    times.sort()
    return {
        "refused": {key: sum(values) / len(values) for key, values in refused.items()},
        "n_cases": {key: len(values) for key, values in refused.items()},
        "by_filter": {situation: dict(found) for situation, found in filters.items()},
        "ms_median": times[len(times) // 2],
        "ms_p95": times[int(len(times) * 0.95)],
    }
