"""Which names in a suggestion are unknown: neither the file, nor the repository, nor the language.

Called by the pipeline. Small models invent functions. A name that a suggestion uses and that stands nowhere is a sign
of it: shown in the trace; nothing is dropped for it here.

Not counted are names behind a dot (what type stands before it is not known), keyword arguments, what the suggestion
itself binds (assigned, declared, imported, a parameter), and words too short to be looked up.

Rules: pure but for the injected lookup. When in doubt a name is known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tree_sitter import Node

from completion.candidate import Candidate
from completion.code.builtins import builtins_of
from completion.code.words import is_word_character
from completion.filters.members import Classes
from completion.switches import Switch
from completion.types import CompletionRequest
from parsers.parse import SyntaxTree, byte_offset, parse, question, to_bytes

# The index has no shorter words.
_MIN_CHARACTERS = 3
_NAME = re.compile(r"[^\W\d]\w*[?!]?")
_MEMBER_OPERATORS = frozenset((".", "->", "::", "?.", "&.", "!!.", "@"))
# In a field of these a name is bound, if its parent is no operation.
_BINDING_FIELDS = frozenset(
    ("left", "name", "pattern", "parameters", "parameter", "declarator", "alias", "key", "variable", "index", "label")
)
_USES = re.compile(r"binary|comparison|boolean|operator|call|invocation|index|subscript|member|augmented|jsx|type_arg")
_BINDING_NODES = re.compile(r"import|_pattern$|^parameters?$|parameter$|package|namespace_use|use_declaration|label")
_MEMBER_NODES = frozenset(
    ("field_identifier", "property_identifier", "shorthand_property_identifier", "primitive_type", "predefined_type")
)
_TEXT_NODES = re.compile(r"string|comment|char_literal|heredoc|regex|doctype|text$|content$|fragment$|preproc_arg")


class Names(Classes, Protocol):
    """What is known of a repository's names, and of its classes."""

    def is_known(self, name: str) -> bool:
        """Whether a name stands anywhere in the repository, in any capitalization. From a worker thread."""
        ...


@dataclass(frozen=True, slots=True)
class _Use:
    name: str
    binds: bool


def unknown_names(candidate: Candidate, request: CompletionRequest, known: Names | None) -> tuple[str, ...]:
    """The unknown names that a suggestion uses, in order; () in plain text, and where no repository is known."""
    if known is None or not candidate.text.strip() or Switch.NAMES in request.without:
        return ()
    snapshot = request.snapshot
    tree = parse(snapshot.language, candidate.accepted(request), snapshot.tree)
    start = byte_offset(snapshot.text, request.cursor)
    uses = _uses_between(tree, start, start + len(to_bytes(candidate.text)))
    bound = {use.name for use in uses if use.binds} | builtins_of(snapshot.language)
    names = dict.fromkeys(use.name for use in uses if len(use.name) >= _MIN_CHARACTERS and use.name not in bound)
    shown = [snapshot.text, *(snippet.text for snippet in request.snippets)]
    return tuple(
        name for name in names if not any(_stands_in(name, text) for text in shown) and not known.is_known(name)
    )


def _stands_in(name: str, text: str) -> bool:
    at = text.find(name)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(name) : at + len(name) + 1]
        if not is_word_character(before) and not is_word_character(after):
            return True
        at = text.find(name, at + 1)
    return False


@question
def _uses_between(tree: SyntaxTree, start: int, end: int) -> list[_Use]:
    """The names in a half-open byte range, in order. One that begins before it is half typed: it counts."""
    found = []
    stack = [] if tree.root is None else [(tree.root, False)]
    while stack:
        node, binds = stack.pop()
        if node.end_byte <= start or node.start_byte >= end or _TEXT_NODES.search(node.type):
            continue
        if node.child_count:
            stack += reversed(list(_children(node, binds)))
            continue
        text = (node.text or b"").decode("utf-8", "replace")
        if node.is_named and node.type not in _MEMBER_NODES and _NAME.fullmatch(text) and not _is_member(node):
            found.append(_Use(text, binds))
    return found


def _children(node: Node, binds: bool) -> Iterator[tuple[Node, bool]]:
    """The children of a node, and whether names in them are bound there."""
    binding = bool(_BINDING_NODES.search(node.type))
    operation = bool(_USES.search(node.type))
    for position, child in enumerate(node.children):
        field = node.field_name_for_child(position)
        if node.type == "keyword_argument" and field == "name":
            continue
        here = binding or binds or (field in _BINDING_FIELDS and not operation)
        yield child, here and field not in ("value", "right", "type", "body", "default")


def _is_member(node: Node) -> bool:
    """Whether a dot, or the like, stands before a name."""
    outer: Node | None = node
    while outer is not None:
        before = outer.prev_sibling
        if before is not None:
            return before.type in _MEMBER_OPERATORS
        outer = outer.parent if outer.parent is not None and outer.parent.start_byte == node.start_byte else None
    return False
