"""Complaint: "the indentation is wrong". It is right with tabs, with half of it typed, and with none."""

import pytest

from completion.candidate import Candidate
from completion.filters.chain import apply_filters
from completion.filters.indentation import first_indentation, misplaced_closer
from tests.fakes import CURSOR, request_at


def _check(marked: str, model: str, expect: str, language: str = "python") -> None:
    """`expect` is the document after the suggestion is accepted."""
    request = request_at(marked, language=language)
    candidate, _ = apply_filters(model, request)
    assert candidate.accepted(request) == expect


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        # Whole, half, none and too much of it is typed; the model goes on from there, or says it anew.
        ("def f():\n    ▮", "return 1", "def f():\n    return 1"),
        ("def f():\n  ▮", "  return 1", "def f():\n    return 1"),
        ("def f():\n▮", "    return 1", "def f():\n    return 1"),
        ("def f():\n    ▮", "    return 1", "def f():\n    return 1"),
        ("def f():\n    x = 1\n  ▮", "  return x", "def f():\n    x = 1\n    return x"),
        ("def f():\n    x = 1\n    ▮", "    return x", "def f():\n    x = 1\n    return x"),
        ("def f():\n    x = 1\n    ▮", " return x", "def f():\n    x = 1\n    return x"),
        ("def f():\n    x = 1\n▮", "     return x", "def f():\n    x = 1\n    return x"),
        ("def f():\n    if a:\n        b()\n   ▮", " return x", "def f():\n    if a:\n        b()\n    return x"),
        ("def f():\n    x = g(\n        ▮", "a,\n    )", "def f():\n    x = g(\n        a,\n    )"),
        ("x = 1\n▮", "def f():\n    return 1", "x = 1\ndef f():\n    return 1"),
    ],
)
def test_the_first_line_continues_what_is_typed(marked: str, model: str, expect: str) -> None:
    _check(marked, model, expect)


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        ("func f() {\n\tif x {\n▮", "\t\treturn 1", "func f() {\n\tif x {\n\t\treturn 1"),
        ("func f() {\n\tif x {\n\t▮", "\treturn 1", "func f() {\n\tif x {\n\t\treturn 1"),
        ("func f() {\n\tg()\n\t▮", "    return 1", "func f() {\n\tg()\n\treturn 1"),
        ("func f() {\n\tif x {\n\t▮", "    return 1", "func f() {\n\tif x {\n\t\treturn 1"),
        ("func f() {\n\tif x {\n\t\t▮", "a()\n        b()\n    }", "func f() {\n\tif x {\n\t\ta()\n\t\tb()\n\t}"),
    ],
)
def test_tabs_stay_tabs(marked: str, model: str, expect: str) -> None:
    _check(f"package a\n\n{marked}", model, f"package a\n\n{expect}", "go")


def test_a_line_that_goes_on_is_deeper_than_its_statement() -> None:
    _check("x = (a +\n▮\n", "     b)", "x = (a +\n     b)\n")


@pytest.mark.parametrize(
    ("language", "marked", "closer"),
    [
        ("javascript", "function f() {\n  g();\n  ▮\n", "}"),
        ("go", "func f() {\n\tg()\n\t▮\n", "}"),
        ("ruby", "def f\n  g\n  ▮\n", "end"),
    ],
)
def test_a_closer_at_the_indentation_of_its_body_is_not_shown(language: str, marked: str, closer: str) -> None:
    assert misplaced_closer(Candidate(closer), request_at(marked, language=language)) == Candidate("")


@pytest.mark.parametrize(
    ("language", "marked", "closer"),
    [
        ("javascript", "function f() {\n  g();\n▮\n", "}"),
        ("javascript", "function f() {\n  ▮\n", "}"),  # an empty body
        ("javascript", "f({\n  a: {\n    b: 1,\n  ▮\n", "},"),
        ("javascript", "if (a) {\n  b();\n}▮\n", "}"),
        ("ruby", "def f\n  g\n  ▮\n", "end_of_day"),
        ("python", "x = {\n    a\n    ▮\n", "}"),
    ],
)
def test_a_closer_in_its_place_is_shown(language: str, marked: str, closer: str) -> None:
    assert misplaced_closer(Candidate(closer), request_at(marked, language=language)) == Candidate(closer)


def test_what_begins_within_a_line_keeps_its_blanks() -> None:
    request = request_at(f"x ={CURSOR}\n")
    assert first_indentation(Candidate("  1"), request) == Candidate("  1")
