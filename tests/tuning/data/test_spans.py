"""Where training cursors stand, what was typed there, and what is below while it is."""

import random

import pytest

from parsers.parse import parse
from tuning.data.spans import BELOW, SHARES, Places, Span, below

PYTHON = '''\
import os


def area(width: int, height: int) -> int:
    """How much it is."""
    if width < 0:
        raise ValueError(width)
    result = scale(
        width * height,
        factor=os.getpid(),
    )
    return result


def scale(value, factor):
    return value * factor
'''
TYPESCRIPT = """\
import { read } from "./files";

export function load(name: string): Item[] {
  const text = read(name, "utf-8");
  for (const line of text.split("\\n")) {
    if (line) {
      items.push(parse(line));
    }
  }
  return items;
}
"""


def places(language: str, text: str) -> Places:
    return Places(text, parse(language, text))


def drawn(language: str, text: str, kind: str) -> list[tuple[Places, Span]]:
    """All different places of a kind that a thousand draws find."""
    of_file, rng = places(language, text), random.Random(1)
    found = {span for _ in range(1_000) if (span := of_file.draw(kind, rng)) is not None}
    return [(of_file, span) for span in sorted(found, key=lambda span: (span.begin, span.end))]


def truths(language: str, text: str, kind: str) -> set[str]:
    return {span.truth(of_file.text) for of_file, span in drawn(language, text, kind)}


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("typescript", TYPESCRIPT)])
@pytest.mark.parametrize("kind", [kind for kind in SHARES if kind != "nothing"])
def test_targets_end_with_their_line_or_before_what_closes(language: str, text: str, kind: str) -> None:
    for _, span in drawn(language, text, kind):
        truth, behind = span.truth(text), text[span.end : span.right]
        assert truth.strip()
        assert text[span.right : span.right + 1] in ("\n", "")
        assert not behind or behind[0] in ")]}\"'`"
        assert kind in ("statement", "block", "body") or "\n" not in truth


def test_a_whole_line_begins_behind_its_indentation() -> None:
    found = drawn("python", PYTHON, "line")
    assert "raise ValueError(width)" in {span.truth(PYTHON) for _, span in found}
    for _, span in found:
        assert not PYTHON[PYTHON.rfind("\n", 0, span.begin) + 1 : span.begin].strip()


def test_inside_of_a_line_something_stands_before_the_cursor() -> None:
    for _, span in drawn("python", PYTHON, "inside"):
        assert PYTHON[PYTHON.rfind("\n", 0, span.begin) + 1 : span.begin].strip()


def test_behind_an_opening_bracket_the_closing_one_may_stand_already() -> None:
    found = drawn("typescript", TYPESCRIPT, "bracket")
    texts = {(span.truth(TYPESCRIPT), TYPESCRIPT[span.end : span.right]) for _, span in found}
    assert ('name, "utf-8"', ");") in texts
    assert ('name, "utf-8");', "") in texts
    assert ("parse(line)", ");") in texts


def test_behind_a_dot() -> None:
    assert truths("python", PYTHON, "dot") == {"getpid(),"}


def test_statements_are_those_of_the_syntax_tree() -> None:
    found = truths("python", PYTHON, "statement")
    assert "if width < 0:\n        raise ValueError(width)" in found
    assert "result = scale(\n        width * height,\n        factor=os.getpid(),\n    )" in found
    assert "def scale(value, factor):\n    return value * factor" in found


def test_the_body_of_a_function_is_no_block_and_may_begin_below_its_docstring() -> None:
    body = PYTHON[PYTHON.index("    if width") + 4 : PYTHON.index("\n\n\ndef scale")]
    assert truths("python", PYTHON, "body") == {
        body,
        f'"""How much it is."""\n    {body}',
        "return value * factor",
    }
    assert truths("python", PYTHON, "block") == {"raise ValueError(width)"}
    assert truths("typescript", TYPESCRIPT, "block") == {
        "items.push(parse(line));",
        "if (line) {\n      items.push(parse(line));\n    }",
    }


def test_nothing_is_wanted_at_the_end_of_a_line_that_is_complete() -> None:
    found = drawn("python", PYTHON, "nothing")
    ends = {PYTHON[PYTHON.rfind("\n", 0, span.begin) + 1 : span.begin].strip() for _, span in found}
    assert {"return result", "raise ValueError(width)"} <= ends
    assert not ends & {"if width < 0:", "result = scale(", "width * height,"}


def span_at(of_file: Places, text: str) -> Span:
    begin = of_file.text.index(text)
    return Span("line", begin, begin + len(text), begin + len(text))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("complete", "\n    }\n  }\n  return items;\n}\n"),
        ("block", "\n    }\n  }\n  return items;\n}\n"),
        ("function", "\n    }\n  }\n}\n"),
        ("file", "\n    }\n  }\n}"),
        ("end", "\n"),
    ],
)
def test_what_is_not_written_yet_is_not_below_but_what_editors_close_is(how: str, expected: str) -> None:
    of_file = places("typescript", TYPESCRIPT)
    assert below(of_file, span_at(of_file, "items.push(parse(line));"), how) == expected


def test_of_a_block_that_is_not_finished_the_rest_is_gone() -> None:
    of_file = places("python", PYTHON)
    rest = below(of_file, span_at(of_file, "if width < 0:"), "block")
    assert rest == "\ndef scale(value, factor):\n    return value * factor\n"
    assert "return result" in below(of_file, span_at(of_file, "raise ValueError(width)"), "block")


def test_shares_are_shares() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    assert sum(BELOW.values()) == pytest.approx(1)
