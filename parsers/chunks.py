"""Cuts a file into chunks by syntax: whole definitions where they fit, never a slice through the middle of a line.

Rules: pure. A chunk is a range of whole lines; the chunks cover all lines that hold something, in order, and a
chunk's text depends on nothing outside of it. Plain text is cut at blank lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from parsers.parse import SyntaxTree

# About 400 tokens of code: a function of forty lines. What is smaller is joined with its neighbours up to this.
_MAX_BYTES = 1_400
# As tree-sitter counts rows: "\n" alone ends a line.
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines first..last (0-based, both included) of a file, and their text with its line ends."""

    first_line: int
    last_line: int
    text: str


def chunks(tree: SyntaxTree, max_bytes: int = _MAX_BYTES) -> list[Chunk]:
    """The chunks of a file, each of at most `max_bytes` unless a single line is longer."""
    lines = _LINE.findall(tree.source)
    sizes = [0]
    for line in lines:
        sizes.append(sizes[-1] + len(line))
    units = _units(tree.root, sizes, max_bytes) if tree.root is not None else _paragraphs(lines)
    result = []
    for first, last in _joined(_cut_long(units, sizes, max_bytes), sizes, max_bytes):
        text = b"".join(lines[first : last + 1])
        if text.strip():
            result.append(Chunk(first, last, text.decode("utf-8", "replace")))
    return result


def _units(node: Node, sizes: list[int], max_bytes: int) -> Iterator[tuple[int, int]]:
    """Line ranges of the nodes that fit; a node that does not is its first line and its children's ranges."""
    for child in node.children:
        first, last = child.start_point.row, child.end_point.row
        if child.end_point.column == 0 and last > first:
            last -= 1
        if _size(sizes, first, last) <= max_bytes or not child.children:
            yield first, last
        else:
            yield first, first
            yield from _units(child, sizes, max_bytes)
            yield last, last


def _paragraphs(lines: list[bytes]) -> Iterator[tuple[int, int]]:
    first = 0
    for number, line in enumerate(lines):
        if not line.strip():
            yield first, number
            first = number + 1
    if first < len(lines):
        yield first, len(lines) - 1


def _cut_long(units: Iterator[tuple[int, int]], sizes: list[int], max_bytes: int) -> Iterator[tuple[int, int]]:
    """The ranges with no line twice, those that are too long cut at line ends."""
    done = 0  # lines before this one are taken
    for first, last in units:
        first = max(first, done)
        while first <= last:
            end = first
            while end < last and _size(sizes, first, end + 1) <= max_bytes:
                end += 1
            yield first, end
            first = done = end + 1


def _joined(units: Iterator[tuple[int, int]], sizes: list[int], max_bytes: int) -> Iterator[tuple[int, int]]:
    """Neighbours together while they fit. Lines between two ranges, blank ones mostly, go with the second."""
    current: tuple[int, int] | None = None
    for first, last in units:
        if current is None:
            current = (first, last)
        elif _size(sizes, current[0], last) <= max_bytes:
            current = (current[0], last)
        else:
            yield current
            current = (
                (min(first, current[1] + 1), last) if _size(sizes, current[1] + 1, last) <= max_bytes else (first, last)
            )
    if current is not None:
        yield current


def _size(sizes: list[int], first: int, last: int) -> int:
    return sizes[min(last + 1, len(sizes) - 1)] - sizes[min(first, len(sizes) - 1)]
