"""Where the cursor is: in code, a comment or a string; in which definition.

Pure functions on a SyntaxTree, called by completion's trigger and by the evals. Users type in broken code, so
each question has a fallback for what the grammar makes of it: ERROR nodes, and closing tokens that are MISSING.

Rules: offsets are byte offsets into `SyntaxTree.source`. Plain text is all code, in no definition. What differs
between languages is a column of `parsers.languages`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from parsers.languages import BlockStyle, Language, by_id
from parsers.parse import SyntaxTree, question

# Nodes that are code again inside of a string, in any language: `f"{here}"`, `"$here"`.
_INTERPOLATION = frozenset(
    {
        "interpolation",
        "template_substitution",
        "string_interpolation",
        "interpolated_expression",
        "interpolated_identifier",
        "template_interpolation",
        "command_substitution",
        "arithmetic_expansion",
        "expansion",
        "simple_expansion",
        "sub_expression",
        "variable",
        "variable_name",
        "member_access_expression",
        "subscript_expression",
        "scalar",
        "array",
    }
)
# Tokens right inside of a string that begin an interpolation, where the grammar has no node around it.
_INTERPOLATION_STARTS = ("{", "${", "\\(", "#{", "$(", "$")
_QUOTE = re.compile(rb"[A-Za-z@$]*(\"\"\"|'''|[\"'`])")
_MULTILINE_QUOTES = (b'"""', b"'''", b"`")
# Nodes of words between tags, and of paragraphs.
_PROSE = re.compile(r"(?:^|_)(?:text|inline|paragraph|content)$")


class CursorKind(StrEnum):
    """What the text at the cursor is."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open byte range of a node, and the node's type."""

    start_byte: int
    end_byte: int
    kind: str


@question
def cursor_kind(tree: SyntaxTree, offset: int) -> CursorKind:
    """Whether text typed at `offset` lands in a comment, in a string, or in code."""
    language = by_id(tree.language)
    inner: Node | None = None
    for node in reversed(_path(tree, offset)):
        if node.type in _INTERPOLATION and not _is_behind_closer(node, tree, offset):
            return CursorKind.CODE
        if node.type in language.comments and _in_comment(node, tree, offset, language):
            return CursorKind.COMMENT
        if node.type in language.strings and (offset < node.end_byte or _is_unclosed(node)):
            starts_code = inner is not None and inner.type in _INTERPOLATION_STARTS and offset == inner.end_byte
            return CursorKind.CODE if starts_code else CursorKind.STRING
        inner = node
    if tree.root is None or not tree.root.has_error:
        return CursorKind.CODE
    if _in_unclosed_comment(tree, offset, language):
        return CursorKind.COMMENT
    return CursorKind.STRING if _in_unclosed_string(tree.root, tree, offset) else CursorKind.CODE


@question
def is_text(tree: SyntaxTree, offset: int) -> bool:
    """Whether what is typed at `offset` is read by people: in a comment, in a string, or in prose as HTML has it."""
    if tree.root is None or cursor_kind(tree, offset) is not CursorKind.CODE:
        return True
    path = _path(tree, offset)
    return bool(path) and _PROSE.search(path[-1].type) is not None


@question
def enclosing_definition(tree: SyntaxTree, offset: int) -> Span | None:
    """The innermost function, method, class or the like around `offset`; None outside of any."""
    language = by_id(tree.language)
    column = _column(tree, offset)
    by_indent = language.block_style is BlockStyle.INDENT
    for node in _around(tree, offset, language):
        if node.type in language.definitions and (
            offset <= node.end_byte or _is_unclosed(node) or (by_indent and node.start_point.column < column)
        ):
            return Span(node.start_byte, node.end_byte, node.type)
    return None


@question
def error_count(tree: SyntaxTree) -> int:
    """How many ERROR and MISSING nodes the tree has."""
    return sum(node.is_error or node.is_missing for node in _broken(tree.root))


def _broken(root: Node | None) -> Iterator[Node]:
    """The nodes with an error in or below them, in the order of the text."""
    stack = [] if root is None else [root]
    while stack:
        node = stack.pop()
        # A leaf that the lexer gave up on is an error, yet says that it has none.
        if node.has_error or node.is_error or node.is_missing:
            yield node
            stack.extend(reversed(node.children))


def _path(tree: SyntaxTree, offset: int) -> list[Node]:
    """From the root down, the nodes that hold the byte left of `offset`: those that typing there would extend."""
    if tree.root is None or offset <= 0:
        return []
    cursor = tree.root.walk()
    path = [tree.root]
    while cursor.goto_first_child_for_byte(offset - 1) is not None:
        node = cursor.node
        if node is None or node.start_byte >= offset:
            break
        path.append(node)
    return path


def _around(tree: SyntaxTree, offset: int, language: Language) -> Iterator[Node]:
    """Innermost first: nodes that hold the last code before `offset`, then those that begin with white space."""
    path = _path(tree, _code_end(tree, offset))
    while path and path[-1].type in language.comments:
        path = _path(tree, _code_end(tree, path[-1].start_byte))
    yield from reversed(path)
    yield from reversed(_path(tree, offset))


def _code_end(tree: SyntaxTree, offset: int) -> int:
    return len(tree.source[:offset].rstrip())


def _column(tree: SyntaxTree, offset: int) -> int:
    """The indentation, in bytes, of the part of the cursor's line that is before the cursor."""
    line = tree.source[tree.source.rfind(b"\n", 0, offset) + 1 : offset]
    return len(line) - len(line.lstrip())


def _is_unclosed(node: Node) -> bool:
    """Whether the last token in the node is one that the parser had to make up."""
    last: Node | None = node
    while last is not None and not last.is_missing:
        last = last.child(last.child_count - 1) if last.child_count else None
    return last is not None


def _is_behind_closer(node: Node, tree: SyntaxTree, offset: int) -> bool:
    return offset == node.end_byte and tree.source[offset - 1 : offset] in (b"}", b")", b"]", b"`")


