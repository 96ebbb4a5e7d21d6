"""Rule (c): the parameters of a function were changed, so its calls in the file follow.

A parameter that went takes its argument along; those that changed places take theirs; one that came in is handed on
where the caller has a name like it; one that was renamed renames the keyword. A function that became asynchronous is
awaited, by callers that become asynchronous, too.

Rules: pure; runs where the tree is. A call whose arguments do not match the old parameters one by one is left alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.names import SELVES, binder, is_name, named, text_of
from completion.next_edit.scene import Scene, by_lines

_LISTS = re.compile(r"^(?:formal_)?parameters$|^parameter_list$|^formal_parameters$|^method_parameters$")
_ARGUMENTS = re.compile(r"argument")
_AWAITS = frozenset({"python", "javascript", "typescript", "tsx"})


@dataclass(frozen=True, slots=True)
class _Signature:
    name: bytes
    parameters: tuple[bytes, ...]  # their names
    optional: tuple[bool, ...]
    is_async: bool


def signatures(scene: Scene) -> Iterator[Proposal]:
    """The calls that follow a changed signature, neighbouring lines together."""
    for edit in scene.here:
        for old, new in _changed(scene, edit):
            calls = [node for node in named(scene.root, scene.source, new.name) if _call(node) is not None]
            # Two calls in one function make it asynchronous once.
            changes = {change for node in calls for change in _rewritten(scene, node, old, new)}
            groups = list(by_lines(scene.with_changes(changes)))
            for first, lines in groups:
                there = tuple(scene.lines[first : first + len(lines)])
                yield Proposal(Layer.SIGNATURE, first, there, tuple(lines), 1, len(groups), n_constant=len(lines))


def _changed(scene: Scene, edit: LineEdit) -> Iterator[tuple[_Signature, _Signature]]:
    """The functions whose signature an edit touched, before and now."""
    before = scene.before(edit)
    if before.root is None:
        return
    old = {each.name: each for each in _signatures(before.root, before.source, edit.line, edit.line + len(edit.old))}
    for new in _signatures(scene.root, scene.source, edit.line, edit.end):
        was = old.get(new.name)
        if was is not None and was != new:
            yield was, new


def _signatures(root: Node, source: bytes, first: int, end: int) -> Iterator[_Signature]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.end_point.row < first or node.start_point.row >= max(end, first + 1):
            continue
        name, parameters = node.child_by_field_name("name"), node.child_by_field_name("parameters")
        if name is not None and parameters is not None and _LISTS.search(parameters.type):
            names = [_parameter(each, source) for each in parameters.named_children if "comment" not in each.type]
            if all(each is not None for each, _ in names):
                kept = [(each, optional) for each, optional in names if each is not None and each not in SELVES]
                head = source[node.start_byte : name.start_byte]
                is_async = re.search(rb"\basync\b", head) is not None
                yield _Signature(text_of(name, source), tuple(n for n, _ in kept), tuple(o for _, o in kept), is_async)
        stack.extend(reversed(node.children))


def _parameter(node: Node, source: bytes) -> tuple[bytes | None, bool]:
    """A parameter's name, and whether it may be left out; None where it is more than a name."""
    if is_name(node):
        return text_of(node, source), False
    if "self" in node.type:
        return b"self", False
    if "splat" in node.type or "variadic" in node.type or "spread" in node.type or "rest" in node.type:
        return None, False
    found = node.child_by_field_name("name") or node.child_by_field_name("pattern")
    if found is None:
        found = next((each for each in node.named_children if is_name(each)), None)
    optional = node.child_by_field_name("value") is not None or "optional" in node.type or "default" in node.type
    return (text_of(found, source) if found is not None and is_name(found) else None), optional


def _call(node: Node) -> Node | None:
    """The arguments of a call of a name; None where it is not called."""
    if binder(node) is not None:
        return None
    below, above = node, node.parent
    for _ in range(2):
        if above is None:
            return None
        arguments = above.child_by_field_name("arguments")
        if arguments is not None and _ARGUMENTS.search(arguments.type) and arguments.start_byte >= node.end_byte:
            return arguments
        if above.children[-1] != below:  # not the last word of what is called
            return None
        below, above = above, above.parent
    return None


