"""What a file defines, imports and refers to, by the queries of its language. Called off the event loop.

Rules: pure, and never fails: broken code gives what can be recognized in it, plain text an empty outline. Symbols
are in the order of the text, each behind its parent. Local variables are no symbols. Lines are 0-based.

Deliberately absent: documentation in `signature` (it is in the lines from `first_line` on), and resolving a name.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tree_sitter import Node

from parsers.outline_matches import Definition, Found, find, indentation, last_row
from parsers.parse import SyntaxTree, parse_here, question, to_bytes

# Keeps a table of numbers out of prompts; long parameter lists pass whole.
_MAX_CHARACTERS_WITHOUT_BODY, _MAX_CHARACTERS_BEFORE_BODY = 300, 1_200


class SymbolKind(StrEnum):
    """What a symbol is, in the words of the protocol where it has one. EXTENSION adds to a type: Rust's `impl`."""

    MODULE = "module"
    CLASS = "class"
    STRUCT = "struct"
    INTERFACE = "interface"
    ENUM = "enum"
    EXTENSION = "extension"
    TYPE = "type"
    FUNCTION = "function"
    METHOD = "method"
    FIELD = "field"
    VARIABLE = "variable"
    CONSTANT = "constant"
    MACRO = "macro"
    SECTION = "section"


class ReferenceKind(StrEnum):
    """How a name is referred to."""

    CALL = "call"
    TYPE = "type"


