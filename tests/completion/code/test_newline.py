"""How the next line begins: its line end is that of the lines around, its indentation that of the blocks around."""

import pytest

from completion.code.newline import line_end_at, unit_at
from tests.fakes import CURSOR


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("a\r\nb\n" + "c\n" * 5 + "▮\n" + "d\n" * 5, "\n"),  # one of Windows' far away
        ("a\nb\nc\r\n▮\nd\n", "\n"),  # and near
        ("a\nb\n▮c\r\nd\ne\n", "\n"),
        ("a\n" + "c\r\n" * 5 + "▮\r\n" + "d\r\n" * 5, "\r\n"),
        ("a\r\nb\r\n▮", "\r\n"),
        ("a\r\n▮b\n", "\r\n"),  # even: the one above
        ("a\n▮b\r\n", "\n"),
        ("▮\r\na\r\n", "\r\n"),
        ("▮", "\n"),
        ("a\r\n" * 3 + "b\n" * 3 + "▮" + "c\r\n" * 9, "\n"),
    ],
)
def test_line_ends_are_those_of_the_neighbouring_lines(marked: str, expected: str) -> None:
    assert line_end_at(marked.replace(CURSOR, ""), marked.index(CURSOR)) == expected


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "def f():\n  pass\n\ndef g():▮", "  "),
        ("python", "def f():\n\tpass\n\ndef g():▮", "\t"),
        ("python", "def f(a,\n      b):▮", "    "),
        ("java", "/**\n * A.\n *   B.\n */\nclass A {\n   int a;\n}\nclass B {▮", "   "),
        ("javascript", "function f() {\n      a();\n}\nfunction g() {\n  a();\n}\nfunction h() {\n  b();\n}\n▮", "  "),
        ("go", "package a\n▮", "\t"),
        ("ruby", "▮", "  "),
        ("python", "▮", "    "),
        ("yaml", "a:\n   b: 1\nc:▮", "   "),
    ],
)
def test_a_level_is_that_of_most_blocks_around(language: str, marked: str, expected: str) -> None:
    assert unit_at(marked.replace(CURSOR, ""), marked.index(CURSOR), language) == expected
