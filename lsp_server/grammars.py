"""Where this process's grammars run: in children, which a text may crash or hang. Called as a process starts.

Rules: while they are kept out no text is parsed in this process; `parsers.guard` says how.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from model.library.paths import cache_dir
from parsers.guard import Guard
from parsers.refusals import Refusals

# Those of `completion` with questions to trees (`parsers.parse.question`).
MODULES = (
    "completion.filters.chain",
    "completion.filters.names",
    "completion.ranking.surroundings",
    "completion.next_edit.layer_one",
    "completion.next_edit.elsewhere",
)


@contextmanager
def kept_out() -> Iterator[Guard]:
    """Have all texts of this process parsed elsewhere. Children start when they are needed."""
    guard = Guard(MODULES, Refusals(cache_dir() / "refused-texts.json"))
    guard.install()
    try:
        yield guard
    finally:
        guard.close()
