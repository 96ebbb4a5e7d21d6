"""What every suite that generates is asked for, and how it opens what it needs. Used by these suites and `runners`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from evals.engines import Subject, open_subject
from evals.report import Results, open_results


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What answers (of engines.ENGINES and FORMATS), where the data sets lie, and where results go."""

    engine: str
    model: str
    prompt_format: str
    data: Path | None = None  # None: downloaded
    out: Path | None = None  # None: a new file
    resume: bool = False  # go on with the run that `out` holds
    url: str = ""  # of the engine that is a server


@asynccontextmanager
async def opened(suite: str, setup: Setup) -> AsyncIterator[tuple[Subject, Results]]:
    """The engine, and the results file of a suite; EvalError when one cannot be had."""
    async with open_subject(setup.engine, setup.model, setup.prompt_format, setup.url) as subject:
        with open_results(suite, setup.out, resume=setup.resume) as results:
            yield subject, results
