"""What a file defines, imports and refers to: runs a language's queries over its tree.

A language's `queries/<name>.scm` says what is what, with these captures:

    @definition.KIND  the whole definition   @name  its name   @body  where its signature ends   @base  a base class
    @import  the statement   @import.path  the module as spelled   @import.name, @import.alias
    @reference.call, @reference.type  the name that is called, or used as a type

Rules: pure, and never fails on broken code: what does not parse is not found. Names local to a function are no symbols.
Of two patterns for one node the first in the file counts.
"""

import functools
import textwrap
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tree_sitter import Node, Query, QueryCursor
from tree_sitter_language_pack import get_language

from parsers.languages import Language, by_id
from parsers.parse import SyntaxTree

_QUERIES = Path(__file__).parent / "queries"
_MAX_SIGNATURE_CHARS = 600
_MAX_WITHOUT_BODY_CHARS = 300
_QUOTES = "\"'`<>"


class SymbolKind(StrEnum):
    """What a symbol is, in LSP's words."""

    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    INTERFACE = "interface"
    ENUM = "enum"
    TYPE = "type"
    MODULE = "module"
    VARIABLE = "variable"
    CONSTANT = "constant"
    FIELD = "field"
    MACRO = "macro"
    SECTION = "section"


class ReferenceKind(StrEnum):
    """How a name is used."""

    CALL = "call"
    TYPE = "type"


# What may hold members, and what makes of a function a method.
_CONTAINERS = frozenset((SymbolKind.CLASS, SymbolKind.INTERFACE, SymbolKind.ENUM, SymbolKind.TYPE))
_CALLABLE = frozenset((SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.MACRO))
_VALUES = frozenset((SymbolKind.VARIABLE, SymbolKind.CONSTANT, SymbolKind.FIELD))


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition. Lines are 0-based, both ends included, decorators and a comment right above belong to it;
    `line` is the one its name stands in, `parent` the index of the enclosing symbol."""

    name: str
    kind: SymbolKind
    line: int
    first_line: int
    last_line: int
    signature: str
    parent: int | None
    bases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, or a whole module (`name` ""); `alias` is what the file calls it, where that differs."""

    path: str
    name: str
    alias: str
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name that is defined somewhere else."""

    name: str
    kind: ReferenceKind
    line: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A file's symbols in order, its imports and its references."""

    symbols: tuple[Symbol, ...] = ()
    imports: tuple[Import, ...] = ()
    references: tuple[Reference, ...] = ()


def outline(tree: SyntaxTree) -> Outline:
    """The outline of a file; empty for plain text and for languages without queries."""
    query = query_of(by_id(tree.language))
    if tree.root is None or query is None:
        return Outline()
    found = _Found(tree.source)
    with _TURN:
        matches = QueryCursor(query).matches(tree.root)
    for pattern, captures in matches:
        found.take(pattern, captures)
    return found.outline()


def enclosing(outline: Outline, line: int) -> list[int]:
    """Indices of the symbols around a line (0-based), the innermost first."""
    around = [
        index
        for index, symbol in enumerate(outline.symbols)
        if symbol.first_line <= line <= symbol.last_line and symbol.kind not in _VALUES
    ]
    return sorted(around, key=lambda i: outline.symbols[i].last_line - outline.symbols[i].first_line)


# A Query holds state of its own while it runs.
_TURN = threading.Lock()


@functools.cache
def query_of(language: Language) -> Query | None:
    """A language's compiled queries; None when it has none."""
    texts = [
        file.read_text() for name in language.queries or (language.id,) if (file := _QUERIES / f"{name}.scm").is_file()
    ]
    if not texts or language.grammar is None:
        return None
    return Query(get_language(language.grammar), "\n".join(texts))  # type: ignore[arg-type]


@dataclass(slots=True)
class _Definition:
    """A definition as its captures tell of it."""

    pattern: int
    kind: SymbolKind
    node: Node
    name: Node
    body: Node | None
    bases: dict[str, None]


