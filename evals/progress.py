"""Progress bars on standard error; silent when nobody looks at them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

T = TypeVar("T")


def tracked(items: Sequence[T], description: str) -> Iterator[T]:
    """The items, with a bar that moves as they are taken."""
    console = Console(stderr=True)
    yield from track(items, description, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def counted(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for what counts by itself: call what it gives with how many are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda n_done: bar.update(task, completed=n_done)
