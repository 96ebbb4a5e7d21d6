"""What the model would change after the last edits of a document. Called by `next_edit` where no rule says anything.

Rules: whoever waits for a completion goes first, in the model process too (`Priority.NEXT`). It ends when the document
changes, and after some seconds: on a machine that has other work there may never be a good moment. Of a private
document nothing is asked that nobody asked for. Its session is its own: what completions have read stays.
"""

import asyncio
import contextlib
from collections.abc import Callable

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


async def rewritten(
    ls: Midfill, uri: str, tree: SyntaxTree, edits: tuple[LineEdit, ...], line: int, is_current: Callable[[], bool]
) -> tuple[Proposal, ...]:
    """The changes that the model proposes in a document; `line` is where the user is."""
    rewriter = _rewriter(ls, uri)
    if rewriter is None or ls.privacy.is_private(uri):
        return ()
    text = tree.source.decode("utf-8", "replace")
    scene = Scene(
        path=ls.snapshots.shown_path(uri),
        language=tree.language,
        lines=tuple(each.removesuffix("\r") for each in text.split("\n")),
        edits=edits,
        line=line,
    )
    asked = asyncio.create_task(_all_of(rewriter, scene))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not asked.done() and is_current():
                await asyncio.wait({asked}, timeout=_LOOK_S)
    except TimeoutError:
        pass
    finally:
        asked.cancel()
    found: tuple[Proposal, ...] = ()
    with contextlib.suppress(asyncio.CancelledError, EngineUnavailable):
        found = await asked
    return await asyncio.to_thread(fitting, tree, found) if found and is_current() else ()


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
