"""Layer one of next edits: what follows from the last edits by the syntax tree alone. No model; milliseconds.

Called by `propose`, as a question to the tree, which may be in another process. Each rule is a module: `renames`,
`repeat`, `spans`, `imports`, `signatures`, `twins`.

Rules: pure. No proposal touches lines that stand in the last edit unless a rename says so; none makes the file parse
worse; of several for the same lines the first rule's stays.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from completion.next_edit import imports, renames, repeat, signatures, spans, twins
from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.evidence import Witness
from completion.next_edit.scene import Scene
from parsers.parse import SyntaxTree, question

# More of them is a matter for a refactoring, and each is parsed once.
_MAX_PROPOSALS = 12
_MAX_BYTES = 400_000
_BY_WORDS = (Layer.REPEAT, Layer.AGAIN, Layer.SPAN)


@question(is_slow=True)
def proposals(
    tree: SyntaxTree, edits: tuple[LineEdit, ...], lines: tuple[tuple[str, str], ...] = ()
) -> tuple[Proposal, ...]:
    """What may follow from the last edits (the last one last) in a file; `lines` are names and their import lines."""
    if tree.root is None or len(tree.source) > _MAX_BYTES or not edits:
        return ()
    scene = Scene(tree, edits)
    witness = Witness(scene)
    found: list[Proposal] = []
    taken: set[int] = set()
    rules: Iterator[Proposal] = chain(
        renames.renames(scene),
        signatures.signatures(scene),
        imports.unused(scene),
        imports.added(scene, dict(lines)),
        repeat.repeats(scene),
        twins.twins(scene),
        spans.spans(scene),
    )
    for proposal in rules:
        touched = set(range(proposal.line, proposal.line + len(proposal.old))) or {-1 - proposal.line}
        if taken.isdisjoint(touched) and proposal.old != proposal.new and scene.parses(proposal):
            goes_by_words = proposal.layer in _BY_WORDS
            found.append(replace(proposal, evidence=witness.of(proposal)) if goes_by_words else proposal)
            taken |= touched
        if len(found) >= _MAX_PROPOSALS:
            break
    return tuple(found)


@question(is_slow=True)
def missing_names(tree: SyntaxTree, edits: tuple[LineEdit, ...]) -> tuple[str, ...]:
    """The names that the last edits brought into a file, and that it neither binds nor imports."""
    if tree.root is None or len(tree.source) > _MAX_BYTES or not edits:
        return ()
    return tuple(imports.missing(Scene(tree, edits)))


@question(is_slow=True)
def fitting(tree: SyntaxTree, others: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Those of somebody else's proposals with which the file parses no worse."""
    if tree.root is None:
        return others
    scene = Scene(tree, ())
    return tuple(each for each in others if scene.parses(each))