class _Found:
    """What the matches of one file add up to."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._definitions: dict[tuple[int, int], _Definition] = {}
        self._imports: dict[tuple[int, str, str, str], Import] = {}
        self._references: dict[int, Reference] = {}

    def take(self, pattern: int, captures: dict[str, list[Node]]) -> None:
        """One match, of a pattern by its number."""
        if "import" in captures:
            self._take_import(captures)
            return
        for name, nodes in captures.items():
            if name.startswith("definition."):
                self._take_definition(pattern, SymbolKind(name.removeprefix("definition.")), nodes[0], captures)
            elif name.startswith("reference."):
                for node in nodes:
                    reference = Reference(self._text(node), ReferenceKind(name[10:]), node.start_point.row)
                    self._references.setdefault(node.start_byte, reference)

    def outline(self) -> Outline:
        """All that was found, in order."""
        imports = list(self._imports.values())
        named = {(found.line, found.path) for found in imports if found.name or found.alias}
        return Outline(
            self._symbols(),
            tuple(i for i in imports if i.name or i.alias or (i.line, i.path) not in named),
            tuple(self._references[start] for start in sorted(self._references)),
        )

    def _take_definition(self, pattern: int, kind: SymbolKind, node: Node, captures: dict[str, list[Node]]) -> None:
        names = captures.get("name", [])
        if not names:
            return
        body = captures.get("body", [None])[0]
        key = (node.start_byte, names[0].start_byte)
        known = self._definitions.setdefault(key, _Definition(pattern, kind, node, names[0], body, {}))
        if pattern < known.pattern:
            known.pattern, known.kind = pattern, kind
        known.body = known.body or body
        known.bases |= dict.fromkeys(self._text(base) for base in captures.get("base", []))

    def _take_import(self, captures: dict[str, list[Node]]) -> None:
        statement = captures["import"][0]
        path, name, alias = (
            self._text(captures[key][0]).strip(_QUOTES) if key in captures else ""
            for key in ("import.path", "import.name", "import.alias")
        )
        found = Import(path or name, name if path else "", "" if alias == name else alias, statement.start_point.row)
        self._imports.setdefault((statement.start_byte, found.path, found.name, found.alias), found)

    def _symbols(self) -> tuple[Symbol, ...]:
        symbols: list[Symbol] = []
        open_symbols: list[tuple[int, int]] = []  # (end byte, index)
        for found in sorted(self._definitions.values(), key=lambda d: (d.node.start_byte, -d.node.end_byte)):
            while open_symbols and open_symbols[-1][0] < found.node.end_byte:
                open_symbols.pop()
            parent = open_symbols[-1][1] if open_symbols else None
            kind = _within(found.kind, symbols[parent].kind if parent is not None else None)
            if kind is None:
                continue
            open_symbols.append((found.node.end_byte, len(symbols)))
            symbols.append(self._symbol(found, kind, parent))
        return tuple(symbols)

    def _symbol(self, found: _Definition, kind: SymbolKind, parent: int | None) -> Symbol:
        node = _whole(found.node)
        first_line, last_line = _first_line(node), node.end_point.row
        if node.end_point.column == 0 and last_line > node.start_point.row:
            last_line -= 1
        return Symbol(
            name=self._text(found.name),
            kind=kind,
            line=found.name.start_point.row,
            first_line=first_line,
            last_line=last_line,
            signature=self._signature(node, found.body),
            parent=parent,
            bases=tuple(found.bases),
        )

    def _signature(self, node: Node, body: Node | None) -> str:
        """The text before the body with its own indentation taken away; without a body all of it, up to a length."""
        end = node.end_byte if body is None else body.start_byte
        limit = _MAX_WITHOUT_BODY_CHARS if body is None else _MAX_SIGNATURE_CHARS
        text = self._source[node.start_byte : min(end, node.start_byte + 4 * limit)].decode("utf-8", "replace")
        return textwrap.dedent(" " * node.start_point.column + text[:limit]).rstrip()

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _within(kind: SymbolKind, parent: SymbolKind | None) -> SymbolKind | None:
    """What a definition is inside of another one; None for a variable of a function."""
    if parent in _CONTAINERS:
        return {SymbolKind.FUNCTION: SymbolKind.METHOD}.get(kind, SymbolKind.FIELD if kind in _VALUES else kind)
    return None if parent in _CALLABLE and kind in _VALUES else kind


# Nodes around a definition that belong to it.
_WRAPPERS = frozenset(("decorated_definition", "export_statement", "template_declaration", "lexical_declaration"))
_ABOVE = ("comment", "attribute", "annotation", "decorator", "doc")


def _whole(node: Node) -> Node:
    """A definition with its decorators, `export` and the like."""
    while (parent := node.parent) is not None and parent.type in _WRAPPERS:
        node = parent
    return node


def _first_line(node: Node) -> int:
    """The first line of the comments and attributes right above a definition."""
    first = node.start_point.row
    above = node.prev_sibling
    while above is not None and any(word in above.type for word in _ABOVE):
        before = above.prev_sibling
        trails = before is not None and before.end_point.row == above.start_point.row  # a comment of the line above
        if above.end_point.row < first - 1 or above.start_point.row >= first or trails:
            break
        first = above.start_point.row
        above = above.prev_sibling
    return first
