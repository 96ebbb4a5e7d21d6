"""What the model writes at the likely places becomes proposals: only where the old text is doubtful, and no further."""

import asyncio

import pytest

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.layer_two import Rewriter, Scene, rewrites
from completion.prompt.segments import SegmentCache
from completion.types import Priority, RewriteForm
from tests.completion.next_edit.author import Author
from tests.fakes import SPEC, ByteTokenizer

OLD = (
    "async def fetch(name):",
    "    return await get(name)",
    "",
    "def show(name):",
    "    user = cache(name)",
    "    print(user)",
    "    return user",
)
EDIT = LineEdit(
    "a.py", 0, ("def fetch(name):", "    return cache(name)"), ("async def fetch(name):", "    return await get(name)")
)


def proposed(author: Author, lines: tuple[str, ...] = OLD, edits: tuple[LineEdit, ...] = (EDIT,)) -> list[Proposal]:
    tokenizer = ByteTokenizer()
    rewriter = Rewriter(
        engine=author,
        tokenizer=tokenizer,
        spec=SPEC,
        segments=SegmentCache(tokenizer),
        form=RewriteForm.PAIRS,
        session="next",
    )
    scene = Scene(path="a.py", language="python", lines=lines, edits=edits, line=0)

    async def all_of_them() -> list[Proposal]:
        return [proposal async for proposal in rewrites(rewriter, scene)]

    found = asyncio.run(all_of_them())
    assert author.n_open == 0
    assert author.priorities <= {Priority.NEXT}
    return found


def test_where_nothing_is_doubtful_nothing_is_generated() -> None:
    author = Author({})
    assert proposed(author) == []
    assert author.n_said == 0
    assert len(author.asked) == 1


def test_the_line_that_the_model_would_write_otherwise_is_proposed_with_how_much_it_gains() -> None:
    author = Author({"    user = cache(name)": ["    user = await get(name)"]})
    (proposal,) = proposed(author)
    assert (proposal.layer, proposal.line) == (Layer.MODEL, 4)
    assert (proposal.old, proposal.new) == (("    user = cache(name)",), ("    user = await get(name)",))
    assert proposal.gain is not None
    assert proposal.gain > 0


def test_what_the_model_would_write_without_the_edits_as_well_is_not_proposed() -> None:
    author = Author({"    user = cache(name)": ["    user = await get(name)"]}, follows_edits=False)
    assert proposed(author) == []
    assert author.n_said > 0


def test_it_ends_as_soon_as_the_text_reads_like_the_old_one_again() -> None:
    author = Author({"    user = cache(name)": ["    user = await get(name)"]})
    proposed(author)
    assert author.n_said == len("await get(name)\n    print(user)\n")


def test_several_new_lines_take_the_place_of_one() -> None:
    new = ["    user = await get(name)", "    use(user)"]
    (proposal,) = proposed(Author({"    user = cache(name)": new}))
    assert (proposal.old, proposal.new) == (("    user = cache(name)",), tuple(new))


def test_lines_may_come_in_but_none_may_only_go_or_come_from_elsewhere_in_the_region() -> None:
    (proposal,) = proposed(Author({"    print(user)": ["    await user", "    print(user)"]}))
    assert (proposal.line, proposal.old, proposal.new) == (5, (), ("    await user",))
    assert proposed(Author({"    print(user)": []})) == []
    assert proposed(Author({"    print(user)": ["    user = cache(name)", "    print(user)"]})) == []


def test_an_edit_is_not_taken_back() -> None:
    author = Author({EDIT.new[0]: [EDIT.old[0]]})
    assert proposed(author) == []


def test_nobody_is_asked_before_something_was_edited() -> None:
    author = Author({})
    assert proposed(author, edits=()) == []
    assert author.asked == []


def test_what_is_too_long_to_be_sure_of_is_given_up() -> None:
    author = Author({"    user = cache(name)": ["    x" + "y" * 300]})
    assert proposed(author) == []


@pytest.mark.parametrize("end", ["```\n", ""])
def test_what_the_model_ends_itself_ends_the_region(end: str) -> None:
    author = Author({"    return user": ["    return await user"]}, end)
    (proposal,) = proposed(author)
    assert (proposal.line, proposal.new) == (6, ("    return await user",))


def test_the_empty_line_at_the_files_end_stays_where_the_model_stops_before_it() -> None:
    lines = ("async def fetch(name):", "    return await get(name)", "def show(name):", "    return cache(name)", "")
    (proposal,) = proposed(Author({"    return cache(name)": ["    return await later(name)"], "": []}), lines)
    assert (proposal.old, proposal.new) == (("    return cache(name)",), ("    return await later(name)",))


def test_a_region_may_change_at_several_places() -> None:
    author = Author(
        {"    user = cache(name)": ["    user = await get(name)"], "    return user": ["    return await user"]}
    )
    found = proposed(author)
    assert [(each.line, each.new) for each in found] == [
        (4, ("    user = await get(name)",)),
        (6, ("    return await user",)),
    ]


def test_white_space_alone_is_no_change() -> None:
    assert proposed(Author({"    print(user)": ["    print( user )"]})) == []