def _in_comment(node: Node, tree: SyntaxTree, offset: int, language: Language) -> bool:
    """The end of a line comment is still inside of it; the end of `/* */` is not, nor is the next line."""
    text = tree.source[node.start_byte : node.end_byte]
    if language.block_comment is not None and text.startswith(language.block_comment[0].encode()):
        return offset < node.end_byte or _is_unclosed(node)
    return offset <= node.start_byte + len(text.rstrip(b"\r\n"))


def _in_unclosed_comment(tree: SyntaxTree, offset: int, language: Language) -> bool:
    if language.block_comment is None:
        return False
    opener, closer = (token.encode() for token in language.block_comment)
    at = tree.source.rfind(opener, 0, offset)
    if at < 0 or tree.source.find(closer, at + len(opener), offset) >= 0:
        return False
    path = _path(tree, at + 1)
    is_text = any(node.type in language.comments + language.strings for node in path)
    return not is_text and any(node.is_error for node in path)


def _in_unclosed_string(root: Node, tree: SyntaxTree, offset: int) -> bool:
    """Whether an opening quote stands in an ERROR before `offset`, on the same line unless it may span lines."""
    line_start = tree.source.rfind(b"\n", 0, offset) + 1
    opened: bytes | None = None
    for node in _broken(root):
        if not node.is_error or node.start_byte >= offset:
            continue
        for token in node.children or [node]:
            quote = _QUOTE.match(tree.source, token.start_byte, min(token.end_byte, offset))
            # A token that is nothing but a quote, or text that the lexer gave up on at its opening quote.
            if quote is None or not (quote.end() == token.end_byte or token is node):
                continue
            if opened is not None:
                opened = None if opened == quote[1] else opened
            elif token.start_byte >= line_start or quote[1] in _MULTILINE_QUOTES:
                opened = quote[1]
    return opened is not None
