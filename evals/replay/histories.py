"""The histories that `midfill bench typing` plays: two states of each repository in 2026, and which half it is in.

Rules: thresholds are chosen on the one half, and judged on the other. No repository is one that weights are trained
on or that another suite measures. Commits are named in full, as a server gives them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.replay.releases import is_path
from evals.report import EvalError


@dataclass(frozen=True, slots=True)
class Named:
    """A history (of `evals.replay.history`) with a short name, and when its two states were."""

    name: str
    language: str
    spec: str
    dates: str
    held_out: bool


HISTORIES = (
    Named("click", "python", "pallets/click==8.4.2..8.5.0", "2026-06-23..2026-08-21", held_out=False),
    Named("hono", "typescript", "honojs/hono==v4.12.31..v4.13.3", "2026-07-19..2026-08-18", held_out=False),
    Named(
        "gin",
        "go",
        "gin-gonic/gin==v1.12.0..dcaa4296d111981ffb31ac3eba90bb63e1eb5ab9",
        "2026-02-28..2026-08-15",
        held_out=False,
    ),
    Named(
        "gson",
        "java",
        "google/gson==gson-parent-2.14.0..9835b6f90192f79cdf5300c528fc6212455fb6c1",
        "2026-04-23..2026-08-08",
        held_out=False,
    ),
    Named("textual", "python", "Textualize/textual==v8.2.3..v8.2.8", "2026-04-05..2026-06-30", held_out=True),
    Named("h3", "typescript", "h3js/h3==v2.0.1-rc.22..v2.0.1-rc.29", "2026-05-05..2026-08-20", held_out=True),
    Named(
        "axum",
        "rust",
        "tokio-rs/axum==axum-v0.8.9..3d78036dcac289d6c1d54934708acb6a5bd73686",
        "2026-04-06..2026-08-20",
        held_out=True,
    ),
    Named("jedis", "java", "redis/jedis==v7.3.0..v7.4.1", "2026-02-17..2026-04-02", held_out=True),
)
SETS = ("chosen", "held-out", "all")


def of_set(name: str) -> list[Named]:
    """The histories of a set."""
    return [each for each in HISTORIES if name == "all" or each.held_out == (name == "held-out")]


def named(words: Sequence[str]) -> list[Named]:
    """Histories by name; a word that is none is a history of its own, if it looks like one. EvalError otherwise."""
    known = {each.name: each for each in HISTORIES}
    found = []
    for word in words:
        if word not in known and "==" not in word:
            raise EvalError(f"{word!r} is no history; there are {', '.join(known)}, and NAME==OLD..NEW")
        name = word.partition("==")[0]
        name = Path(name).expanduser().resolve().name if is_path(name) else name
        found.append(known.get(word) or Named(name, "", word, "", held_out=False))
    if twice := {each.name for each in found if sum(other.name == each.name for other in found) > 1}:
        raise EvalError(f"two histories are called {sorted(twice)[0]}: their edits could not be told apart")
    return found
