"""When to ask, and for how much."""

import pytest

from completion.trigger import decide
from completion.types import Mode, Trigger
from tests.fakes import request_at


def _check_mode(marked: str, language: str, expected: Mode) -> None:
    assert decide(request_at(marked, language=language)).mode is expected


def _skip(marked: str, trigger: Trigger) -> str:
    return decide(request_at(marked, trigger=trigger)).skip


@pytest.mark.parametrize(
    ("marked", "language"),
    [
        ("def f(x):\n    ▮", "python"),
        ("def f(x):\n    ▮\n\n\ndef g():\n    pass\n", "python"),
        ("if x:  # why: because\n    ▮\n", "python"),
        ("class A:\n▮\n", "python"),
        ("function f() {\n  ▮\n}\n", "javascript"),
        ("function f() {\n\t▮\n}\n", "typescript"),
        ("int main()\n{\n    ▮\n}\n", "c"),
        ("fn f() -> u8 {\r\n    ▮\r\n}\r\n", "rust"),
        ("items.forEach { item ->\n    ▮\n}\n", "kotlin"),
        ("def f(x)\n  ▮\nend\n", "ruby"),
        ("items.each do |item|\n  ▮\nend\n", "ruby"),
        ("if x > 1\n  ▮\nelse\n  2\nend\n", "ruby"),
        ("local function f(a)\n  ▮\nend\n", "lua"),
        ("if a then\n  ▮\nend\n", "lua"),
        ("for f in *; do\n  ▮\ndone\n", "bash"),
        ("main = do\n  ▮\n", "haskell"),
        ('def f(x):\n    """Words."""\n    ▮\n', "python"),
        ('def f(x):\n    """Words,\n    more words.\n    """\n▮\n\n\ndef g():\n    pass\n', "python"),
        ("def f(x):\n    # the sum\n    ▮\n", "python"),
        ("function f() {\n  // the sum\n  // of it\n  ▮\n}\n", "javascript"),
    ],
)
def test_an_empty_body_asks_for_a_block(marked: str, language: str) -> None:
    _check_mode(marked, language, Mode.BLOCK)


@pytest.mark.parametrize(
    ("marked", "language"),
    [
        ("def f(x):\n    return ▮\n", "python"),  # in a line
        ("def f(x):\n    ▮\n    return x\n", "python"),  # the body has begun
        ("x = 1\n▮\n", "python"),
        ("# a list of\n▮\n", "python"),
        ("# as follows:\n▮\n", "python"),
        ("function f() {\n  ▮\n  return 1;\n}\n", "javascript"),
        ("x = 5 if y\nputs x\n▮\n", "ruby"),
        ("if a then b() end\n▮\n", "lua"),
        ("Dear all:\n▮\n", "plaintext"),
        ("▮", "python"),
        ("func f() {\n\tswitch m {\n\t▮\n\tcase one:\n\t\treturn\n\t}\n}\n", "go"),
        ("class A {\n▮\npublic:\n  int a;\n};\n", "cpp"),
    ],
)
def test_anything_else_asks_for_a_line(marked: str, language: str) -> None:
    _check_mode(marked, language, Mode.LINE)


@pytest.mark.parametrize(
    ("marked", "language"),
    [
        ('def f(x):\n    """Do.\n\n    Args:\n        ▮\n    """\n', "python"),
        ('def f(x):\n    """Do.\n\n    Args:\n        ▮', "python"),
        ("/* as in {\n▮\n*/\n", "javascript"),
        ("const a = `{\n▮\n`;\n", "javascript"),
    ],
)
def test_comments_and_docstrings_are_completed_by_the_line(marked: str, language: str) -> None:
    _check_mode(marked, language, Mode.LINE)
    assert decide(request_at(marked, language=language, mode=Mode.BLOCK)).mode is Mode.LINE


def test_the_mode_of_the_request_wins() -> None:
    assert decide(request_at("def f():\n    ▮", mode=Mode.LINE)).mode is Mode.LINE
    assert decide(request_at("x = ▮", mode=Mode.BLOCK)).mode is Mode.BLOCK


@pytest.mark.parametrize("marked", ["foo(▮)", 'foo("▮");', "x▮", "x = ▮  \r\ny", "f(▮, b, c)"])
def test_typing_at_the_end_or_before_closers_asks(marked: str) -> None:
    assert _skip(marked, Trigger.AUTOMATIC) == ""


@pytest.mark.parametrize(
    ("marked", "reason"),
    [("fo▮o", "a word"), ("x = ▮_y", "a word"), ("x = ▮ + first + second", "more than 8 characters")],
)
def test_typing_inside_a_line_is_left_alone_unless_asked(marked: str, reason: str) -> None:
    assert reason in _skip(marked, Trigger.AUTOMATIC)
    assert _skip(marked, Trigger.INVOKED) == ""
