"""Rule (a): a name was changed where it is bound, so its uses follow.

    LOCAL    bound in a function or block: its uses there
    RENAME   bound at the file's top level, or imported: its uses in the file
    MEMBER   bound in a type, or assigned of its own object there alone, and used of the type's own object (`self.name`,
             or alone within the type)
    FIELD    the same, of any other object, or as a key

A name that is not bound where it was changed is left to `spans`.

Rules: pure; runs where the tree is. A name that is bound elsewhere, too, is left alone: which of the two a use means is
not known. So is one whose new name was there before.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.names import (
    SELVES,
    are_kin,
    binder,
    enclosing,
    holds,
    is_assigned,
    is_constructor,
    is_key,
    is_type,
    named,
    owner,
    scope,
)
from completion.next_edit.scene import Replaced, Scene, by_lines

_IMPORT = re.compile(r"import|use_declaration|^include|using_directive")
_MAX_USES = 200
# Of two names, one of which took the place of the other where it is used (difflib's ratio).
_LIKE = 0.6
# Layers by how sure they are: lines with uses of several go by the least sure.
_ORDER = (Layer.LOCAL, Layer.RENAME, Layer.MEMBER, Layer.FIELD)


@dataclass(frozen=True, slots=True)
class Use:
    """A place at which a name is to become another: where it ends, why, and how often that was done before."""

    end: int
    new: bytes
    layer: Layer
    support: int
    is_alone: bool


def renames(scene: Scene) -> Iterator[Proposal]:
    """The uses that follow a renamed name, neighbouring lines together."""
    mappings: dict[bytes, list[tuple[Replaced, LineEdit]]] = defaultdict(list)
    for edit in scene.here:
        for replaced in scene.replaced(edit):
            mappings[replaced.old].append((replaced, edit))
    found: dict[int, Use] = {}  # by start byte
    for old, seen in mappings.items():
        if len({replaced.new for replaced, _ in seen}) == 1:
            for layer, node in _uses(scene, old, seen):
                is_alone = any(replaced.is_alone for replaced, _ in seen)
                found.setdefault(node.start_byte, Use(node.end_byte, seen[0][0].new, layer, len(seen), is_alone))
    yield from lines_of(scene, found)


def lines_of(scene: Scene, found: dict[int, Use]) -> Iterator[Proposal]:
    """The lines with names of these places changed, neighbouring lines together."""
    groups = list(by_lines(scene.with_changes((start, use.end, use.new) for start, use in found.items())))
    rows = {start: scene.row(start) for start in found}
    for first, new_lines in groups:
        used = [found[start] for start, row in rows.items() if first <= row < first + len(new_lines)]
        layer = max((use.layer for use in used), key=_ORDER.index)
        old = tuple(scene.lines[first : first + len(new_lines)])
        yield Proposal(
            layer,
            first,
            old,
            tuple(new_lines),
            min(use.support for use in used),
            len(groups),
            n_constant=len(used),
            is_alone=all(use.is_alone for use in used),
        )


def _uses(scene: Scene, old: bytes, seen: list[tuple[Replaced, LineEdit]]) -> Iterator[tuple[Layer, Node]]:
    nodes = named(scene.root, scene.source, old)
    if len(nodes) > _MAX_USES or not re.fullmatch(rb"[^\W\d][\w$]*|\$[\w$]+", seen[0][0].new):
        return
    node, binding = next(((each.node, bound) for each, _ in seen if (bound := renamed(each)) is not None), (None, None))
    if node is None and (assigned := next((each.node for each, _ in seen if _is_own(scene, each.node)), None)):
        yield from _assigned_uses(scene, assigned, nodes, seen)
        return
    if node is None or binding is None or (is_import(binding) and not _is_like(old, seen[0][0].new, len(seen))):
        return
    around = scope(node, binding, scene.language)
    is_member = (around is not None and is_type(around)) or binding.child_by_field_name("receiver") is not None
    if is_member:
        yield from _member_uses(scene, node, nodes)
        return
    inside = [use for use in nodes if around is None or holds(around, use)]
    alone = [use for use in inside if owner(use, scene.source) is None and not is_key(use)]
    others = [use for use in named(scene.root, scene.source, seen[0][0].new) if not _is_of(seen, use)]
    if any(around is None or holds(around, use) for use in others if binding_of(use) is not None):
        return
    hidden: list[Node] = []
    for use in alone:
        bound = binding_of(use)
        if bound is not None and not (is_type(binding) and holds(binding, use) and is_constructor(bound)):
            inner = scope(use, bound, scene.language)
            if inner == around:
                if around is None or use.start_byte < node.start_byte or bound.type == binding.type:
                    return
            elif inner is not None:
                hidden.append(inner)
    layer = Layer.RENAME if around is None else Layer.LOCAL
    yield from ((layer, use) for use in alone if not any(holds(inner, use) for inner in hidden))


def _member_uses(scene: Scene, node: Node, nodes: list[Node]) -> Iterator[tuple[Layer, Node]]:
    own = enclosing(node, scene.language, of_types=True)
    bound = [use for use in nodes if binding_of(use) is not None]
    members = [use for use in bound if _is_member(scene, use)]
    family = _family(scene, own, members)
    if any(enclosing(use, scene.language, of_types=True) not in family for use in members):
        return  # another type has a member of the name
    for use in nodes:
        of = owner(use, scene.source)
        is_inside = own is not None and holds(own, use)
        if of is not None:
            yield Layer.MEMBER if of in SELVES and is_inside else Layer.FIELD, use
        elif is_key(use) or use in members:
            yield Layer.FIELD, use
        elif scene.language.folder_scope and len(bound) == len(members) and any(holds(each, use) for each in family):
            yield Layer.MEMBER if is_inside else Layer.FIELD, use


def _is_own(scene: Scene, node: Node) -> bool:
    """Whether a name is given a value as a member of the type's own object."""
    return _of_self(scene, node) and is_assigned(node)


