"""What would finish a text that ends in the middle of a construct: the least that makes it parse. For `parse_check`.

A user who types is always in the middle of something: a call without its arguments, a header without its body. Whether
such a text is *wrong* shows when it is finished: `foo(a,` is fine because `foo(a,x)` is, `foo(a))` is not.

Rules: pure. What differs between languages follows from their block style and the tokens of their trees. The
endings are tried in order, so the likely ones come first and there are few.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node

from completion.lines import TAB_COLUMNS, opens_block
from parsers.languages import BlockStyle
from parsers.parse import SyntaxTree
from parsers.scope import CursorKind, cursor_kind

_CLOSER_OF = {"(": ")", "[": "]", "{": "}", "${": "}", "#{": "}", "#[": "]", "[[": "]]", "@{": "}", "\\(": ")"}
_CLOSERS = frozenset(_CLOSER_OF.values())
_MULTILINE_QUOTES = ('"""', "'''", "`")
# What goes on behind an ending of these: an operand, in any language.
_WANTS_OPERAND = re.compile(r"([-+*/%=<>&|^~!,.(\[{?:@\\$#]|\b(and|or|not|in|is|return|new|as|import|from|of|yield|await))\s*$")
_OPERAND = "x"
# By style, what may stand between the closers of a line and its end.
_TAILS = {
    BlockStyle.INDENT: ("", ": pass", ": x", " in x: pass", " = x", " else x", " import x", ": pass\nfinally: pass"),
    BlockStyle.BRACE: ("", ";", " {}", " x;", " => x", " x() {}", ": x", " = x;", " in x {}"),
    BlockStyle.END: ("", "\nend", " do\nend", " then\nend", " x\nend", "; then\nx\nfi", "\ndone", "\nfi", "; do\nx\ndone", "\nesac", "\n}"),
    BlockStyle.NONE: ("",),
}


def endings(tree: SyntaxTree, at: int, style: BlockStyle) -> Iterator[str]:
    """Texts that may finish what stands before byte `at`, the likely ones first."""
    line_start = tree.source.rfind(b"\n", 0, at) + 1
    line = tree.source[line_start:at].decode("utf-8", "replace")
    here = "".join(reversed(_open(tree, line_start, at)))
    everywhere = "".join(reversed(_open(tree, 0, at)))
    in_comment = cursor_kind(tree, at) is CursorKind.COMMENT
    heads = ["*/"] if in_comment and line.rfind("/*") > line.rfind("*/") else _heads(line, style)
    # Behind a line comment nothing on its line would count.
    lead = "\n" if in_comment and heads != ["*/"] else ""
    found = (
        f"{lead}{head}{closers}{tail}" if closers is here else f"{lead}{head}{here}{tail}{closers[len(here) :]}"
        for tail in _TAILS[style]
        for head in heads
        for closers in (everywhere, here)
    )
    yield from dict.fromkeys(ending for ending in found if ending)


def _heads(line: str, style: BlockStyle) -> list[str]:
    """What may come right behind the line's last token."""
    indent = line[: len(line) - len(line.lstrip())]
    for quote in _MULTILINE_QUOTES:
        if line.count(quote) % 2:
            return [quote]
    if line.lstrip().startswith("#if"):
        return ["\n#endif"]
    if style is BlockStyle.INDENT:
        if opens_block(line, style):
            body = f"\n{indent}{' ' * TAB_COLUMNS}pass"
            return [body, f"{body}\n{indent}finally: pass", _OPERAND]
        if line.lstrip().startswith("@"):
            return [f"\n{indent}def x(): pass", ""]
    elif line.lstrip().startswith("@"):
        return ["", " class x {}"]
    return [_OPERAND, ""] if _WANTS_OPERAND.search(line) else ["", _OPERAND]


def _open(tree: SyntaxTree, start: int, end: int) -> list[str]:
    """The closers of the brackets that are opened in a half-open byte range and not closed there, outermost first."""
    closers: list[str] = []
    for token in _brackets(tree.root, start, end):
        if token in _CLOSER_OF:
            closers.append(_CLOSER_OF[token])
        elif closers and closers[-1] == token:
            closers.pop()
    return closers


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
