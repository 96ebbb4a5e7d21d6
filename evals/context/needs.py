"""Which definitions of other files a line needs: the data that resolvers give and the evals of context use.

Rules: data and one Protocol. Who finds the needs is `resolve`, by the languages' own tools.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evals.sources import SourceFile


@dataclass(frozen=True, slots=True)
class Target:
    """Where a needed definition stands: the line (from 1) of its name in a file of the tree."""

    path: str
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class NeededLine:
    """Line `number` (from 1) of a file, or `n_lines` lines from it, which use `needs` of other files."""

    path: str
    number: int
    needs: tuple[Target, ...]
    n_lines: int = 1


# By line (from 1): the definitions in other files that it uses.
Uses = dict[int, tuple[Target, ...]]


class Resolver(Protocol):
    """Knows what the names of a tree mean."""

    def uses(self, file: SourceFile, numbers: Sequence[int]) -> Uses:
        """For lines (from 1) of a file: the definitions in other files that they use. Lines without are left out."""
        ...


Open = Callable[[Path, Sequence[SourceFile]], AbstractContextManager[Resolver]]
