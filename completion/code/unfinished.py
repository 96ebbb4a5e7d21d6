"""What would finish a text that ends in the middle of a construct: the least that makes it parse. For `parse_check`.

A user who types is always in the middle of something: a call without its arguments, a header without its body. Whether
such a text is *wrong* shows when it is finished: `foo(a,` is fine because `foo(a,x)` is, `foo(a))` is not.

Rules: pure. What differs between languages follows from their block style and the tokens of their trees. The
endings are tried in order, so the likely ones come first and there are few.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node

from completion.code.lines import TAB_COLUMNS, opens_block
from parsers.languages import BlockStyle
from parsers.parse import SyntaxTree
from parsers.scope import CursorKind, cursor_kind

_CLOSER_OF = {"(": ")", "[": "]", "{": "}", "${": "}", "#{": "}", "#[": "]", "[[": "]]", "@{": "}", "\\(": ")"}
_CLOSERS = frozenset(_CLOSER_OF.values())
_MULTILINE_QUOTES = ('"""', "'''", "`")
# What goes on behind an ending of these: an operand, in any language.
_WANTS_OPERAND = re.compile(
    r"([-+*/%=<>&|^~!,.(\[{?:@\\$#]|\b(and|or|not|in|is|return|new|as|import|from|of|yield|await))\s*$"
)
_OPERAND = "x"
# Angle brackets are no brackets to a lexer: only those are seen that end a line, and that no line closes.
_OPEN_ANGLE = re.compile(r"<[ \t]*(\n(?![ \t]*>)[^\n]*)*$")
_ANGLE_BYTES = 400
# By style, what may stand between the closers of a line and its end.
_TAILS = {
    BlockStyle.INDENT: ("", ": pass", ": x", " in x: pass", " = x", " else x", " import x", ": pass\nfinally: pass"),
    BlockStyle.BRACE: ("", ";", " {}", " => x", " x;", " x() {}", ": x", " = x;", "() {}", " in x {}"),
    BlockStyle.END: (
        "", "\nend", " do\nend", " then\nend", "\n}", "\ndone", "\nfi", "; do\nx\ndone", "; then\nx\nfi", "\nesac",
    ),
    BlockStyle.NONE: ("",),
}  # fmt: skip
_IMPORT = re.compile(r"\s*(import|export)\b")


def endings(tree: SyntaxTree, at: int, style: BlockStyle) -> Iterator[str]:
    """Texts that may finish what stands before byte `at`, the likely ones first."""
    line_start = tree.source.rfind(b"\n", 0, at) + 1
    line = tree.source[line_start:at].decode("utf-8", "replace")
    in_comment = cursor_kind(tree, at) is CursorKind.COMMENT
    heads, tails = _last_words(line, style)
    if line[-1:].isalnum() or line.endswith("_"):  # `end` and an operand are not `endx`
        heads = tuple(" x" if head == _OPERAND else head for head in heads)
    if in_comment and line.rfind("/*") > line.rfind("*/"):
        heads = ("*/",)
    elif in_comment:  # behind a line comment nothing on its line would count
        heads = tuple(f"\n{head}" for head in heads)
    if _OPEN_ANGLE.search(tree.source[max(0, at - _ANGLE_BYTES) : at].decode("utf-8", "replace")):
        heads = tuple(f"{head}>" for head in heads)
    n_here = len(_open(tree, line_start, at))
    closers = closing(tree, at, n_here)
    # What follows the line's closers comes before those of the lines above, or behind the first of them.
    places = dict.fromkeys((n_here, min(n_here + 1, len(closers))))
    yield from dict.fromkeys(
        f"{head}{closers[:n]}{tail}{closers[n:]}"
        for head, tail in _pairs(heads, tails)
        for n in places
        if head or tail or closers
    )


def wants_operand(text: str) -> bool:
    """Whether something must come behind a text that is no closing bracket."""
    return _WANTS_OPERAND.search(text) is not None


def closing(tree: SyntaxTree, at: int, n_least: int = 0) -> str:
    """The brackets that close what is open at byte `at`, without those that stand below; at least `n_least` of them."""
    closers = "".join(reversed(_open(tree, 0, at)))
    return closers[: max(n_least, len(closers) - _n_unopened(tree, at))]


def _pairs(heads: tuple[str, ...], tails: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every head with every tail, the first two tails with all heads first."""
    yield from ((head, tail) for tail in tails[:2] for head in heads)
    yield from ((head, tail) for head in heads for tail in tails[2:])


def _last_words(line: str, style: BlockStyle) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What may come right behind the line's last token, and what behind the brackets that are open then."""
    indent = line[: len(line) - len(line.lstrip())]
    tails = _TAILS[style]
    for quote in _MULTILINE_QUOTES:
        if line.count(quote) % 2:
            return (quote,), tails
    if line.endswith("\\") and line.count('"') % 2:
        return ('\n"',), tails
    if line.lstrip().startswith("#if"):
        return ("\n#endif",), ("",)
    if style is BlockStyle.INDENT and opens_block(line, style):
        body = f"\n{indent}{' ' * TAB_COLUMNS}pass"
        return (body, f"{body}\n{indent}finally: pass", _OPERAND), tails
    if line.lstrip().startswith("@"):
        decorated = (f"\n{indent}def x(): pass", "") if style is BlockStyle.INDENT else ("", " class x {}")
        return ("", _OPERAND), decorated
    if _IMPORT.match(line):
        tails = (*tails[:1], ' from "x";', *tails[1:])
    return ((_OPERAND, "") if wants_operand(line) else ("", _OPERAND)), tails


def _open(tree: SyntaxTree, start: int, end: int) -> list[str]:
    """The closers of the brackets that are opened in a half-open byte range and not closed there, outermost first."""
    closers: list[str] = []
    for token in _brackets(tree.root, start, end):
        if token in _CLOSER_OF:
            closers.append(_CLOSER_OF[token])
        elif closers and closers[-1] == token:
            closers.pop()
    return closers


def _n_unopened(tree: SyntaxTree, start: int) -> int:
    """How many brackets are closed from a byte on that are not opened there."""
    n, depth = 0, 0
    for token in _brackets(tree.root, start, len(tree.source)):
        if token in _CLOSER_OF:
            depth += 1
        elif depth:
            depth -= 1
        else:
            n += 1
    return n


def _brackets(root: Node | None, start: int, end: int) -> Iterator[str]:
    """The brackets in a half-open byte range, in order, without those of nodes that are whole: they are paired."""
    stack = [] if root is None else [root]
    while stack:
        node = stack.pop()
        if node.end_byte <= start or node.start_byte >= end:
            continue
        if node.child_count:
            if node.has_error or node.start_byte < start or node.end_byte > end:
                stack += reversed(node.children)
        elif (node.type in _CLOSER_OF or node.type in _CLOSERS) and not node.is_missing and node.start_byte >= start:
            yield node.type