def _assigned_uses(
    scene: Scene, node: Node, nodes: list[Node], seen: list[tuple[Replaced, LineEdit]]
) -> Iterator[tuple[Layer, Node]]:
    """The uses of a member that nothing gives a value to any more, since it has another name where that was done."""
    own = enclosing(node, scene.language, of_types=True)
    uses = [use for use in nodes if _of_self(scene, use)]
    family = _family(scene, own, uses)
    uses = [use for use in uses if enclosing(use, scene.language, of_types=True) in family]
    others = [use for use in named(scene.root, scene.source, seen[0][0].new) if not _is_of(seen, use)]
    is_taken = any(enclosing(use, scene.language, of_types=True) in family for use in others if _of_self(scene, use))
    if is_taken or any(is_assigned(use) or binding_of(use) is not None for use in uses):
        return
    yield from ((Layer.MEMBER if own is not None and holds(own, use) else Layer.FIELD, use) for use in uses)


def _of_self(scene: Scene, use: Node) -> bool:
    return owner(use, scene.source) in SELVES


def _is_member(scene: Scene, use: Node) -> bool:
    inner = scope(use, binder(use) or use, scene.language)
    return inner is None or is_type(inner)


def _family(scene: Scene, own: Node | None, members: list[Node]) -> list[Node]:
    """A type and those whose heads name it or that its own names, and so on: what one renames the others override."""
    if own is None:
        return []
    others = [each for use in members if (each := enclosing(use, scene.language, of_types=True)) is not None]
    family = [own]
    for known in family:  # grows
        family += [each for each in others if each not in family and are_kin(known, each, scene.source)]
    return family


def _is_like(old: bytes, new: bytes, n_times: int) -> bool:
    """Whether a name in place of another is likely the same thing, by its sound or by how often it was done."""
    return n_times > 1 or difflib.SequenceMatcher(None, old, new, autojunk=False).ratio() >= _LIKE


def renamed(replaced: Replaced) -> Node | None:
    """What binds a name now as it did the old one; None where the two are bound by unlike things, or are only used."""
    now, was = binding_of(replaced.node), binding_of(replaced.was)
    return now if now is not None and was is not None and now.type == was.type else None


def binding_of(node: Node) -> Node | None:
    """What binds a name here; an import does, too."""
    if (bound := binder(node)) is not None:
        return bound
    above = node.parent
    for _ in range(6):
        if above is None:
            return None
        if is_import(above):
            return above
        above = above.parent
    return None


def is_import(node: Node) -> bool:
    """Whether a node imports something."""
    return _IMPORT.search(node.type) is not None


def _is_of(seen: list[tuple[Replaced, LineEdit]], use: Node) -> bool:
    return any(edit.line <= use.start_point.row < edit.end for _, edit in seen)
