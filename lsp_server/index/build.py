"""Builds or refreshes an index in the present process: for the command line and the evals, with a progress bar."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lsp_server.documents.file_names import shown
from lsp_server.index.schema import folder_of, writer_lock
from lsp_server.index.write import IndexWriter
from lsp_server.index.write import Progress as Pass


def bring_up_to_date(root: Path, console: Console) -> None:
    """Read what is new or has changed; nothing to do when another process keeps this index."""
    with writer_lock(folder_of(root)) as is_ours:
        if is_ours:
            _sync(root, console)


def _sync(root: Path, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    writer = IndexWriter(root)
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(f"reading {escape(shown(root.name))}", total=None)

            def show(at: Pass) -> None:
                bar.update(task, total=at.n_files, completed=at.n_done)

            writer.sync(show)
    finally:
        writer.close()
