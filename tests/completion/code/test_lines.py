"""What is told from the lines around a cursor."""

from collections.abc import Sequence

import pytest

from completion.code.lines import after_cursor, before_cursor, columns, line_above, lines_below, opens_block, same_ends
from parsers.languages import BlockStyle
from tests.fakes import request_at


@pytest.mark.parametrize(
    ("marked", "before", "after", "above", "below"),
    [
        ("▮", "", "", "", []),
        ("a▮b", "a", "b", "", []),
        ("a\nb▮c\nd\n", "b", "c", "a", ["d"]),
        ("a  \n\n  \n▮\n \n  b\n\nc", "", "", "a", ["  b", "c"]),
        ("a\r\n\tb▮\r\nc\r\n", "\tb", "", "a", ["c"]),
        ("\n\n▮", "", "", "", []),
        ("😀\né▮中\n", "é", "中", "😀", []),
    ],
)
def test_lines_around_a_cursor(marked: str, before: str, after: str, above: str, below: list[str]) -> None:
    request = request_at(marked, language="plaintext")
    text, cursor = request.snapshot.text, request.cursor
    assert (before_cursor(text, cursor), after_cursor(text, cursor)) == (before, after)
    line, end = line_above(text, cursor)
    assert (line, text[end - len(line) : end]) == (above, above)
    assert list(lines_below(text, cursor)) == below


def test_a_tab_is_as_wide_as_four_columns() -> None:
    assert [columns(line) for line in ("x", "\tx", "    x", "  \tx", "\t\t", "")] == [0, 4, 4, 4, 8, 0]


@pytest.mark.parametrize(
    ("line", "style", "expected"),
    [
        ("def f():", BlockStyle.INDENT, True),
        ("undo", BlockStyle.INDENT, False),
        ("x := f(func() {  ", BlockStyle.BRACE, True),
        ("xs.map { x in", BlockStyle.BRACE, True),
        ("x = {}", BlockStyle.BRACE, False),
        ("if a:", BlockStyle.BRACE, False),
        ("local function f(a)", BlockStyle.END, True),
        ("def double(x) = x * 2;", BlockStyle.END, False),
        ("endpoint = 3", BlockStyle.END, False),
        ("Enum.map(xs, fn x ->", BlockStyle.END, True),
        ("f(function(a)", BlockStyle.END, True),
        ("anything: {", BlockStyle.NONE, False),
    ],
)
def test_headers_are_told_by_the_languages_style(line: str, style: BlockStyle, expected: bool) -> None:
    assert opens_block(line, style) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", (0, 0)),
        ("abc", "abc", (3, 0)),
        ("abc", "axc", (1, 1)),
        ("aa", "aaa", (2, 0)),  # what is the beginning is not the end, too
        ("xba", "yba", (0, 2)),
        (("x = 1", "y"), ("x = 2", "y"), (0, 1)),
    ],
)
def test_the_ends_that_two_sequences_share_are_counted_once(
    a: Sequence[str], b: Sequence[str], expected: tuple[int, int]
) -> None:
    assert same_ends(a, b) == expected
