"""What the model says of the rules' proposals, and what it would change itself. Called by `next_edit`.

Rules: whoever waits for a completion goes first, in the model process too (`Priority.NEXT`). It ends when the document
changes, and after some seconds: on a machine that has other work there may never be a good moment. Of a private
document nothing is asked that nobody asked for. Its session is its own: what completions have read stays.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from completion.next_edit.edits import LineEdit, Proposal
from completion.next_edit.layer_one import fitting
from completion.next_edit.layer_two import Rewriter, Scene, rewrites
from completion.next_edit.rewriting import form_of
from completion.next_edit.second_opinion import with_opinions
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
    """The changes that the model proposes."""

    async def all_of_them(rewriter: Rewriter, scene: Scene) -> tuple[Proposal, ...]:
        return tuple([proposal async for proposal in rewrites(rewriter, scene)])

    found = await _asked(ls, question, all_of_them)
    return await asyncio.to_thread(fitting, question.tree, found) if found and question.is_current() else ()


async def with_second_opinion(ls: Midfill, question: Question, proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Proposals of rules with what the model says of them; none where it was not asked."""
    if not proposals:
        return ()
    return await _asked(ls, question, lambda rewriter, scene: with_opinions(rewriter, scene, proposals))


async def _asked(
    ls: Midfill, question: Question, ask: Callable[[Rewriter, Scene], Coroutine[Any, Any, tuple[Proposal, ...]]]
) -> tuple[Proposal, ...]:
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
    asked = asyncio.create_task(ask(rewriter, scene))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not asked.done() and question.is_current():
                await asyncio.wait({asked}, timeout=_LOOK_S)
    except TimeoutError:
        pass
    finally:
        asked.cancel()
    with contextlib.suppress(asyncio.CancelledError, EngineUnavailable):
        return await asked
    return ()


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
