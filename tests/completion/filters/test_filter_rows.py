"""Rows of the filters: each has an example in which it acts, and each step of a trace is a row's."""

import ast
from pathlib import Path

import pytest

from completion.candidate import Candidate
from completion.filters import chain
from completion.filters.chain import FILTERS, apply_filters
from completion.types import FilterStep
from tests.completion.acting import ACTING

# What puts an answer into the line below its header, once it is judged.
_AFTER_THE_FILTERS = {"below_header"}


@pytest.mark.parametrize("name", ACTING)
def test_each_filter_is_told_by_its_name_where_it_acts(name: str) -> None:
    _, steps = apply_filters(ACTING[name].says, ACTING[name].request())
    assert name in {step.name for step in steps}


def test_each_row_has_its_example_and_each_step_its_row() -> None:
    assert {row.name for row in FILTERS} == set(ACTING)
    named = {
        keyword.value.value if isinstance(keyword.value, ast.Constant) else "a row's"
        for path in Path(chain.__file__).parents[1].rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == FilterStep.__name__
        for keyword in node.keywords
        if keyword.arg == "name"
    }
    assert named == {"a row's"} | _AFTER_THE_FILTERS


def test_what_changes_nothing_is_no_step() -> None:
    candidate, steps = apply_filters("a + b", ACTING["trailing_blanks"].request())
    assert (candidate, steps) == (Candidate("a + b"), ())
