"""What the model would change after the last edits of a document. Called by `next_edit` where no rule says anything.

Rules: whoever waits for a completion goes first, in the model process too (`Priority.NEXT`). It ends when the document
changes, and after some seconds: on a machine that has other work there may never be a good moment. Of a private
document nothing is asked that nobody asked for. Its session is its own: what completions have read stays.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from completion.next_edit.edits import LineEdit, Proposal
from completion.next_edit.layer_one import fitting
from completion.next_edit.layer_two import Rewriter, Scene, rewrites
from completion.next_edit.rewriting import form_of
from completion.types import EngineUnavailable
from lsp_server.server import Midfill
from model.link.client import Phase
from parsers.parse import SyntaxTree

# How often it is looked whether the document is still the same; how long an answer may take.
_LOOK_S, _PATIENCE_S = 0.05, 8.0


@dataclass(frozen=True, slots=True)
class Question:
    """A document after some edits, and whether it is still as it was; `line` is where the user is."""

    uri: str
    tree: SyntaxTree
    edits: tuple[LineEdit, ...]
    line: int
    is_current: Callable[[], bool]


async def rewritten(ls: Midfill, question: Question) -> tuple[Proposal, ...]:
    """The changes that the model proposes in a document."""
    rewriter = _rewriter(ls, question.uri)
    if rewriter is None or ls.privacy.is_private(question.uri):
        return ()
    text = question.tree.source.decode("utf-8", "replace")
    scene = Scene(
        path=ls.snapshots.shown_path(question.uri),
        language=question.tree.language,
        lines=tuple(each.removesuffix("\r") for each in text.split("\n")),
        edits=question.edits,
        line=question.line,
    )
    asked = asyncio.create_task(_all_of(rewriter, scene))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not asked.done() and question.is_current():
                await asyncio.wait({asked}, timeout=_LOOK_S)
    except TimeoutError:
        pass
    finally:
        asked.cancel()
    await asyncio.wait({asked})
    if asked.cancelled():
        return ()
    try:
        found = asked.result()
    except EngineUnavailable:
        return ()
    return await asyncio.to_thread(fitting, question.tree, found) if found and question.is_current() else ()


async def _all_of(rewriter: Rewriter, scene: Scene) -> tuple[Proposal, ...]:
    return tuple([proposal async for proposal in rewrites(rewriter, scene)])


def _rewriter(ls: Midfill, uri: str) -> Rewriter | None:
    """The model as it may be asked; None where there is none, or nothing is to be computed ahead."""
    deps, form = ls.engine.deps(), None
    if deps is None or ls.engine.state.phase is not Phase.READY or ls.config.daemon.idle == "never":
        return None
    if (form := form_of(deps.spec)) is None:
        return None
    return Rewriter(
        engine=deps.engine,
        tokenizer=deps.tokenizer,
        spec=deps.spec,
        segments=deps.segments,
        form=form,
        session=f"{ls.session_of(uri)}#next",
    )
