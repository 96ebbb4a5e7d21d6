"""Sorts the matches of a language's query into definitions, imports, references and what belongs to them.

Rules: pure. A definition is known by the node of its name: of several patterns that match one name, the first in
the query file wins, so special ones stand before general ones. This module knows nodes, `outline` makes values.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node, Query, QueryCursor

from parsers.parse import SyntaxTree
from parsers.query_files import compiled_query

# A cursor finds all matches of a range at once: slices bound what is held, at no cost in total. One match of two slices
# is found twice, so everything here must stand being added twice.
_SLICE_BYTES = 4_096
# How far white space is looked for: a minified file is one line, and to read all of it for each symbol is quadratic.
_FAR_BYTES = 400
_SEPARATOR = re.compile(rb"\s*([^\w\s{(]*)")
_Captures = dict[str, list[Node]]


@dataclass(slots=True)
class Definition:
    """A match of `@definition.<kind>`; `body` is the byte where the signature ends, None for all of it."""

    pattern: int
    kind: str
    first: Node
    last: Node
    names: list[Node]
    body: int | None
    bases: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """Everything the query found in a file."""

    definitions: dict[int, Definition] = field(default_factory=dict)  # by the byte where the name begins
    bases: list[tuple[int, Node]] = field(default_factory=list)
    wrappers: dict[int, Node] = field(default_factory=dict)  # by the id of the node that is wrapped
    scopes: list[Node] = field(default_factory=list)
    imports: list[tuple[list[Node], Node | None, Node | None]] = field(default_factory=list)  # path, name, alias
    references: list[tuple[str, Node]] = field(default_factory=list)
    decorators: dict[int, list[Node]] = field(default_factory=dict)  # by the row of the end; so are comments
    comments: dict[int, Node] = field(default_factory=dict)
    comment_starts: dict[int, int] = field(default_factory=dict)  # by the byte of the end
    embedded: dict[int, tuple[str, Node]] = field(default_factory=dict)  # by the byte where it begins

    def outermost(self, node: Node) -> Node:
        """The node with what wraps it: Python's decorators, `export`, `template <...>`."""
        while (wrapper := self.wrappers.get(node.id)) is not None:
            node = wrapper
        return node

    def begin(self, source: bytes, node: Node) -> tuple[int, int]:
        """The first line with decorators and comments directly above, and the byte where decorators begin."""
        row, start = self._with_decorators_before(source, node.start_point.row, node.start_byte)
        while indentation(source, start) is not None:
            decorators, comment = self.decorators.get(row - 1), self.comments.get(row - 1)
            if decorators is not None and _is_blank(_rest_of_line(source, decorators[-1])):
                last = decorators[-1]
                row, start = self._with_decorators_before(source, last.start_point.row, last.start_byte)
            elif comment is not None and _stands_alone(source, comment):
                row = comment.start_point.row
            else:
                break
        return row, start

    def _with_decorators_before(self, source: bytes, row: int, start: int) -> tuple[int, int]:
        """The row and byte of the first of the decorators that end on the same row."""
        for decorator in reversed(self.decorators.get(row, ())):
            if decorator.end_byte <= start and _is_blank(source[decorator.end_byte : start]):
                row, start = decorator.start_point.row, decorator.start_byte
        return row, start

    def code_end(self, source: bytes, start: int, end: int) -> int:
        """`end` without white space and comments before it."""
        while end > start:
            window = max(start, end - _FAR_BYTES)
            stripped = window + len(source[window:end].rstrip())
            comment = self.comment_starts.get(stripped)
            if comment is None or comment <= start:
                return stripped
            end = comment
        return end

    @staticmethod
    def separator(source: bytes, path: list[Node]) -> str:
        """What stands between the parts of a path that is spelled in parts: `std::{io::Read}`."""
        match = _SEPARATOR.match(source, path[0].end_byte) if len(path) > 1 else None
        return match[1].decode("utf-8", "replace") if match else ""


