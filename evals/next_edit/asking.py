"""The model as next edits ask it, at a situation. Used by `suite`.

Rules: the engine, the places, the prompts and the parse check are the product's. Without a model nothing is proposed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from completion.next_edit.edits import Proposal
from completion.next_edit.layer_one import fitting
from completion.next_edit.layer_two import Rewriter, Scene, rewrites
from completion.next_edit.places import regions
from completion.next_edit.rewriting import form_of
from completion.prompt.segments import SegmentCache
from completion.types import Priority, RewriteForm
from evals.engines import open_subject
from evals.next_edit.situations import Situation
from evals.report import EvalError
from parsers.parse import SyntaxTree

FORMS = ("auto", *(form.value for form in RewriteForm))


@dataclass(frozen=True, slots=True)
class Author:
    """A model, or none."""

    rewriter: Rewriter | None = None

    def n_regions(self, situation: Situation) -> int:
        """How many places it is asked about; 0 where there is no model."""
        return 0 if self.rewriter is None else len(regions(situation.lines, situation.edits, situation.cursor))

    async def proposals(self, situation: Situation, tree: SyntaxTree) -> tuple[Proposal, ...]:
        """What it would change."""
        if self.rewriter is None:
            return ()
        found = tuple([proposal async for proposal in rewrites(self.rewriter, scene_of(situation))])
        return fitting(tree, found)


def scene_of(situation: Situation) -> Scene:
    """A situation as layer two takes it."""
    return Scene(
        path=situation.path,
        language=situation.language,
        lines=situation.lines,
        edits=situation.edits,
        line=situation.cursor,
    )


@asynccontextmanager
async def open_author(model: str | None, form: str) -> AsyncIterator[Author]:
    """A model by name, None for none, and one of FORMS. EvalError where it cannot be had."""
    if model is None:
        yield Author()
        return
    async with open_subject("midfill", model, "auto") as subject:
        chosen = form_of(subject.spec) if form == "auto" else RewriteForm(form)
        if chosen is None:
            raise EvalError(f"{subject.model} has no token for files: it cannot be asked for next edits")
        yield Author(
            Rewriter(
                engine=subject.engine,
                tokenizer=subject.tokenizer,
                spec=subject.spec,
                segments=SegmentCache(subject.tokenizer),
                form=chosen,
                session="next-edit",
                priority=Priority.INTERACTIVE,  # nobody else waits
            )
        )