# Kinds whose functions are methods and whose variables are fields.
TYPE_KINDS = frozenset(
    {SymbolKind.CLASS, SymbolKind.STRUCT, SymbolKind.INTERFACE, SymbolKind.ENUM, SymbolKind.EXTENSION}
)
# `@definition.clause`: a function of which several clauses, one after the other, are one symbol.
_CLAUSE = "clause"
# `@definition.attribute`: a field of the type around it, from within: what a method sets on its own object.
_ATTRIBUTE = "attribute"
_SPECIAL = {_CLAUSE: SymbolKind.FUNCTION, _ATTRIBUTE: SymbolKind.FIELD}
_NAMES_WITH_COLON = ("simple_symbol", "atom", "keyword")
_QUOTES, _C_SYSTEM_PATH = "\"'`", "system_lib_string"
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.MACRO})
_DATA = frozenset({SymbolKind.VARIABLE, SymbolKind.CONSTANT, SymbolKind.FIELD})


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition on lines first..last (both included), decorators and a comment directly above it too.

    `signature` is the text before the body, decorators included; where there is no body, the beginning of it all.
    `bases` are the last names of base classes, implemented interfaces and embedded types.
    """

    name: str
    kind: SymbolKind
    line: int  # the one its name stands in
    first_line: int
    last_line: int
    signature: str
    parent: int | None = None  # index in Outline.symbols
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name. `path` is as spelled, without quotes; `name` is "" for the whole module or a wildcard."""

    path: str
    name: str
    alias: str
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a name: the last identifier of what is called or of a type."""

    name: str
    line: int
    kind: ReferenceKind


@dataclass(frozen=True, slots=True)
class Outline:
    """All of a file, each in the order of the text."""

    symbols: tuple[Symbol, ...] = ()
    imports: tuple[Import, ...] = ()
    references: tuple[Reference, ...] = ()


@question(is_slow=True)
def outline(tree: SyntaxTree) -> Outline:
    """The outline of a file; empty for plain text."""
    found = find(tree)
    if found is None:
        return Outline()
    own = Outline(_symbols(tree.source, found), _imports(tree.source, found), _references(tree.source, found))
    for language, node in found.embedded.values():
        own = _joined(own, outline(parse_here(language, to_bytes(_text(tree.source, node)))), node.start_point.row)
    return own


@question(is_slow=True)
def bare_outline(tree: SyntaxTree) -> Outline:
    """Symbols without their signatures, and imports: what a cursor needs of its own file, a tenth of it all."""
    whole = outline(tree)
    return Outline(tuple(replace(symbol, signature="") for symbol in whole.symbols), whole.imports)


def imports_of(tree: SyntaxTree) -> tuple[Import, ...]:
    """The imports of an outline alone, where the tree is: a third of the work."""
    found = find(tree)
    if found is None or found.embedded:
        return outline(tree).imports
    return _imports(tree.source, found)


def scope_at(outline: Outline, line: int) -> tuple[Symbol, ...]:
    """The symbols around a line, innermost first; a field or a variable is not around anything."""
    around = [s for s in outline.symbols if s.first_line <= line <= s.last_line and s.kind not in _DATA]
    if not around:
        return ()
    chain = [around[-1]]
    while (parent := chain[-1].parent) is not None:
        chain.append(outline.symbols[parent])
    return tuple(chain)


@dataclass(slots=True)
class _Open:
    """Something that goes on up to `end`: a symbol, or a scope without a name (`index` is None)."""

    start: int
    end: int
    index: int | None
    body: int | None = None  # where its own body begins

    def is_symbol_at(self, start: int, end: int) -> bool:
        """Whether this is a symbol of exactly these bytes."""
        return self.index is not None and (self.start, self.end) == (start, end)


@dataclass(slots=True)
class _Sweep:
    """Goes over definitions and scopes in the order of the text, keeping what is open around the place."""

    source: bytes
    found: Found
    symbols: list[Symbol] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    data: set[tuple[int | None, str]] = field(default_factory=set)
    children: dict[int | None, int] = field(default_factory=dict)  # the last child so far of each symbol

    def enter(self, start: int, end: int) -> None:
        """Close what ends before `start`, and the definition of another name by the same statement."""
        while self.open and (self.open[-1].end <= start or self.open[-1].is_symbol_at(start, end)):
            self.open.pop()

    def enter_scope(self, start: int, end: int) -> None:
        """Open a scope, unless it is a symbol's own body: a namespace's variables are not local."""
        while self.open and self.open[-1].end <= start:
            self.open.pop()
        if not self.open or self.open[-1].body != start:
            self.open.append(_Open(start, end, None))

    def add(self, definition: Definition, start: int, end: int) -> None:
        """Add a definition's symbol, unless it is local data, a local prototype, or assigned to once more."""
        is_clause, is_attribute = definition.kind == _CLAUSE, definition.kind == _ATTRIBUTE
        parent = self.around(TYPE_KINDS | {SymbolKind.TYPE}) if is_attribute else self.around()
        kind = self.kind(_SPECIAL.get(definition.kind) or SymbolKind(definition.kind), parent)
        name = ".".join(_name(self.source, node) for node in definition.names)
        is_declaration = kind in _DATA or (kind is SymbolKind.FUNCTION and definition.body is None)
        is_local = parent is None if is_attribute else self.is_local()
        if (is_declaration and is_local) or (kind in _DATA and (parent, name) in self.data):
            return
        if kind in _DATA:
            self.data.add((parent, name))
        last_line = last_row(self.found.outermost(definition.last))
        before = self.children.get(parent)
        if is_clause and before is not None and self.symbols[before].name == name:
            self.symbols[before] = replace(self.symbols[before], last_line=last_line)
            self.open.append(_Open(start, end, before))
            return
        first_line, begin = self.found.begin(self.source, self.found.outermost(definition.first))
        is_whole = definition.body is None
        code_end = self.found.code_end(self.source, begin, end if definition.body is None else definition.body)
        signature = _signature(self.source, begin, code_end, is_whole)
        bases = tuple(dict.fromkeys(_name(self.source, base) for base in definition.bases))
        self.children[parent] = len(self.symbols)
        self.open.append(_Open(start, end, len(self.symbols), definition.body))
        line = definition.names[0].start_point.row
        self.symbols.append(Symbol(name, kind, line, first_line, last_line, signature, parent, bases))

    def around(self, kinds: Collection[SymbolKind] = frozenset(SymbolKind)) -> int | None:
        """The innermost symbol of these kinds around the place."""
        open_ = (opened.index for opened in reversed(self.open) if opened.index is not None)
        return next((index for index in open_ if self.symbols[index].kind in kinds), None)

    def kind(self, kind: SymbolKind, parent: int | None) -> SymbolKind:
        """Functions and variables of a type are its methods and fields."""
        if parent is None or self.symbols[parent].kind not in TYPE_KINDS:
            return kind
        if kind is SymbolKind.FUNCTION:
            return SymbolKind.METHOD
        return SymbolKind.FIELD if kind is SymbolKind.VARIABLE else kind

    def is_local(self) -> bool:
        """Whether a variable here would be one of a function or of a scope without a name."""
        if not self.open:
            return False
        index = self.open[-1].index
        return index is None or self.symbols[index].kind in _FUNCTIONS


