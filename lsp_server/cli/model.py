"""`midfill model pull|add|list|path|rm`: the models on this machine. Called by `cli`, which prints a ModelError.

Rules: torch is imported only to quantize, after the download. A model given by path is the user's own file
and is never deleted. Standard output holds the answer alone; progress and remarks go to standard error.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable
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

from model.library import adapter, fetch
from model.library.catalog import (
    CATALOG,
    DEFAULT_MODEL,
    AddedAdapter,
    ModelError,
    ModelRow,
    ModelSource,
    as_published,
    read_added,
    resolve,
)
from model.library.hub import HUB
from model.library.hub import Progress as Loaded
from model.library.paths import bytes_below
from model.library.store import Manifest, StoreError, read_manifest, stores_of

# What is being done, and how much of it is.
Tell = Callable[[str, float | None], None]

# A table read by a program is not folded to a window's width.
_PIPED_COLUMNS = 240


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
        if name == "pull":
            action.add_argument("--progress", action="store_true", help="print a JSON line for each step, for programs")
    action = actions.add_parser("add", help="merge a LoRA adapter into a model, under a name", description=_add.__doc__)
    action.add_argument("--adapter", required=True, type=Path, metavar="DIR", help="what PEFT's save_pretrained wrote")
    action.add_argument("--model", metavar="BASE", help="the model it was trained on; else the one that it names")
    action.add_argument("--name", help="what to call it in the setting `model`")
    action.add_argument("--force", action="store_true", help="merge into a catalog model that it was not trained on")
    action.set_defaults(run=_add)
    listing = actions.add_parser("list", help="show the known models")
    listing.add_argument("--json", action="store_true", help="print a JSON list instead")
    listing.set_defaults(run=_list)


def _pull(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    tell = _tell_programs if args.progress else _tell_nobody
    file = _fetch(source, tell)
    store = _quantize(source, file, tell)
    print(f"{source.model_id} is ready: {store}", file=sys.stderr)
    return 0


def _add(args: argparse.Namespace) -> int:
    """Merge a LoRA adapter (a PEFT folder) into a model's weights, and quantize the result for this machine."""
    found = adapter.open_adapter(args.adapter)
    base = adapter.find_base(found, args.model, force=args.force)
    name = args.name or adapter.default_name(found, base)
    is_new = read_added(name) is None
    source = adapter.add(found, base, name)
    assert source.adapter is not None
    try:
        store = _quantize(source, _fetch(source, _tell_nobody), _tell_nobody)
    except BaseException:
        if is_new:  # a name that does not work is worse than none
            adapter.remove(source.adapter)
        raise
    print(f"{name} is ready: {store}", file=sys.stderr)
    print(f'use it with the setting "model": "{name}", or --model {name}', file=sys.stderr)
    return 0


def _tell_nobody(message: str, fraction: float | None) -> None:
    """The bar says it."""


def _tell_programs(message: str, fraction: float | None) -> None:
    """`lsp_server.engine.larger` reads it."""
    print(json.dumps({"message": message, "fraction": fraction}), flush=True)


def _fetch(source: ModelSource, tell: Tell) -> Path:
    if source.row is not None and source.row.terms:
        print(
            f"{source.row.title}: license {_license(source.row)}; see {HUB}/{source.row.source_repo}", file=sys.stderr
        )
    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("looking for the file", total=None)

        def show(progress: Loaded) -> None:
            bar.update(
                task, description=progress.stage, completed=progress.done_bytes, total=progress.total_bytes or None
            )
            tell(progress.stage, progress.done_bytes / progress.total_bytes if progress.total_bytes else None)

        return fetch.fetch(source, show)


def _quantize(source: ModelSource, file: Path, tell: Tell) -> Path:
    from model.weights.prepare import EXPECTED_FAILURES, choose_kind, ensure_store

    try:
        with _bar(TaskProgressColumn()) as bar:
            kind = choose_kind("auto")
            doing = "merging and quantizing" if source.adapters else "quantizing"
            task = bar.add_task(f"{doing} to {kind}", total=1.0)

            def show(done: float) -> None:
                bar.update(task, completed=done)
                tell(doing, done)

            return ensure_store(source, file, kind, show)
    except EXPECTED_FAILURES as error:
        raise ModelError(f"{source.model_id} cannot be prepared: {error}") from error


