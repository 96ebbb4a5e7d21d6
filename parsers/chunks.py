"""Cuts a file into chunks by syntax: whole definitions where they fit, never a slice through the middle of a line.

Rules: pure. A chunk is a range of whole lines; the chunks cover all lines that hold something, in order, and a
chunk's text depends on nothing outside of it. Plain text is cut at blank lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from tree_sitter import Node

from parsers.parse import SyntaxTree, question

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
    result = []
    for first, last in _ranges(tree, max_bytes):
        text = b"".join(lines[first : last + 1])
        if text.strip():
            result.append(Chunk(first, last, text.decode("utf-8", "replace")))
    return result


@question(is_slow=True)
def _ranges(tree: SyntaxTree, max_bytes: int) -> list[tuple[int, int]]:
    """The line ranges of the chunks."""
    lines = _LINE.findall(tree.source)
    sizes = [0, *accumulate(map(len, lines))]
    units = _units(tree.root, sizes, max_bytes) if tree.root is not None else _paragraphs(lines)
    return list(_joined(_cut_long(units, sizes, max_bytes), sizes, max_bytes))


def _units(root: Node, sizes: list[int], max_bytes: int) -> Iterator[tuple[int, int]]:
    """Line ranges of the nodes that fit; a node that does not is its first line and its children's ranges.

    Without recursion: a sum of a thousand terms is a tree a thousand levels deep.
    """
    stack: list[Node | int] = list(reversed(root.children))
    while stack:
        node = stack.pop()
        if isinstance(node, int):
            yield node, node
            continue
        first, last = node.start_point.row, node.end_point.row
        if node.end_point.column == 0 and last > first:
            last -= 1
        children = node.children if _size(sizes, first, last) > max_bytes else []
        if children:
            yield first, first
            stack += [last, *reversed(children)]
        else:
            yield first, last


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
