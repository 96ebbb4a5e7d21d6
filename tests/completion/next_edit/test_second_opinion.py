"""What the model says of a rule's proposal: how much likelier it is than the old lines, with the edits and without."""

import asyncio
from collections.abc import AsyncIterator

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.judge import features, probability, unsure
from completion.next_edit.layer_two import Rewriter, Scene
from completion.next_edit.second_opinion import with_opinions
from completion.prompt.segments import SegmentCache
from completion.types import Delta, Priority, Prompt, RewriteForm
from tests.fakes import SPEC, ByteTokenizer

LINES = ("load_all(1)", "x = 2", "y = 3", "load(4)", "z = 5")
EDIT = LineEdit("a.py", 0, ("load(1)",), ("load_all(1)",))
PROPOSAL = Proposal(Layer.NAME, 3, ("load(4)",), ("load_all(4)",))


class Reader:
    """An engine that finds what an edit in the prompt brought in likelier than what it took away."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.prompts.append(prompt)
        told = bytes(token for token in prompt.token_ids if token < 256).count(b"updated:\n") > 1
        is_new = bytes(prompt.target).startswith(b"_all")
        yield Delta(token_ids=prompt.target, logprobs=(-0.1 if is_new == told else -1.0,) * len(prompt.target))


def asked(proposals: list[Proposal]) -> tuple[tuple[Proposal, ...], Reader]:
    tokenizer, reader = ByteTokenizer(), Reader()
    rewriter = Rewriter(
        engine=reader,
        tokenizer=tokenizer,
        spec=SPEC,
        segments=SegmentCache(tokenizer),
        form=RewriteForm.PAIRS,
        session="next",
    )
    scene = Scene(path="a.py", language="python", lines=LINES, edits=(EDIT,), line=0)
    return asyncio.run(with_opinions(rewriter, scene, proposals)), reader


def test_a_proposal_is_compared_with_the_old_lines_with_the_edits_and_without() -> None:
    ((proposal,), reader) = asked([PROPOSAL])
    opinion = proposal.opinion
    assert opinion is not None
    assert opinion.gain > 0 > opinion.gain_alone
    assert len(reader.prompts) == 4
    # What both texts begin with is part of the prompt, and not scored.
    assert all(bytes(prompt.target).startswith((b"_all(4)", b"(4)")) for prompt in reader.prompts)


def test_what_is_long_is_not_asked_about_and_of_many_only_the_first() -> None:
    long = Proposal(Layer.NAME, 0, LINES, tuple(f"{line} " for line in LINES) * 2)
    found, _ = asked([long, PROPOSAL, PROPOSAL, PROPOSAL])
    assert [each.layer for each in found] == [Layer.NAME] * 2
    assert all(each.new == PROPOSAL.new for each in found)


def test_what_is_hopeless_is_not_asked_about_and_the_likeliest_comes_first() -> None:
    sure, less = Proposal(Layer.REPEAT, 1, ("a",), ("b",), 3), Proposal(Layer.REPEAT, 2, ("a",), ("b",))
    hopeless = Proposal(Layer.IMPORT, 900, (), ("import x",), n_places=9)
    assert probability(features(hopeless, (EDIT,), 0)) < 0.15
    assert unsure([hopeless, less, sure], (EDIT,), 0) == (sure, less)
