"""Names in a syntax tree: where one is bound, how far it is seen, and where it is used. Asked by the rules.

By the shapes that grammars have in common (fields such as `name`, `left`, `pattern`, `body`), so it holds for every
language that has them; what a language has of its own is a column of `parsers.languages`. It is no resolver: a name
counts as the same within the scope of its binding, unless an inner scope binds it again.

Rules: pure; runs where the tree is.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node

from parsers.languages import BlockStyle, Language

_NAMES = re.compile(r"(?:identifier|^identifier_pattern)$")
_OTHER_NAMES = frozenset({"name", "constant", "variable_name", "word"})
_BINDERS = re.compile(
    r"declar|defin|param|assign|spec|let_|field|variant|item|enumerator|enum_|for_|for$|const|catch|clause|"
    r"property|named_expression|type_alias|mod_|record|closure|lambda|class|interface|method_def|method_sig|function|"
    r"^(?:singleton_)?method$|^preproc_(?:function_)?def$|^as_pattern$"
)
_BINDING_FIELDS = frozenset({"name", "pattern", "left", "declarator", "parameter", "alias", "parameters"})
_WRAPPERS = re.compile(r"pattern|_list$|tuple|declarator|^type_identifier$|identifier_list|^variable_name$")
_PARAMETERS = re.compile(r"param|lambda_parameters")
_TYPES = re.compile(
    r"class|struct|interface|trait|impl|enum|object|record|protocol|union|^declaration_list|^field_declaration_list"
)
_KEYS = re.compile(r"keyword_argument|^pair|field_init|keyed_element|labeled|jsx_attribute|named_argument")
# What binds a definition's own name within it.
_WITHIN = re.compile(r"declarator$|_spec$")
_BOUNDS = re.compile(r"type_param|type_arg|where|constraint")
_BODIES = ("body", "consequence", "block")
_CONSTANTS = re.compile(r"assign|declar|_spec|_item$|argument|param")
_MEMBER_SIGNS = (b".", b"->", b"::", b"?.", b"@")
SELVES = frozenset({b"self", b"this", b"Self", b"cls", b"@"})


def is_name(node: Node) -> bool:
    """Whether a leaf is a name. One that the grammar misses has no text, and is none."""
    if node.start_byte == node.end_byte:
        return False
    return node.child_count == 0 and (_NAMES.search(node.type) is not None or node.type in _OTHER_NAMES)


def leaves(node: Node, first: int = 0, last: int = 1 << 60) -> Iterator[Node]:
    """The leaves of a tree that touch the rows first..last, in order; strings and comments with what they hold."""
    stack = [node]
    while stack:
        top = stack.pop()
        if top.end_point.row < first or top.start_point.row > last:
            continue
        if top.child_count == 0:
            yield top
        else:
            stack.extend(reversed(top.children))


def named(root: Node, source: bytes, name: bytes) -> list[Node]:
    """The leaves that are a name, in order; quick, since most of a text does not hold it."""
    found: list[Node] = []
    position = source.find(name)
    while position >= 0:
        end = position + len(name)
        node = root.descendant_for_byte_range(position, end)
        if node is not None and (node.start_byte, node.end_byte) == (position, end) and is_name(node):
            found.append(node)
        position = source.find(name, end)
    return found


def text_of(node: Node, source: bytes) -> bytes:
    """The text of a node."""
    return source[node.start_byte : node.end_byte]


def owner(node: Node, source: bytes) -> bytes | None:
    """Of a member (`owner.name`) the last word of what it is of; None for a name that stands alone."""
    begin = max(0, node.start_byte - 80)
    before = source[begin : node.start_byte].rstrip()
    if before.endswith(b"..."):
        return None
    for sign in _MEMBER_SIGNS:
        if before.endswith(sign):
            word = re.search(rb"([\w$]+|\S)\s*$", before[: len(before) - len(sign)].rstrip(b"?!"))
            return word.group(1) if word else b""
    return None


def is_key(node: Node) -> bool:
    """Whether a name is a label of something else: a keyword of a call, a key of an object."""
    parent = node.parent
    if parent is None:
        return False
    if "shorthand" in node.type:
        return True
    first = parent.children[0] if parent.children else None
    return _KEYS.search(parent.type) is not None and first is not None and first == node


def binder(node: Node) -> Node | None:
    """The node that binds a name here: a definition, a parameter list, an assignment; None where it is only used."""
    below, parent = node, node.parent
    while parent is not None:
        field = _field(parent, below)
        if field == "type":
            return None
        if _PARAMETERS.search(parent.type) and field not in ("value", "default_value", "return_type"):
            return parent
        if field in _BINDING_FIELDS and _BINDERS.search(parent.type) and not _is_use(parent):
            return parent
        if field == "" and below == node and _is_first_name(parent, node):
            return parent
        if parent.type in ("enum_variant", "enum_body", "enum_constant", "type_parameter"):
            return parent
        if field == "" and parent.type in ("for_in_statement", "for_in_clause"):
            return None
        if not _WRAPPERS.search(parent.type) or parent.type.endswith("argument_list"):
            return None
        if "expression_list" in parent.type and parent.parent is not None and not _is_left(parent):
            return None
        below, parent = parent, parent.parent
    return None


def _is_left(node: Node) -> bool:
    return node.parent is not None and _field(node.parent, node) in _BINDING_FIELDS


def is_assigned(node: Node) -> bool:
    """Whether a member (`self.name`) is what an assignment gives a value to."""
    member = node.parent
    above = member.parent if member is not None else None
    if member is None or above is None or "assign" not in above.type or _is_use(above):
        return False
    return above.child_by_field_name("left") == member


def _is_use(node: Node) -> bool:
    """Whether a node only looks like one that binds a name: `x += 1`, a call, C's `struct point *p`."""
    if node.type.endswith("_specifier") and node.child_by_field_name("body") is None:
        return True
    return "augmented" in node.type or "compound_assign" in node.type or "call" in node.type


