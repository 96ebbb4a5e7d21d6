"""Where a renamed definition is used in other files: names that changed at a file's top level, and their uses there.

Called by the server when nothing is left to change in the file itself. Which files may hold a name says the index.

Rules: pure; runs where the trees are. A file that binds the name itself is left alone, and so is one that does not
import it, unless files of its language see each other without an import.
"""

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.names import binder, is_key, named, owner
from completion.next_edit.renames import Use, binding_of, is_import, lines_of
from completion.next_edit.scene import Scene
from parsers.languages import by_id
from parsers.parse import SyntaxTree, question


@question(is_slow=True)
def renamed(tree: SyntaxTree, edits: tuple[LineEdit, ...]) -> dict[str, str]:
    """Old names and new ones of what a file's last edits renamed at its top level."""
    if tree.root is None:
        return {}
    scene = Scene(tree, edits)
    found: dict[str, str] = {}
    for edit in scene.here:
        for each in scene.replaced(edit):
            bound = binder(each.node)
            if bound is None or bound.parent is None or bound.type not in scene.language.definitions:
                continue
            above = bound.parent
            while above.parent is not None and above.type not in scene.language.definitions:
                above = above.parent
            still = any(binder(use) is not None for use in named(scene.root, scene.source, each.old))
            if above.parent is None and not still:
                found[each.old.decode("utf-8", "replace")] = each.new.decode("utf-8", "replace")
    return found


@question(is_slow=True)
def uses(tree: SyntaxTree, old: str, new: str) -> tuple[Proposal, ...]:
    """The lines of another file in which a renamed definition is used, its import too."""
    if tree.root is None:
        return ()
    scene = Scene(tree, ())
    found = named(scene.root, scene.source, old.encode())
    bound = [(node, binding_of(node)) for node in found]
    already = [
        binding_of(node) for node in named(scene.root, scene.source, new.encode())
    ]  # its import was changed first
    is_imported = any(each is not None and is_import(each) for each in (*already, *(each for _, each in bound)))
    if any(each is not None and not is_import(each) for _, each in bound):
        return ()
    if not is_imported and not by_id(tree.language).folder_scope:
        return ()
    wanted = {
        node.start_byte: Use(node.end_byte, new.encode(), Layer.RENAME, 1, is_alone=True)
        for node, each in bound
        if each is not None or (owner(node, scene.source) is None and not is_key(node))
    }
    proposals = tuple(lines_of(scene, wanted))
    if scene.parses(*proposals):  # as nearly always: one parse for all
        return proposals
    return tuple(proposal for proposal in proposals if scene.parses(proposal))
