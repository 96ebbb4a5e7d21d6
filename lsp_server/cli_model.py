"""`midfill model pull | list | path | rm`: the models on this machine. Called by `cli`.

Rules: no torch: a pull fetches and verifies; the daemon quantizes on first use. A model given by path is the
user's own file and is never deleted. What can go wrong is one line on stderr and exit code 1, or 130 for Ctrl-C.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from rich import progress as bars
from rich.console import Console
from rich.table import Table

from model.catalog import CATALOG, DEFAULT_MODEL, ModelError, ModelRow, ModelSource, resolve
from model.fetch import Progress, fetch, is_cached, remove
from model.paths import models_dir, stores_dir
from model.store import StoreError, read_manifest

# A table that is read by a program, or mailed to somebody, is not cut to a window's width.
_PIPED_COLUMNS = 200


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `model` and its four actions; each sets `args.run`, which takes the arguments and returns an exit code."""
    parser = subparsers.add_parser("model", help="download, list and delete models")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text)
        added.set_defaults(run=run, action=action)
        return added

    pull = add("pull", _pull, "download a model and verify it")
    pull.add_argument("model", nargs="?", default=DEFAULT_MODEL, metavar="NAME", help=f"default: {DEFAULT_MODEL}")
    add("list", _list, "show the known models and what is on this machine")
    path = add("path", _path, "print where a model's file is")
    path.add_argument("model", metavar="NAME")
    rm = add("rm", _rm, "delete a downloaded model and what was made from it")
    rm.add_argument("model", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Do `args.action`: 0 when done, 1 with a line on stderr when not, 130 when the user interrupted."""
    try:
        args.action(args)
    except (ModelError, OSError) as error:
        print(f"midfill: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("midfill: interrupted; a download goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _pull(args: argparse.Namespace) -> None:
    source = resolve(args.model)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(source.model_id, total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task, description=progress.stage, completed=progress.done_bytes, total=progress.total_bytes or None
            )

        path = fetch(source, show)
    print(path)


def _list(args: argparse.Namespace) -> None:
    table = Table("name", "size", "license", "state", "where", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    table.columns[4].overflow = "fold"
    for row in CATALOG:
        name = f"{row.name} (default)" if row.name == DEFAULT_MODEL else row.name
        where = str(models_dir() / row.file) if is_cached(row) else ""
        table.add_row(name, _megabytes(row.size_bytes), row.license, _state(row), where)
    for folder in _store_folders():
        if (origin := _local_origin(folder)) is not None:
            table.add_row(Path(origin).name, _megabytes(_size_of(folder)), "", "store int8 ready", origin)
    Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, markup=False, highlight=False).print(table)


def _path(args: argparse.Namespace) -> None:
    source = resolve(args.model)
    if source.row is not None and not is_cached(source.row):
        raise ModelError(f"{source.model_id} is not downloaded: midfill model pull {source.model_id}")
    print(source.path or _cached_file(source))


def _rm(args: argparse.Namespace) -> None:
    source = resolve(args.model)
    freed = remove(source.row) if source.row is not None else 0
    for folder in _store_folders():
        # A folder with a dot in front is what an interrupted quantization left.
        if folder.name.lstrip(".").startswith(f"{source.model_id}-int8-"):
            freed += _size_of(folder)
            shutil.rmtree(folder)
    kept = f"; your own {source.path} is untouched" if source.path is not None else ""
    if freed == 0:
        raise ModelError(f"there is nothing of {source.model_id} to delete{kept}")
    print(f"{source.model_id} deleted, {_megabytes(freed)} freed{kept}")


def _cached_file(source: ModelSource) -> Path:
    assert source.row is not None
    return models_dir() / source.row.file


def _state(row: ModelRow) -> str:
    ready = any(f.name.startswith(f"{row.name}-int8-") and _is_complete(f) for f in _store_folders())
    return ("in cache" if is_cached(row) else "not downloaded") + (", store int8 ready" if ready else "")


def _store_folders() -> list[Path]:
    return sorted(f for f in stores_dir().iterdir() if f.is_dir()) if stores_dir().is_dir() else []


def _is_complete(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except StoreError:
        return False
    return True


def _local_origin(folder: Path) -> str | None:
    """The user's own file that a complete store was made from; None for a catalog model's store."""
    try:
        manifest = read_manifest(folder)
    except StoreError:
        return None
    return None if any(manifest.model_id == row.name for row in CATALOG) else manifest.source


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