def _symbols(source: bytes, found: Found) -> tuple[Symbol, ...]:
    entries: list[tuple[int, int, int, int, Definition | None]] = [
        (node.start_byte, -node.end_byte, 0, 0, None) for node in found.scopes
    ]
    for at, found_here in found.definitions.items():
        first, last = found.outermost(found_here.first), found.outermost(found_here.last)
        entries.append((first.start_byte, -last.end_byte, 1, at, found_here))
    entries.sort(key=lambda entry: entry[:4])
    sweep = _Sweep(source, found)
    for start, end, _, _, definition in entries:
        if definition is None:
            sweep.enter_scope(start, -end)
        else:
            sweep.enter(start, -end)
            sweep.add(definition, start, -end)
    return tuple(sweep.symbols)


def _imports(source: bytes, found: Found) -> tuple[Import, ...]:
    """A match of the path alone says nothing more where another names what the path imports."""
    named = {path[-1].start_byte for path, name, alias in found.imports if name or alias}
    renamed = {name.start_byte for _, name, alias in found.imports if name and alias}
    seen: dict[tuple[int, Import], None] = {}
    for path, name, alias in found.imports:
        if alias or (name.start_byte not in renamed if name else path[-1].start_byte not in named):
            spelled = found.separator(source, path).join(_name(source, node) for node in path)
            last, local = alias or name or path[-1], _name(source, alias)
            seen[last.start_byte, Import(spelled, _name(source, name), local, path[0].start_point.row)] = None
    return tuple(imported for _, imported in sorted(seen, key=lambda entry: entry[0]))


def _references(source: bytes, found: Found) -> tuple[Reference, ...]:
    unique = {node.start_byte: (kind, node) for kind, node in reversed(found.references)}
    names = {name.start_byte for definition in found.definitions.values() for name in definition.names}
    return tuple(
        Reference(_name(source, node), node.start_point.row, ReferenceKind(kind))
        for _, (kind, node) in sorted(unique.items(), key=lambda entry: entry[0])
        if node.start_byte not in names
    )


def _joined(own: Outline, embedded: Outline, row: int) -> Outline:
    """`own` with the outline of a text that begins on line `row` of the same file."""
    shift = len(own.symbols)
    return Outline(
        own.symbols + tuple(_moved(symbol, row, shift) for symbol in embedded.symbols),
        own.imports + tuple(replace(imported, line=imported.line + row) for imported in embedded.imports),
        own.references + tuple(replace(reference, line=reference.line + row) for reference in embedded.references),
    )


def _moved(symbol: Symbol, row: int, shift: int) -> Symbol:
    parent = None if symbol.parent is None else symbol.parent + shift
    lines = {name: getattr(symbol, name) + row for name in ("line", "first_line", "last_line")}
    return replace(symbol, **lines, parent=parent)


def _text(source: bytes, node: Node) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _name(source: bytes, node: Node | None) -> str:
    """The text of a node in one line, without quotes, and without the colon of a symbol such as Ruby's `:name`."""
    if node is None:
        return ""
    text = " ".join(_text(source, node).split())
    if node.type in _NAMES_WITH_COLON:
        text = text.strip(":")
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        return text.strip(text[0])
    return text[1:-1] if node.type == _C_SYSTEM_PATH else text


def _signature(source: bytes, start: int, end: int, is_whole: bool) -> str:
    """The text between two offsets, its first line's indentation taken from all lines."""
    limit = _MAX_CHARACTERS_WITHOUT_BODY if is_whole else _MAX_CHARACTERS_BEFORE_BODY
    text = source[start : min(end, start + 4 * limit)].decode("utf-8", "ignore")[:limit].rstrip()
    if not is_whole:
        text = text.removesuffix(" =").removesuffix("{").rstrip()
    if "\n" not in text:
        return text
    return "\n".join(_dedented(text.splitlines(), indentation(source, start) or 0))


def _dedented(lines: list[str], indent: int) -> Iterator[str]:
    yield lines[0].rstrip()
    for line in lines[1:]:
        yield line[min(indent, len(line) - len(line.lstrip())) :].rstrip()