def _bar(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error while that is a terminal; it disappears when it is done."""
    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), *columns)
    return Progress(*parts, console=console, transient=True, disable=not console.is_terminal)


def _list(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([*map(_facts, CATALOG), *map(_facts_of_adapter, adapter.added())]))
        return 0
    table = Table("model", "size", "license", "state", "where", box=None, pad_edge=False)
    table.columns[-1].overflow = "fold"
    for row in CATALOG:
        name = f"{row.name} (default)" if row.name == DEFAULT_MODEL else row.name
        where = str(fetch.place_of(row)) if fetch.is_cached(row) else row.source_repo
        size = f"{'about ' if row.files else ''}{_megabytes(row.size_bytes)}"
        table.add_row(name, size, _license(row), _state(row), where)
    known = {resolve(row.name).model_id for row in CATALOG}
    for added in adapter.added():
        model_id = resolve(added.name).model_id
        known.add(model_id)
        kinds = ", ".join(f"store {kind} ready" for kind in _stores(model_id)) or "not merged yet"
        table.add_row(added.name, _megabytes(bytes_below(added.folder)), "", f"adapter, {kinds}", f"on {added.base}")
    for folder in stores_of("*"):
        manifest = _manifest(folder)
        if manifest is not None and manifest.model_id not in known:
            table.add_row(
                manifest.model_id, _megabytes(bytes_below(folder)), "", f"store {manifest.kind} ready", manifest.source
            )
    Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, markup=False, highlight=False).print(table)
    return 0


def _facts(row: ModelRow) -> dict[str, Any]:
    """A model of the catalog, for programs."""
    return {
        "name": row.name,
        "title": row.title,
        "license": _license(row),
        "sizeBytes": row.size_bytes,
        "isDefault": row.name == DEFAULT_MODEL,
        "isCached": fetch.is_cached(row),
        "stores": _stores(resolve(row.name).model_id),
    }


def _facts_of_adapter(added: AddedAdapter) -> dict[str, Any]:
    """An added adapter, for programs: the keys of a catalog model, and its base."""
    base = resolve(added.base)
    return {
        "name": added.name,
        "title": added.name,
        "license": base.row.license if base.row else "",
        "sizeBytes": bytes_below(added.folder),
        "isDefault": False,
        "isCached": base.row is None or fetch.is_cached(base.row),
        "stores": _stores(resolve(added.name).model_id),
        "base": added.base,
    }


def _stores(model_id: str) -> list[str]:
    """The kinds of a model's complete stores."""
    manifests = map(_manifest, stores_of(model_id))
    return sorted(manifest.kind for manifest in manifests if manifest is not None)


def _license(row: ModelRow) -> str:
    return f"{row.license} ({row.terms})" if row.terms else row.license


def _state(row: ModelRow) -> str:
    ready = "".join(f", store {kind} ready" for kind in _stores(resolve(row.name).model_id))
    return ("in cache" if fetch.is_cached(row) else "not downloaded") + ready


def _path(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    if source.adapter is not None:
        print(source.adapter.folder)
        return 0
    if source.row is not None and not fetch.is_cached(source.row):
        raise ModelError(f"{source.row.name} is not downloaded: midfill model pull {source.row.name}")
    print(source.path if source.row is None else fetch.place_of(source.row))
    return 0


def _remove(args: argparse.Namespace) -> int:
    source = resolve(args.model)
    if source.adapter is not None:  # its base stays
        freed = adapter.remove(source.adapter)
    else:
        freed = fetch.remove(source.row) if source.row is not None else 0
    ids = {source.model_id}
    if source.row is not None and source.adapter is None:
        ids |= {resolve(source.row.name).model_id, resolve(as_published(source.row.name)).model_id}
    # A folder with a dot in front is what an interrupted quantization left.
    for store in [folder for model_id in sorted(ids) for dot in ("", ".") for folder in stores_of(f"{dot}{model_id}")]:
        freed += bytes_below(store)
        try:
            shutil.rmtree(store)
        except OSError as error:
            raise ModelError(f"{store} cannot be deleted: {error.strerror}") from error
    name = source.row.name if source.row is not None and source.adapter is None else source.model_id
    if freed == 0:
        raise ModelError(f"there is nothing of {name} to delete")
    print(f"{name}: {_megabytes(freed)} freed", file=sys.stderr)
    is_base = source.row is not None and source.adapter is None
    for name in [added.name for added in adapter.added() if is_base and resolve(added.base).row == source.row]:
        print(
            f"{name} is merged into it, and fetches it again when next used: `midfill model rm {name}`?",
            file=sys.stderr,
        )
    return 0


def _manifest(store: Path) -> Manifest | None:
    """What a complete store holds; None for one that the daemon would make anew."""
    try:
        return read_manifest(store)
    except StoreError:
        return None


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
