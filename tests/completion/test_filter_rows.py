"""Rows of the filters: which of them lay a text out, and that the gate takes no such step for a fault."""

import ast
from pathlib import Path

import pytest

from completion import filters, gate
from completion.asking import Attempt, Generation
from completion.candidate import Candidate
from completion.filters import FILTERS, apply_filters
from completion.prompt import build_prompt
from completion.segments import SegmentCache
from completion.types import FilterStep, Mode
from tests.completion.acting import ACTING
from tests.fakes import LIMITS, SPEC, ByteTokenizer

_LAYOUT = {
    "trailing_blanks",
    "first_indentation",
    "level_of_below",
    "later_indentation",
    "suffix_overlap",
    "line_ends",
}
# What puts an answer into the line below its header, once it is judged.
_AFTER_THE_FILTERS = {"below_header"}


def _was_cut(name: str) -> tuple[set[str], float]:
    """The filters that changed this answer, and what the gate makes of it."""
    request, says = ACTING[name].request(), ACTING[name].says
    candidate, steps = apply_filters(says, request)
    tokenizer = ByteTokenizer()
    prompt = build_prompt(SPEC, tokenizer, SegmentCache(tokenizer), LIMITS, request, Mode.LINE)
    said = Generation(
        text=says, ids=(), logprobs=[(0, -0.1)], sure=[(0, -0.1)], stats=None, timed_out=False, complete=True
    )
    attempt = Attempt(prompt=prompt, generation=said, raw=says, candidate=candidate, steps=steps)
    return {step.name for step in steps}, gate.features(request, Mode.LINE, attempt).was_cut


@pytest.mark.parametrize("name", ACTING)
def test_an_answer_counts_as_cut_unless_it_was_only_laid_out(name: str) -> None:
    names, was_cut = _was_cut(name)
    assert name in names
    assert was_cut == float(not names <= _LAYOUT)
    assert was_cut == float(name not in _LAYOUT)


def test_each_row_has_its_example_and_each_step_its_row() -> None:
    assert {row.name for row in FILTERS} == set(ACTING)
    assert {row.name for row in FILTERS if row.is_layout} == _LAYOUT
    named = {
        keyword.value.value if isinstance(keyword.value, ast.Constant) else "a row's"
        for path in Path(filters.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == FilterStep.__name__
        for keyword in node.keywords
        if keyword.arg == "name"
    }
    assert named == {"a row's"} | _AFTER_THE_FILTERS


def test_what_changes_nothing_is_no_step() -> None:
    candidate, steps = apply_filters("a + b", ACTING["trailing_blanks"].request())
    assert (candidate, steps) == (Candidate("a + b"), ())
