"""An example of any suite that generates: a document with a place to complete, its truth, and perhaps a test.

    answer -> accept -> run its test -> a results line

Used by `humaneval_infilling`, `humaneval_bodies`, `mceval` and `overall`. Rules: what is executed is exactly what an
editor would hold after accepting. `score`, which `compare` reads, is whether the test passed, where there is one, else
whether the text is the true one. A test that fails with the truth, or passes with nothing in the place, says nothing:
where `check` asks for it such a test is not run, and the example is scored by its text alone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evals.engines import Subject
from evals.progress import tracked
from evals.report import Results
from evals.scoring.accepted import accept, with_text
from evals.scoring.documents import LIMITS, Answer, Document, answer
from evals.scoring.runtimes import Runtime, run

# Of the text around the cursor, what a results line keeps for those who read it.
_SHOWN_BEFORE, _SHOWN_AFTER = 700, 240

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The program is the document with a text at its cursor, then `test`; it is run where there is a `runtime`."""

    id: str
    suite: str
    language: str
    document: Document
    truth: str
    test: str = ""
    runtime: Runtime | None = None
    check: bool = False  # hold the test against the truth and against nothing first
    unfit: str = ""  # why its test is not run after all

    def program(self, document_text: str) -> str:
        """What is executed when the document holds this text."""
        return f"{document_text}\n{self.test}\n"


def nothing_more(_got: Answer) -> Record:
    """What most suites have to say of an answer besides."""
    return {}


async def evaluate(
    subject: Subject,
    example: Example,
    results: Results,
    *,
    window_tokens: int = LIMITS.max_prompt_tokens,
    more: Callable[[Answer], Record] = nothing_more,
) -> Record:
    """Complete one example, run its test, keep it; `more` gives further keys of its results line.

    What the run that is resumed has of it stands.
    """
    if (found := results.resumed(example.suite, example.id)) is not None:
        return found
    if example.check:
        example = await asyncio.to_thread(verified, example)
    document = example.document
    got = await answer(subject, document, window_tokens)
    accepted = accept(document, got.completion, example.truth)
    verdict = None
    if example.runtime is not None:
        verdict = await asyncio.to_thread(run, example.runtime, example.program(accepted.text))
    record = {
        "id": example.id,
        "suite": example.suite,
        "language": example.language,
        "score": float(verdict.passed if verdict is not None else accepted.exact),
        "passed": verdict.passed if verdict is not None else None,
        "error": verdict.error if verdict is not None else "",
        "unfit": example.unfit,
        **accepted.record(),
        **more(got),
        "truth": example.truth,
        "before": document.text[max(0, document.cursor - _SHOWN_BEFORE) : document.cursor],
        "after": document.text[document.cursor : document.cursor + _SHOWN_AFTER],
        **got.record(),
    }
    results.add(record)
    return record


async def evaluate_all(subject: Subject, examples: Sequence[Example], results: Results) -> list[Record]:
    """Every example in order, with a progress bar."""
    return [await evaluate(subject, example, results) for example in tracked(examples, subject.name)]


def verified(example: Example) -> Example:
    """The example, without its test where that says nothing; blocks while it runs."""
    if example.runtime is None:
        return example
    if not _passes(example, with_text(example.document, example.truth)):
        return replace(example, runtime=None, unfit="the true program fails")
    if _passes(example, example.document.text):
        return replace(example, runtime=None, unfit="passes with nothing in the place")
    return example


def unfit_counts(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many tests were left out that this machine could run, by why."""
    return dict(sorted(Counter(record["unfit"] for record in records if record["unfit"]).items()))


def _passes(example: Example, document_text: str) -> bool:
    assert example.runtime is not None
    return run(example.runtime, example.program(document_text)).passed
