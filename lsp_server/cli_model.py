"""`midfill model pull|list|path|rm`: the models on this machine."""

import argparse
import shutil
import sys
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from model import fetch
from model.catalog import CATALOG, DEFAULT_MODEL, ModelError, ModelRow, resolve
from model.paths import models_dir, stores_dir


def add_parser(commands: Any) -> None:
    """Register the subcommands; each sets `run`."""
    parser = commands.add_parser("model", help="fetch, list and remove models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, run, text in (
        ("pull", _pull, "fetch a model and quantize it for this machine"),
        ("path", _path, "print where a model's file is"),
        ("rm", _remove, "delete a model's file and everything made from it"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("model", nargs="?" if name == "pull" else None, default=DEFAULT_MODEL)
        action.set_defaults(run=run)
    actions.add_parser("list", help="show the known models").set_defaults(run=_list)


@contextmanager
def download_bar() -> "Any":
    """A progress bar on standard error; gives a callback for `fetch`."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task: TaskID = bar.add_task("starting", total=None)

        def report(progress: fetch.Progress) -> None:
            bar.update(
                task, description=progress.stage, completed=progress.done_bytes, total=progress.total_bytes or None
            )

        yield report


def _pull(args: argparse.Namespace) -> int:
    from model.quantize import ensure_store  # imports torch

    source = resolve(args.model)
    with download_bar() as report:
        file = fetch.fetch(source, report)

        def quantizing(done: float) -> None:
            report(fetch.Progress("quantizing to int8", int(done * 1000), 1000))

        store = ensure_store(source, file, quantizing)
    print(f"{source.model_id} is ready: {store}", file=sys.stderr)
    return 0


def _list(args: argparse.Namespace) -> int:
    table = Table("model", "size", "licence", "state", "where")
    for row in CATALOG:
        name = f"{row.name} (default)" if row.name == DEFAULT_MODEL else row.name
        where = str(models_dir() / row.file) if fetch.is_cached(row) else row.source_repo
        table.add_row(name, f"{row.size_bytes / 1e6:,.0f} MB", row.license, _state(row), where)
    Console().print(table)
    return 0


def _state(row: ModelRow) -> str:
    if any(stores_dir().glob(f"{row.name}-int8-*/manifest.json")):
        return "ready (int8)"
    return "downloaded" if fetch.is_cached(row) else "not downloaded"


def _path(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    if source.row is not None and not fetch.is_cached(source.row):
        raise ModelError(f"{source.row.name} is not downloaded: midfill model pull {source.row.name}")
    print(source.path if source.row is None else models_dir() / source.row.file)
    return 0


def _remove(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    freed = fetch.remove(source.row) if source.row is not None else 0  # a file given by path is the user's own
    for store in stores_dir().glob(f"{source.model_id}-int8-*"):
        freed += sum(f.stat().st_size for f in store.rglob("*") if f.is_file())
        shutil.rmtree(store)
    print(f"{source.model_id}: {freed / 1e6:,.0f} MB freed", file=sys.stderr)
    return 0