def _rewritten(scene: Scene, node: Node, old: _Signature, new: _Signature) -> Iterator[tuple[int, int, bytes]]:
    """What of a call changes: byte ranges, and what comes in their places."""
    arguments = _call(node)
    if arguments is None:
        return
    given = [each for each in arguments.named_children if "comment" not in each.type]
    texts = [text_of(each, scene.source) for each in given]
    keywords = [_keyword(each, scene.source) for each in given]
    wished = _arguments(scene, node, texts, keywords, old, new)
    if wished is not None and wished != texts:
        inner = b", ".join(wished)
        if given:
            end = given[-1].end_byte if wished else arguments.end_byte - 1
            yield given[0].start_byte, end, inner
        else:
            yield arguments.start_byte + 1, arguments.end_byte - 1, inner
    if new.is_async and not old.is_async and scene.tree.language in _AWAITS:
        yield from _awaited(scene, node, arguments)


def _keyword(node: Node, source: bytes) -> bytes | None:
    name = node.child_by_field_name("name") if "keyword" in node.type or "named" in node.type else None
    return text_of(name, source) if name is not None else None


def _arguments(
    scene: Scene, node: Node, texts: Sequence[bytes], keywords: Sequence[bytes | None], old: _Signature, new: _Signature
) -> list[bytes] | None:
    """The arguments as the new parameters want them; None where that cannot be told."""
    n_positional = sum(keyword is None for keyword in keywords)
    if n_positional > len(old.parameters) or any(text.startswith((b"*", b"...")) for text in texts):
        return None
    if old.parameters == new.parameters:
        return None
    by_name = dict(zip(old.parameters, texts[:n_positional], strict=False))
    renamed = _renamed(old.parameters, new.parameters)
    wished: list[bytes] = []
    left_out = False
    for name, optional in zip(new.parameters, new.optional, strict=True):
        was = renamed.get(name, name)
        if was in by_name:
            if left_out:
                return None
            wished.append(by_name[was])
        elif was in old.parameters or optional:
            left_out = True
        elif _is_seen(scene, node, name) and not left_out:
            wished.append(name)
        else:
            return None
    for text, keyword in zip(texts[n_positional:], keywords[n_positional:], strict=True):
        if keyword is None:
            return None
        now = next((name for name, was in renamed.items() if was == keyword), keyword)
        if now in new.parameters:
            wished.append(now + text[len(keyword) :])
    return wished


def _renamed(old: Sequence[bytes], new: Sequence[bytes]) -> dict[bytes, bytes]:
    """New names of parameters by place, where nothing else changed."""
    if len(old) != len(new):
        return {}
    pairs = [(other, one) for one, other in zip(old, new, strict=True) if one != other]
    return dict(pairs) if all(one not in new and other not in old for other, one in pairs) else {}


def _is_seen(scene: Scene, node: Node, name: bytes) -> bool:
    """Whether a function around a call binds a name."""
    above = node.parent
    while above is not None:
        if above.type in scene.language.definitions:
            inside = named(above, scene.source, name)
            return any(
                binder(each) is not None and above.start_byte <= each.start_byte < node.start_byte for each in inside
            )
        above = above.parent
    return False


def _awaited(scene: Scene, node: Node, arguments: Node) -> Iterator[tuple[int, int, bytes]]:
    call = arguments.parent
    if call is None or (call.parent is not None and "await" in call.parent.type):
        return
    above: Node | None = call
    while above is not None and above.type not in scene.language.definitions:
        above = above.parent
    if above is None or "class" in above.type:
        return
    if not _may_await(scene, above):
        name = above.child_by_field_name("name")
        at = name if name is not None and "method" in above.type else above
        yield at.start_byte, at.start_byte, b"async "
    chained = call.parent is not None and call.parent.children[0] == call and "." in _second(call.parent)
    yield (call.start_byte, call.start_byte, b"(await ") if chained else (call.start_byte, call.start_byte, b"await ")
    if chained:
        yield call.end_byte, call.end_byte, b")"


def _may_await(scene: Scene, function: Node) -> bool:
    """Whether a function is asynchronous."""
    return scene.source[function.start_byte : function.start_byte + 6].startswith(b"async")


def _second(node: Node) -> str:
    return node.children[1].type if node.child_count > 1 else ""
