"""Parse text into a syntax tree, and re-parse it cheaply after an edit. Called off the event loop.

`parse(bytes)` of tree-sitter holds the GIL for the whole parse, so a thread alone would not keep the event
loop free: the text is handed over in small slices instead, and Python threads can switch between them.

Rules: parsing never fails: broken code gives error nodes, an unknown language gives no tree. A SyntaxTree
is never changed after it is made; an incremental parse edits a copy of the old tree.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tree_sitter import Node, Parser, Point, Tree
from tree_sitter_language_pack import get_parser

from parsers.languages import by_id

# Worst event-loop stall 3 ms with these slices and a switch interval of 0.5 ms, at the same parse time.
_SLICE_BYTES = 256
# Beyond this a full parse takes seconds, and nobody completes in generated data: treated as plain text.
_MAX_PARSE_BYTES = 2_000_000
_PARSERS = threading.local()


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """A text in UTF-8 with its syntax tree; `tree` is None for plain text."""

    language: str
    source: bytes
    tree: Tree | None

    @property
    def root(self) -> Node | None:
        """The root node, None for plain text."""
        return None if self.tree is None else self.tree.root_node


def to_bytes(text: str) -> bytes:
    """UTF-8 of a text; a lone surrogate, which has none, becomes "?"."""
    return text.encode("utf-8", "replace")


def byte_offset(text: str, offset: int) -> int:
    """The byte offset in `to_bytes(text)` of a code-point offset in `text`."""
    return len(to_bytes(text[:offset]))


def parse(language: str, text: str, old: SyntaxTree | None = None) -> SyntaxTree:
    """Parse `text`; with the tree of an earlier version only what changed is parsed again.

    The edit is found by comparing the two texts, so callers need not keep track of edits.
    """
    source = to_bytes(text)
    if old is not None and old.language != language:
        old = None
    if old is not None and old.source == source:
        return old
    grammar = by_id(language).grammar
    if grammar is None or len(source) > _MAX_PARSE_BYTES:
        return SyntaxTree(language, source, None)
    if old is None or old.tree is None:
        return SyntaxTree(language, source, _parser(grammar).parse(_reader(source)))
    edited = _edited(old.tree, old.source, source)
    return SyntaxTree(language, source, _parser(grammar).parse(_reader(source), edited))


def _parser(grammar: str) -> Parser:
    """This thread's parser of a grammar; a parser must not be shared between threads."""
    parsers: dict[str, Parser] = _PARSERS.__dict__
    if grammar not in parsers:
        parsers[grammar] = get_parser(grammar)  # type: ignore[arg-type]
    return parsers[grammar]


def _reader(source: bytes) -> Callable[[int, Point], bytes]:
    return lambda offset, _: source[offset : offset + _SLICE_BYTES]


def _edited(tree: Tree, old: bytes, new: bytes) -> Tree:
    """A copy of `tree` told of the one edit that turns `old` into `new`."""
    shorter = min(len(old), len(new))
    start = _largest(shorter, lambda n: old[:n] == new[:n])
    while start > 0 and (_splits(old, start) or _splits(new, start)):
        start -= 1
    end = _largest(shorter - start, lambda n: n == 0 or old[-n:] == new[-n:])
    while end > 0 and _splits(new, len(new) - end):
        end -= 1
    copy = tree.copy()
    copy.edit(
        start_byte=start,
        old_end_byte=len(old) - end,
        new_end_byte=len(new) - end,
        start_point=_point(old, start),
        old_end_point=_point(old, len(old) - end),
        new_end_point=_point(new, len(new) - end),
    )
    return copy


def _largest(most: int, holds: Callable[[int], bool]) -> int:
    """The largest n <= most for which `holds(n)`, by halving: comparing slices runs at C speed."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _splits(source: bytes, offset: int) -> bool:
    """Whether `offset` is inside of a character: é and è begin with the same byte."""
    return offset < len(source) and source[offset] & 0xC0 == 0x80


def _point(source: bytes, offset: int) -> Point:
    """Row and column (in bytes) of a byte offset."""
    return Point(source.count(b"\n", 0, offset), offset - (source.rfind(b"\n", 0, offset) + 1))