def find(tree: SyntaxTree, slice_bytes: int = _SLICE_BYTES) -> Found | None:
    """Run the query of a file's language; None when there is none, or no tree."""
    if tree.root is None or (query := compiled_query(tree.language)) is None:
        return None
    found = Found()
    for pattern, captures in _matches(query, tree.root, slice_bytes):
        if (call := captures.get("reference.call")) is not None:
            found.references.append(("call", call[0]))
        elif (type_ := captures.get("reference.type")) is not None:
            found.references.append(("type", type_[0]))
        elif (names := captures.get("name")) is not None:
            _add_definition(found, pattern, names, captures)
        else:
            _add_other(found, captures)
    for at, base in found.bases:
        if (definition := found.definitions.get(at)) is not None:
            definition.bases.append(base)
    return found


def _matches(query: Query, root: Node, slice_bytes: int) -> Iterator[tuple[int, _Captures]]:
    for start in range(root.start_byte, root.end_byte, slice_bytes):
        cursor = QueryCursor(query)
        cursor.set_byte_range(start, start + slice_bytes)
        yield from cursor.matches(root)


def _add_definition(found: Found, pattern: int, names: list[Node], captures: _Captures) -> None:
    at = names[0].start_byte
    found.bases += [(at, base) for base in captures.get("base", ())]
    kind = next((name for name in captures if name.startswith("definition.")), None)
    if kind is None:
        return
    bodies = captures.get("body")
    body = min(node.start_byte for node in bodies) if bodies else None
    known = found.definitions.get(at)
    if known is None or pattern < known.pattern or (pattern == known.pattern and _is_before(body, known.body)):
        node = captures[kind][0]
        first, last = captures.get("start", [node])[0], captures.get("end", [node])[0]
        found.definitions[at] = Definition(pattern, kind.removeprefix("definition."), first, last, names, body)


def _is_before(body: int | None, other: int | None) -> bool:
    """Of two matches of one pattern the one with the earlier body counts; an optional body may give one without."""
    return body is not None and (other is None or body < other)


def _add_other(found: Found, captures: _Captures) -> None:
    if (comments := captures.get("comment")) is not None:
        found.comments[last_row(comments[0])] = comments[0]
        found.comment_starts[comments[0].end_byte] = comments[0].start_byte
    elif (scopes := captures.get("scope")) is not None:
        found.scopes.append(scopes[0])
    elif (wrapped := captures.get("wrapped")) is not None:
        found.wrappers[wrapped[0].id] = captures["wrapper"][0]
    elif (decorators := captures.get("decorator")) is not None:
        found.decorators.setdefault(last_row(decorators[0]), []).append(decorators[0])
    elif (path := captures.get("import.path")) is not None:
        name, alias = captures.get("import.name"), captures.get("import.alias")
        found.imports.append((path, name[0] if name else None, alias[0] if alias else None))
    else:
        for capture, nodes in captures.items():
            if capture.startswith("embedded."):
                language = capture.removeprefix("embedded.")
                found.embedded.update({node.start_byte: (language, node) for node in nodes})


def last_row(node: Node) -> int:
    """The last row with text of the node: a line comment may hold its line end."""
    end = node.end_point
    return end.row - 1 if end.column == 0 and end.row > node.start_point.row else end.row


def _is_blank(text: bytes) -> bool:
    return not text.strip()


def _rest_of_line(source: bytes, node: Node) -> bytes:
    return source[node.end_byte : node.end_byte + _FAR_BYTES].partition(b"\n")[0]


def _stands_alone(source: bytes, comment: Node) -> bool:
    """Whether nothing but white space is left of a comment: else it belongs to what is there."""
    return indentation(source, comment.start_byte) is not None


def indentation(source: bytes, start: int) -> int | None:
    """How many bytes of white space are left of `start` on its line; None when other text is there."""
    window = max(0, start - _FAR_BYTES)
    line_start = source.rfind(b"\n", window, start) + 1
    if line_start == 0 and window > 0:
        return None
    return start - line_start if _is_blank(source[line_start:start]) else None
