"""Layer one of next edits: what follows from the last edits by the syntax tree alone. No model; milliseconds.

Called by `propose`, as a question to the tree, which may be in another process. Each rule is a module: `renames`,
`repeat`, `spans`, `imports`, `signatures`, `twins`.

Rules: pure. No proposal touches lines that stand in the last edit unless a rename says so; none makes the file parse
worse; of several for the same lines the first rule's stays.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, tee

from completion.next_edit import imports, renames, repeat, signatures, spans, twins
from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.evidence import Witness
from completion.next_edit.scene import Scene
from parsers.parse import SyntaxTree, question

# More of them is a matter for a refactoring, and each is parsed once.
_MAX_PROPOSALS = 12
_MAX_BYTES = 400_000
# Of an edit, that are looked up in the index.
MAX_NAMES = 4
_BY_WORDS = (Layer.REPEAT, Layer.AGAIN, Layer.SPAN)


@dataclass(frozen=True, slots=True)
class Look:
    """What may follow from the last edits by the tree alone, and the names of them that want an import."""

    proposals: tuple[Proposal, ...] = ()
    missing: tuple[str, ...] = ()


def proposals(
    tree: SyntaxTree, edits: tuple[LineEdit, ...], lines: tuple[tuple[str, str], ...] = ()
) -> tuple[Proposal, ...]:
    """What may follow from the last edits (the last one last) in a file; `lines` are names and their import lines."""
    return with_imports(tree, edits, looked(tree, edits).proposals, lines)


@question(is_slow=True)
def looked(tree: SyntaxTree, edits: tuple[LineEdit, ...]) -> Look:
    """What may follow, but for imports, which want the index: whoever has it asks for them (`with_imports`)."""
    if not _is_looked_into(tree, edits):
        return Look()
    scene = Scene(tree, edits)
    witness = Witness(scene)
    rules: Iterator[Proposal] = chain(
        renames.renames(scene),
        signatures.signatures(scene),
        imports.unused(scene),
        repeat.repeats(scene),
        twins.twins(scene),
        spans.spans(scene),
    )
    found = tuple(
        replace(each, evidence=witness.of(each)) if each.layer in _BY_WORDS else each for each in _apart(scene, rules)
    )
    return Look(found, tuple(islice(imports.missing(scene), MAX_NAMES)))


def with_imports(
    tree: SyntaxTree,
    edits: tuple[LineEdit, ...],
    found: tuple[Proposal, ...],
    lines: tuple[tuple[str, str], ...],
) -> tuple[Proposal, ...]:
    """Proposals, and the import lines of names, where no other is for the same lines."""
    return (*found, *_imported(tree, edits, lines, tuple(each.line for each in found))) if lines else found


@question(is_slow=True)
def _imported(
    tree: SyntaxTree, edits: tuple[LineEdit, ...], lines: tuple[tuple[str, str], ...], but: tuple[int, ...]
) -> tuple[Proposal, ...]:
    if not _is_looked_into(tree, edits):
        return ()
    scene = Scene(tree, edits)
    return tuple(each for each in _apart(scene, imports.added(scene, dict(lines))) if each.line not in but)


def _is_looked_into(tree: SyntaxTree, edits: tuple[LineEdit, ...]) -> bool:
    return tree.root is not None and len(tree.source) <= _MAX_BYTES and bool(edits)


def _apart(scene: Scene, rules: Iterable[Proposal]) -> list[Proposal]:
    """The first of them for any line, with which the file parses no worse."""
    once, again = tee(rules)
    together = list(_firsts(once, lambda proposal: True))
    if not together or scene.parses(*together):  # as nearly always: one parse for all
        return together
    return list(_firsts(again, scene.parses))


def _firsts(rules: Iterable[Proposal], fits: Callable[[Proposal], bool]) -> Iterator[Proposal]:
    """The first for any line that fits."""
    taken: set[int] = set()
    n_found = 0
    for proposal in rules:
        touched = set(range(proposal.line, proposal.line + len(proposal.old))) or {-1 - proposal.line}
        if taken.isdisjoint(touched) and proposal.old != proposal.new and fits(proposal):
            yield proposal
            taken |= touched
            n_found += 1
        if n_found >= _MAX_PROPOSALS:
            return


@question(is_slow=True)
def fitting(tree: SyntaxTree, others: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Those of somebody else's proposals with which the file parses no worse."""
    if tree.root is None:
        return others
    scene = Scene(tree, ())
    return tuple(each for each in others if scene.parses(each))
