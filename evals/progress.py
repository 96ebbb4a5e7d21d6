"""A progress bar on standard error for loops over examples; silent when nobody looks at it."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def tracked(items: Sequence[T], description: str) -> Iterator[T]:
    """The items, with a bar that moves as they are taken."""
    console = Console(stderr=True)
    yield from track(items, description, console=console, disable=not console.is_terminal, transient=True)
