"""`midfill outline FILE`: what a file defines as a tree, and with `--imports` what it imports.

Rules: needs no model. Lines are 1-based here, as in every other place that a user types or reads.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from lsp_server.cli.complete import read_text
from lsp_server.documents.file_names import shown
from parsers.languages import for_document
from parsers.outline import Import, Outline, Symbol, outline
from parsers.parse import parse

_PIPED_COLUMNS = 10_000


def add_parser(commands: Any) -> None:
    """Register `outline`."""
    parser = commands.add_parser("outline", help="show what a file defines, as midfill sees it")
    parser.add_argument("file", type=Path)
    parser.add_argument("--imports", action="store_true", help="show imports, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead, references included")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    text = read_text(args.file)
    language = for_document(args.file.name)
    found = outline(parse(language.id, text))
    if args.json:
        print(json.dumps({"language": language.id, **as_json(found)}, ensure_ascii=False))
    else:
        # A terminal folds what is too long for it; a pipe gets whole lines.
        console = Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
        console.print(render(f"{shown(str(args.file))} ({language.name})", found, args.imports))
    return 0


def as_json(found: Outline) -> dict[str, object]:
    """Everything in an outline as plain lists and dicts."""
    return {
        "symbols": [
            {
                "name": symbol.name,
                "kind": symbol.kind.value,
                "firstLine": symbol.first_line + 1,
                "lastLine": symbol.last_line + 1,
                "signature": symbol.signature,
                "parent": symbol.parent,
                "bases": symbol.bases,
            }
            for symbol in found.symbols
        ],
        "imports": [
            {"path": imported.path, "name": imported.name, "alias": imported.alias, "line": imported.line + 1}
            for imported in found.imports
        ],
        "references": [
            {"name": reference.name, "kind": reference.kind.value, "line": reference.line + 1}
            for reference in found.references
        ],
    }


def render(title: str, found: Outline, with_imports: bool) -> Tree:
    """A tree of symbols under their parents; imports come first."""
    root = Tree(Text(title, style="bold"))
    for imported in found.imports if with_imports else ():
        root.add(_import_line(imported))
    branches: list[Tree] = []
    for symbol in found.symbols:
        parent = root if symbol.parent is None else branches[symbol.parent]
        branches.append(parent.add(_symbol_line(symbol)))
    if not root.children:
        root.add(Text("nothing found", style="dim"))
    return root


def _symbol_line(symbol: Symbol) -> Text:
    """Kind, name and line, then the line of the signature that holds the name: others may be decorators."""
    lines = symbol.signature.splitlines()
    shown = next((line for line in lines if symbol.name in line), lines[0] if lines else "")
    line = Text.assemble((f"{symbol.kind.value} ", "cyan"), (symbol.name, "bold"), f":{symbol.first_line + 1} ")
    return line.append(shown.strip(), style="dim")


def _import_line(imported: Import) -> Text:
    line = Text.assemble(("import ", "cyan"), (imported.path, "bold"), f":{imported.line + 1}")
    if imported.name:
        line.append(f" {imported.name}", style="dim")
    return line.append(f" as {imported.alias}" if imported.alias else "", style="dim")
