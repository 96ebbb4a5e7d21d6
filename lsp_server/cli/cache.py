"""`midfill cache [clear WHAT...]`: what midfill keeps on this machine, and how to be rid of it.

Rules: only folders below the cache are ever deleted, and only those named; with all of them goes what was measured of
the machine. What is deleted is made anew when it is
needed; an index that a worker of a running editor keeps is left alone.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsp_server.engine import machine
from lsp_server.index.schema import index_dir, writer_lock
from model.library.paths import blocks_dir, bytes_below, cache_dir, models_dir, stores_dir

_PARTS = {
    "models": (models_dir, "model files as they were published"),
    "stores": (stores_dir, "models quantized for this machine"),
    "blocks": (blocks_dir, "computed context, keys and values"),
    "index": (index_dir, "indexes of your workspaces"),
}


def add_parser(commands: Any) -> None:
    """Register `cache`."""
    parser = commands.add_parser("cache", help="show what is kept on disk, and clear it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    clear = actions.add_parser("clear", help="delete some of it")
    clear.add_argument("what", nargs="+", choices=[*_PARTS, "all"])
    clear.set_defaults(run=_clear)
    parser.set_defaults(run=_show)


def _show(args: argparse.Namespace) -> int:
    if args.json:
        parts = [
            {"name": name, "path": str(folder()), "sizeBytes": bytes_below(folder()), "about": text}
            for name, (folder, text) in _PARTS.items()
        ]
        print(json.dumps({"cache": str(cache_dir()), "parts": parts}))
        return 0
    table = Table(title=str(cache_dir()), title_justify="left", box=None)
    for column in ("part", "size", "what it is"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for name, (folder, text) in _PARTS.items():
        table.add_row(name, _megabytes(bytes_below(folder())), text, style="bold")
        for one in _folders(folder()):
            label = one / "workspace"
            name = label.read_text(encoding="utf-8").strip() if label.is_file() else one.name
            table.add_row("", _megabytes(bytes_below(one)), Text(name))
    Console().print(table)
    return 0


def _clear(args: argparse.Namespace) -> int:
    names = list(_PARTS) if "all" in args.what else args.what
    for name in names:
        folder = _PARTS[name][0]()
        size = bytes_below(folder)
        for one in [*_folders(folder), folder]:
            if _is_kept(one):
                print(f"midfill: {one} is in use by a running editor, and left", file=sys.stderr)
            elif one is not folder or not any(_folders(folder)):
                shutil.rmtree(one, ignore_errors=True)
        print(f"{name}: {_megabytes(size - bytes_below(folder))} freed", file=sys.stderr)
    if "all" in args.what:
        machine.forget()
    return 0


def _is_kept(folder: Path) -> bool:
    """Whether an index worker holds a folder's lock."""
    if not (folder / "lock").is_file():
        return False
    with writer_lock(folder) as is_free:
        return not is_free


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(entry for entry in folder.iterdir() if entry.is_dir())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
