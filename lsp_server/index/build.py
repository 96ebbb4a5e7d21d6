"""Builds or refreshes an index in the present process: for the command line and the evals, with a progress bar."""

import fcntl
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lsp_server.index.schema import folder_of
from lsp_server.index.write import IndexWriter
from lsp_server.index.write import Progress as Pass


def bring_up_to_date(root: Path, console: Console) -> None:
    """Read what is new or has changed; nothing to do when another process keeps this index."""
    folder_of(root).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder_of(root) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        writer = IndexWriter(root)
        try:
            with Progress(*columns, console=console, transient=True) as bar:
                task = bar.add_task(f"reading {root.name}", total=None)

                def show(at: Pass) -> None:
                    bar.update(task, total=at.n_files, completed=at.n_done)

                writer.sync(show)
        finally:
            writer.close()
