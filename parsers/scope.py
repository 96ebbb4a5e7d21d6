"""Where the cursor is: in code, a comment or a string, and in which block. Pure functions on a SyntaxTree.

Rules: offsets are byte offsets into `SyntaxTree.source`. Plain text is all code in no block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from parsers.languages import BlockStyle, by_id
from parsers.parse import SyntaxTree

# Names of nodes that are code again inside of a string: `f"{here}"`, `${here}`.
_INTERPOLATION = ("interpolation", "template_substitution", "string_interpolation", "interpolated_expression")


class CursorKind(StrEnum):
    """What the text at the cursor is."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Block:
    """A body: the half-open byte range of its node, and the node's type."""

    start: int
    end: int
    kind: str


def cursor_kind(tree: SyntaxTree, offset: int) -> CursorKind:
    """Whether text typed at `offset` lands in a comment, in a string, or in code."""
    language = by_id(tree.language)
    for node in _around(tree, offset):
        if node.type in _INTERPOLATION and node.start_byte < offset < node.end_byte:
            return CursorKind.CODE
        if node.type in language.comments and _in_comment(node, tree, offset, language.line_comment):
            return CursorKind.COMMENT
        if node.type in language.strings and _in_string(node, offset):
            return CursorKind.STRING
    return CursorKind.CODE


def _in_comment(node: Node, tree: SyntaxTree, offset: int, line_comment: str | None) -> bool:
    if node.start_byte < offset < node.end_byte:
        return True
    # The end of a line comment is still inside of it; the end of `/* */` is not.
    text = tree.source[node.start_byte : node.end_byte]
    is_line = line_comment is not None and text.startswith(line_comment.encode())
    return is_line and node.start_byte < offset and offset <= node.start_byte + len(text.rstrip(b"\r\n"))


def _in_string(node: Node, offset: int) -> bool:
    """Strictly inside; at the very end only when the closing quote is missing."""
    if node.start_byte < offset < node.end_byte:
        return True
    missing_quote = bool(node.children) and node.children[-1].is_missing
    return missing_quote and node.start_byte < offset <= node.end_byte


def enclosing_block(tree: SyntaxTree, offset: int) -> Block | None:
    """The innermost body around `offset`; None at the top level, and in plain text.

    Where blocks end by dedentation, the cursor may stand on the lines after a block's last token: there
    the indentation of its line decides, since the tree's node ends with the token.
    """
    language = by_id(tree.language)
    for node in _around(tree, offset):
        if node.type in language.blocks and node.start_byte < offset <= node.end_byte:
            return Block(node.start_byte, node.end_byte, node.type)
    if language.block_style is BlockStyle.INDENT:
        return _block_before(tree, offset, language.blocks)
    return None


def _block_before(tree: SyntaxTree, offset: int, kinds: tuple[str, ...]) -> Block | None:
    line = tree.source[tree.source.rfind(b"\n", 0, offset) + 1 : offset]
    column = len(line) - len(line.lstrip())
    end = len(tree.source[:offset].rstrip())
    if column == 0 or end == 0:
        return None
    for node in _around(tree, end):
        if node.type in kinds and node.start_point.column <= column:
            return Block(node.start_byte, node.end_byte, node.type)
    return None


def error_count(tree: SyntaxTree) -> int:
    """How many ERROR and MISSING nodes the tree has."""
    count, stack = 0, [tree.root] if tree.root is not None else []
    while stack:
        node = stack.pop()
        if node is None or not (node.has_error or node.is_missing):
            continue
        count += node.is_error or node.is_missing
        stack.extend(node.children)
    return count


def _around(tree: SyntaxTree, offset: int) -> Iterator[Node]:
    """Nodes that touch `offset`, innermost first: those to its left, which typing there would extend."""
    if tree.root is None:
        return
    left = max(0, offset - 1)
    node = tree.root.descendant_for_byte_range(left, min(offset, len(tree.source)))
    seen = tree.root.descendant_for_byte_range(left, left)
    chain: list[Node] = []
    while seen is not None and (node is None or seen.id != node.id):
        chain.append(seen)
        seen = seen.parent
    yield from chain
    while node is not None:
        yield node
        node = node.parent
