"""Finds lines of Python that use a function or class defined in another file of the same tree.

A small index by the standard library's `ast`, for the `blocks` experiment only: names imported from a module
of the tree (`from package.module import name`, absolute or relative), and the lines that use them.

Rules: a file that does not parse is left out. A definition is cut to its first lines, as a snippet would be.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from evals.sources import SourceFile

_SNIPPET_LINES = 30
_MIN_LINE_CHARS = 6

Module = tuple[str, ...]  # a dotted name, in parts
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Snippet:
    """The source of one definition and the file it stands in."""

    path: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class SymbolUse:
    """A line (number from 1) that uses `used`; `others` are what else its file imports from the tree."""

    file: SourceFile
    number: int
    used: tuple[Snippet, ...]
    others: tuple[Snippet, ...]


Definitions = dict[tuple[Module, str], Snippet]


def symbol_uses(files: Sequence[SourceFile], root: str) -> Iterator[SymbolUse]:
    """Every line that uses an imported definition, in file order; `root` is the name of the tree's folder."""
    parsed = [(file, tree) for file in files if (tree := _parse(file)) is not None]
    definitions = {
        (_module(file.path), node.name): _snippet(file, node)
        for file, tree in parsed
        for node in tree.body
        if isinstance(node, Definition)
    }
    for file, tree in parsed:
        imported = _imported(tree, file.path, definitions, root)
        for number, names in sorted(_uses(tree, imported).items()):
            used = tuple(imported[name] for name in sorted(names))
            others = tuple(snippet for name, snippet in imported.items() if name not in names)
            if len(file.text.split("\n")[number - 1].strip()) >= _MIN_LINE_CHARS:
                yield SymbolUse(file, number, used, others)


def _parse(file: SourceFile) -> ast.Module | None:
    try:
        return ast.parse(file.text)
    except (SyntaxError, ValueError):
        return None


def _module(path: str) -> Module:
    """The module that a file is, seen from the root of the tree."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _snippet(file: SourceFile, node: Definition) -> Snippet:
    first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
    last = min(node.end_lineno or node.lineno, first + _SNIPPET_LINES - 1)
    return Snippet(file.path, node.name, "\n".join(file.text.split("\n")[first - 1 : last]) + "\n")


def _imported(tree: ast.Module, path: str, definitions: Definitions, root: str) -> dict[str, Snippet]:
    """Local name -> definition, for the `from ... import` statements that point into the tree."""
    found: dict[str, Snippet] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        target = tuple(node.module.split(".")) if node.module else ()
        if node.level:
            package = PurePosixPath(path).parent.parts
            target = package[: len(package) - node.level + 1] + target
        for alias in node.names:
            snippet = _resolve(definitions, target, alias.name, root)
            if snippet is not None:
                found[alias.asname or alias.name] = snippet
    return found


def _resolve(definitions: Definitions, target: Module, name: str, root: str) -> Snippet | None:
    """The definition `name` in module `target`, imported from the root, from above it, or from its src/."""
    places = [target, ("src", *target)]
    if target[:1] == (root,):
        places.append(target[1:])
    found = [definitions[place, name] for place in places if (place, name) in definitions]
    return found[0] if found else None


def _uses(tree: ast.Module, imported: dict[str, Snippet]) -> dict[int, set[str]]:
    """Line number -> imported names that a statement of code uses on it (imports do not use)."""
    lines: dict[int, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in imported:
            lines.setdefault(node.lineno, set()).add(node.id)
    return lines
