"""What the model says of proposals that the rules of layer one are not sure of: may turn the scale either way.

A proposal's lines, with those around them, are scored as they are and as they would be, by a model that is shown the
recent edits as texts before and after (`rewriting`), and by the same model without the edits: what is likelier only
because of them follows from them.

Called where layer one would show nothing. Rules: the only effect is the engine's. Nothing is generated; what a proposal
says stays as it is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from completion.next_edit.edits import Opinion, Proposal
from completion.next_edit.layer_two import Rewriter, Scene, after, scored, text_of
from completion.next_edit.places import Region
from completion.next_edit.rewriting import Question, prompt_for

# Lines around a proposal's that are scored with it; proposals that are looked at; the longest of them, in lines.
_LINES_AROUND, _MAX_PROPOSALS, _MAX_LINES = 2, 2, 6


async def with_opinions(rewriter: Rewriter, scene: Scene, proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The first of some proposals with what the model says of them; those that are too long are left out."""
    found: list[Proposal] = []
    for proposal in proposals:
        if max(len(proposal.old), len(proposal.new)) <= _MAX_LINES and len(found) < _MAX_PROPOSALS:
            found.append(replace(proposal, opinion=await _opinion(rewriter, scene, proposal)))
    return tuple(found)


async def _opinion(rewriter: Rewriter, scene: Scene, proposal: Proposal) -> Opinion:
    end = proposal.line + len(proposal.old)
    region = Region(max(0, proposal.line - _LINES_AROUND), min(len(scene.lines), end + _LINES_AROUND), 0.0)
    question = Question(
        path=scene.path,
        language=scene.language,
        lines=scene.lines,
        edits=scene.edits,
        region=region,
        line=scene.line,
    )
    above, below = scene.lines[region.first : proposal.line], scene.lines[end : region.end]
    texts = (text_of((*above, *proposal.old, *below)), text_of((*above, *proposal.new, *below)))
    gain = await _gain(rewriter, question, *texts)
    alone = await _gain(replace(rewriter, session=f"{rewriter.session}-alone"), replace(question, edits=()), *texts)
    return Opinion(gain, alone)


async def _gain(rewriter: Rewriter, question: Question, old: str, new: str) -> float:
    """How much likelier a region's new text is than its old one."""
    prompt = await asyncio.to_thread(prompt_for, question, rewriter.spec, rewriter.segments, rewriter.form)
    was, will = rewriter.tokenizer.encode(old), rewriter.tokenizer.encode(new)
    # What both begin with is read once.
    n = next(
        (n for n, (one, other) in enumerate(zip(was, will, strict=False)) if one != other), min(len(was), len(will))
    )
    prompt = after(prompt, was[:n])
    return sum(await scored(rewriter, prompt, will[n:])) - sum(await scored(rewriter, prompt, was[n:]))
