"""Training examples of next edits: the product's prompts, and regions as the commit left them."""

import random
from array import array
from dataclasses import replace

from completion.next_edit.edits import LineEdit
from completion.next_edit.places import Region
from completion.next_edit.rewriting import Question, prompt_for
from completion.prompt.segments import SegmentCache
from completion.types import PromptSpec, RewriteForm
from evals.next_edit.examples import Maker, balanced, histories, n_needed, nearest_last, rewritten
from evals.next_edit.repositories import REPOSITORIES
from evals.next_edit.situations import Situation
from tests.fakes import SPEC, ByteTokenizer
from tuning.data.examples import Example
from tuning.data.sources import sources

_LINES = (
    "def send(messages):",
    "    publish(messages)",
    "",
    "def later(message):",
    "    queue(message)",
    "",
    "send(message)",
    "done()",
)
_EDIT = LineEdit("a.py", 0, ("def send(message):",), ("def send(messages):",))
_NEXT = LineEdit("a.py", 6, ("send(message)",), ("send(messages)",))


def _situation(*wanted: LineEdit) -> Situation:
    return Situation(
        id="one", source="repo", path="a.py", language="python", lines=_LINES, edits=(_EDIT,), wanted=wanted, cursor=0
    )


def _maker(seed: int = 2) -> Maker:
    tokenizer = ByteTokenizer()
    return Maker(SPEC, tokenizer, SegmentCache(tokenizer), random.Random(seed))


def test_a_region_is_written_as_the_commit_left_it() -> None:
    region = Region(5, 8, 0.0)
    assert rewritten(_situation(_NEXT), region) == ["", "send(messages)", "done()"]
    assert rewritten(_situation(), region) == ["", "send(message)", "done()"]
    more = LineEdit("a.py", 7, (), ("again()", "again()"))
    gone = LineEdit("a.py", 5, ("",), ())
    assert rewritten(_situation(_NEXT, more, gone), region) == ["send(messages)", "again()", "again()", "done()"]


def test_an_edit_that_reaches_beyond_it_makes_no_example() -> None:
    wide = LineEdit("a.py", 4, _LINES[4:7], ("pass",))
    assert rewritten(_situation(wide), Region(5, 8, 0.0)) is None
    assert rewritten(_situation(wide), Region(0, 3, 0.0)) == list(_LINES[:3])


def test_a_change_is_written_and_two_lines_behind_it_and_the_end_where_it_is_there() -> None:
    old = ["a", "b", "c", "d", "e"]
    assert n_needed(old, ["A", "b", "c", "d", "e"]) == 3
    assert n_needed(old, ["a", "b", "c", "d", "E"]) == 5
    assert n_needed(old, ["a", "b", "c", "new", "d", "e"]) == 6
    assert n_needed(old, old) == 5


def test_the_nearest_edit_is_the_last() -> None:
    edits = tuple(LineEdit("a.py", line, (), ("x",)) for line in (5, 0, 7))
    situation = replace(_situation(_NEXT), edits=edits)
    assert [edit.line for edit in nearest_last(situation, _NEXT).edits] == [0, 5, 7]


def test_an_example_is_the_products_prompt_and_says_the_change_up_to_the_end_or_two_lines_more() -> None:
    examples = list(_maker().examples(_situation(_NEXT)))
    example = next(each for each in examples if each.kind == "change" and "send(messages)" in each.truth)
    said = bytes(token for token in example.ids[example.target :] if token < 256).decode()
    assert "send(messages)\n" in said
    assert example.ids[-1] == SPEC.stop_token_ids[0]
    assert len(examples) == 2
    prompts = [_prompt(Region(first, end, 0.0), SPEC) for first in range(8) for end in range(first, 9)]
    assert array("I", example.ids[: example.target]) in prompts


def test_a_line_that_is_half_typed_is_written_to_its_end() -> None:
    situation = replace(_situation(), edits=(replace(_EDIT, old=("def put():",)),))
    found = [each for n in range(20) for each in _maker(n).examples(situation) if each.kind == "change"]
    assert found
    for example in found:
        asked = bytes(token for token in example.ids[: example.target] if token < 256).decode()
        *_, region = asked.split("original:\n")
        assert "def send(messages):\n" not in region
        assert "def send(messages):\n" in example.truth


def _prompt(region: Region, spec: PromptSpec) -> "array[int]":
    question = Question(path="a.py", language="python", lines=_LINES, edits=(_EDIT,), region=region, line=0)
    return prompt_for(question, spec, SegmentCache(ByteTokenizer()), RewriteForm.PAIRS).token_ids


def test_where_nothing_follows_the_region_stays() -> None:
    typed = replace(
        _situation(), edits=(replace(_EDIT, old=("def send(message", "s):")),)
    )  # of two lines: none is half
    examples = list(_maker().examples(typed))
    assert [example.kind for example in examples] == ["quiet"] * len(examples) != []


def _example(number: int, kind: str) -> Example:
    return Example(ids=(number,), target=0, language="python", kind=kind, source="r", has_snippets=False, truth="")


def test_of_the_quiet_ones_there_are_fewer() -> None:
    change = [_example(n, "change") for n in range(4)]
    quiet = [_example(n + 10, "quiet") for n in range(40)]
    mixed = balanced([*change, *change, *quiet], random.Random(1))
    assert sum(example.kind == "change" for example in mixed) == 4
    assert sum(example.kind == "quiet" for example in mixed) == 1


def test_nothing_that_is_scored_on_is_trained_on() -> None:
    scored = {each.spec.partition("==")[0] for each in REPOSITORIES}
    trained = {each.spec.partition("==")[0] for each in histories(sources())}
    assert trained
    assert not trained & scored
    assert not {row.name for row in sources() if row.heldout} & trained