def _is_first_name(declaration: Node, node: Node) -> bool:
    """Whether a name is that of a declaration whose grammar has no fields (Kotlin's)."""
    if not declaration.type.endswith("_declaration") or declaration.child_by_field_name("name") is not None:
        return False
    return next((child for child in declaration.children if is_name(child)), None) == node


def _field(parent: Node, child: Node) -> str:
    for index, each in enumerate(parent.children):
        if each == child:
            return parent.field_name_for_child(index) or ""
    return ""


def scope(node: Node, binding: Node, language: Language) -> Node | None:
    """The node in which a bound name is seen; None: in the whole file. `binding` is what binds it."""
    below: Node = node
    above: Node | None = node.parent
    if (own := _headed(node, binding, language)) is not None:  # seen outside of it
        below, above = own, own.parent
    while above is not None:
        if above.type in language.definitions and not (above == binding and _field(above, below) == "name"):
            return above
        body = next((each for name in _BODIES if (each := above.child_by_field_name(name)) is not None), None)
        is_outside = body is not None and not holds(body, node)
        if is_outside and not _TYPES.search(above.type) and not _CONSTANTS.search(above.type):
            return above
        if language.block_style is BlockStyle.BRACE and above.type in language.blocks:
            return above
        below, above = above, above.parent
    return None


def _headed(node: Node, binding: Node, language: Language) -> Node | None:
    """The definition whose own name this is; None where it is bound otherwise.

    What binds it may be within the definition: C's declarator, Go's `type_spec`.
    """
    if _field(binding, node) not in ("name", "declarator") and not _is_first_name(binding, node):
        return None
    above: Node | None = binding
    while above is not None and _WITHIN.search(above.type) and above.type not in language.definitions:
        above = above.parent
    return above if above is not None and above.type in language.definitions else None


def holds(outer: Node, inner: Node) -> bool:
    """Whether a node lies within another."""
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def is_type(node: Node) -> bool:
    """Whether a scope is that of a type: what is bound right in it is a member."""
    return _TYPES.search(node.type) is not None


def is_constructor(binding: Node) -> bool:
    """Whether what binds a name is a constructor: of a type that has its name, its name goes with the type's."""
    above = binding.parent
    is_without_type = above is not None and above.child_by_field_name("type") is None
    return "constructor" in binding.type or (binding.type == "function_declarator" and is_without_type)


def enclosing(node: Node, language: Language, *, of_types: bool) -> Node | None:
    """The innermost definition around a node: of a type, or of anything else."""
    above = node.parent
    while above is not None:
        if above.type in language.definitions and is_type(above) == of_types:
            return above
        above = above.parent
    return None


def are_kin(one: Node, other: Node, source: bytes) -> bool:
    """Whether one of two types is named where the other is declared: it extends, implements or is implemented by it."""
    names = [type_name(each, source) for each in (one, other)]
    return names[0] in _head(other, source) or names[1] in _head(one, source)


def type_name(definition: Node, source: bytes) -> bytes:
    """A type's own name; b"" where it has none, as Rust's `impl`."""
    name = definition.child_by_field_name("name") or next(filter(is_name, definition.children), None)
    return b"" if name is None else text_of(name, source)


def _head(definition: Node, source: bytes) -> set[bytes]:
    """The names before a definition's body, but for those of type parameters and what bounds them."""
    body = definition.child_by_field_name("body") or definition.children[-1]
    stack = [child for child in definition.children if child.end_byte <= body.start_byte]
    found: set[bytes] = set()
    while stack:
        node = stack.pop()
        if is_name(node):
            found.add(text_of(node, source))
        elif not _BOUNDS.search(node.type):
            stack.extend(node.children)
    return found
