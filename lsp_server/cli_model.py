"""`midfill model pull|list|path|rm`: the models on this machine. Called by `cli`, which prints a ModelError.

Rules: torch is imported only to quantize, after the download. A model given by path is the user's own file
and is never deleted. Standard output holds the answer alone; progress and remarks go to standard error.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from model import fetch
from model.catalog import CATALOG, DEFAULT_MODEL, ModelError, ModelRow, ModelSource, resolve
from model.paths import models_dir, stores_dir
from model.store import Manifest, StoreError, read_manifest

# A table read by a program is not folded to a window's width.
_PIPED_COLUMNS = 200


def add_parser(commands: Any) -> None:
    """Register `model` and its actions; each sets `run`, which returns an exit code or raises ModelError."""
    parser = commands.add_parser("model", help="fetch, list and remove models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, run, text in (
        ("pull", _pull, "fetch a model and quantize it for this machine"),
        ("path", _path, "print where a model's file is"),
        ("rm", _remove, "delete a model's file and everything made from it"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("model", nargs="?" if name == "pull" else None, default=DEFAULT_MODEL)
        action.set_defaults(run=run)
    listing = actions.add_parser("list", help="show the known models")
    listing.add_argument("--json", action="store_true", help="print a JSON list instead")
    listing.set_defaults(run=_list)


def _pull(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    file = _fetch(source)
    store = _quantize(source, file)
    print(f"{source.model_id} is ready: {store}", file=sys.stderr)
    return 0


def _fetch(source: ModelSource) -> Path:
    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("looking for the file", total=None)

        def show(progress: fetch.Progress) -> None:
            bar.update(
                task, description=progress.stage, completed=progress.done_bytes, total=progress.total_bytes or None
            )

        return fetch.fetch(source, show)


def _quantize(source: ModelSource, file: Path) -> Path:
    from model.engine import EXPECTED_FAILURES  # this and the next import torch
    from model.quantize import choose_kind, ensure_store

    try:
        with _bar(TaskProgressColumn()) as bar:
            kind = choose_kind("auto")
            task = bar.add_task(f"quantizing to {kind}", total=1.0)
            return ensure_store(source, file, kind, lambda done: bar.update(task, completed=done))
    except EXPECTED_FAILURES as error:
        raise ModelError(f"{source.model_id} cannot be prepared: {error}") from error


def _bar(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error while that is a terminal; it disappears when it is done."""
    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), *columns)
    return Progress(*parts, console=console, transient=True, disable=not console.is_terminal)


def _list(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([_facts(row) for row in CATALOG]))
        return 0
    table = Table("model", "size", "license", "state", "where", box=None, pad_edge=False)
    table.columns[-1].overflow = "fold"
    for row in CATALOG:
        name = f"{row.name} (default)" if row.name == DEFAULT_MODEL else row.name
        where = str(models_dir() / row.file) if fetch.is_cached(row) else row.source_repo
        table.add_row(name, _megabytes(row.size_bytes), row.license, _state(row), where)
    known = {row.name for row in CATALOG}
    for folder in sorted(stores_dir().glob("*-int[48]-*")):
        manifest = _manifest(folder)
        if manifest is not None and manifest.model_id not in known:
            table.add_row(
                manifest.model_id, _megabytes(_size_of(folder)), "", f"store {manifest.kind} ready", manifest.source
            )
    Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, markup=False, highlight=False).print(table)
    return 0


def _facts(row: ModelRow) -> dict[str, Any]:
    """A model of the catalog, for programs."""
    return {
        "name": row.name,
        "title": row.title,
        "license": row.license,
        "sizeBytes": row.size_bytes,
        "isDefault": row.name == DEFAULT_MODEL,
        "isCached": fetch.is_cached(row),
        "stores": _stores(row),
    }


def _stores(row: ModelRow) -> list[str]:
    """The kinds of a model's complete stores."""
    manifests = map(_manifest, stores_dir().glob(f"{row.name}-int[48]-*"))
    return sorted(manifest.kind for manifest in manifests if manifest is not None)


def _state(row: ModelRow) -> str:
    ready = "".join(f", store {kind} ready" for kind in _stores(row))
    return ("in cache" if fetch.is_cached(row) else "not downloaded") + ready


def _path(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    if source.row is not None and not fetch.is_cached(source.row):
        raise ModelError(f"{source.row.name} is not downloaded: midfill model pull {source.row.name}")
    print(source.path if source.row is None else models_dir() / source.row.file)
    return 0


def _remove(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    freed = fetch.remove(source.row) if source.row is not None else 0
    # A folder with a dot in front is what an interrupted quantization left.
    for store in [
        *stores_dir().glob(f"{source.model_id}-int[48]-*"),
        *stores_dir().glob(f".{source.model_id}-int[48]-*"),
    ]:
        freed += _size_of(store)
        try:
            shutil.rmtree(store)
        except OSError as error:
            raise ModelError(f"{store} cannot be deleted: {error.strerror}") from error
    if freed == 0:
        raise ModelError(f"there is nothing of {source.model_id} to delete")
    print(f"{source.model_id}: {_megabytes(freed)} freed", file=sys.stderr)
    return 0


def _manifest(store: Path) -> Manifest | None:
    """What a complete store holds; None for one that the daemon would make anew."""
    try:
        return read_manifest(store)
    except StoreError:
        return None


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
