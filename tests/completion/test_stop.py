"""Where a generation is cut, whatever the pieces it comes in."""

import pytest

from completion.stop import find_end, finish, stop_rule
from completion.types import Mode, Trigger
from tests.fakes import request_at


def _check(
    marked: str,
    model: str,
    expected: str,
    *,
    language: str,
    mode: Mode = Mode.BLOCK,
    trigger: Trigger = Trigger.INVOKED,
) -> None:
    """The cut is the same when the text comes character by character, and no text is needed behind it."""
    rule = stop_rule(request_at(marked, language=language, trigger=trigger), mode)
    assert finish(rule, model, complete=True) == expected
    so_far = ""
    for character in model:
        so_far += character
        if find_end(rule, so_far) is not None:
            break
    complete = so_far == model
    assert finish(rule, so_far, complete=complete) == expected


def _check_line(marked: str, model: str, expected: str, trigger: Trigger = Trigger.AUTOMATIC) -> None:
    _check(marked, model, expected, language="python", mode=Mode.LINE, trigger=trigger)


def test_a_line_ends_at_its_end() -> None:
    _check_line("x = ▮", "1\ny = 2\n", "1")
    _check_line("x = ▮", "1", "1")
    _check_line("x = 1▮", "\ny = 2", "")


@pytest.mark.parametrize(
    ("marked", "model", "expected"),
    [
        ("x = 1▮", "\ny = 2\nz = 3", "\ny = 2"),
        ("x = 1▮\n", "\n\ny = 2\n\n", "\n\ny = 2"),
        ("x = ▮", "1\ny = 2\n", "1"),  # what goes on with the line ends with it
        ("x = ▮1", "\ny = 2\n", ""),
        ("    ▮", "\ny = 2\n", ""),  # the line itself is asked for
        ("x = 1▮", "\n", "\n"),
    ],
)
def test_an_invoked_line_behind_a_finished_one_is_the_one_below_it(marked: str, model: str, expected: str) -> None:
    _check_line(marked, model, expected, Trigger.INVOKED)


@pytest.mark.parametrize(
    ("marked", "model", "expected"),
    [
        ("def f(a):\n    ▮", "b = a\n\n    return b\n\n\ndef g():\n", "b = a\n\n    return b\n\n"),
        (
            "def f(a):\n    ▮",
            "if a:\n        return 1\n    return 2\nprint(f(1))\n",
            "if a:\n        return 1\n    return 2",
        ),
        ("def f(a):\n▮", "    return a\n\nf(1)\n", "    return a\n"),
        ("def f(a):▮", "\n    return a\nf(1)\n", "\n    return a"),
        ("class A:\n    def f(self):▮", "\n        return 1\n\n    def g(self):\n", "\n        return 1\n"),
        ("def f(a):\n    x = ▮", "g(a)\n    return x\nf(1)\n", "g(a)\n    return x"),
        ("▮", "def f():\n    return 1\n\n\ndef g():\n    return 2\n", "def f():\n    return 1\n\n"),
        ("def f(a):\n    ▮", "return a", "return a"),
        ("def f(a):\n    ▮", "b = a\n    return b", "b = a\n    return b"),
    ],
)
def test_a_python_body_ends_where_it_is_dedented(marked: str, model: str, expected: str) -> None:
    _check(marked, model, expected, language="python")


@pytest.mark.parametrize(
    ("marked", "model", "expected", "language"),
    [
        (
            "def f():\n    ▮\n",
            'a = """\nfrom the\n  left\n"""\n    return a\n\ndef g():\n',
            'a = """\nfrom the\n  left\n"""\n    return a\n',
            "python",
        ),
        ("function f() {\n  ▮\n}\n", "return `a\nb\n`;\n}\nlet c;\n", "return `a\nb\n`;", "javascript"),
        ("int f() {\n  ▮\n}\n", "/* a\nb */\n  return 1;\n}\nint g;\n", "/* a\nb */\n  return 1;", "c"),
        (
            "int f() {\n  ▮\n}\n",
            "#ifdef A\n  a();\n#else\n  b();\n#endif\n  return 1;\n}\nint g;\n",
            "#ifdef A\n  a();\n#else\n  b();\n#endif\n  return 1;",
            "c",
        ),
        ("<?php\nfunction f() {\n  ▮\n}\n", "a();\n# b\n", "a();", "php"),
    ],
)
def test_what_is_no_code_ends_no_block(marked: str, model: str, expected: str, language: str) -> None:
    _check(marked, model, expected, language=language)


@pytest.mark.parametrize(
    ("marked", "model", "expected", "language"),
    [
        ("int f() {\n  ▮\n}\n", "return 1;\n}\nint g() {\n", "return 1;", "c"),
        ("int f() {\n  ▮\n}\n", "return 1;\n}", "return 1;", "c"),
        ("int f() {\n  ▮", "return 1;\n}\n\nint g() {\n", "return 1;\n}", "c"),
        # The brace below closes the class, not the method.
        ("class A {\n  int f() {\n    ▮\n}\n", "return 1;\n  }\n  int g() {\n", "return 1;\n  }", "java"),
        ("class A {\n\tint f() {\n\t\t▮\n\t}\n}\n", "return 1;\n\t}\n", "return 1;", "java"),
        ("it('x', () => {\n  ▮", "run();\n});\nit(\n", "run();\n});", "javascript"),
        ("it('x', () => {\n  ▮\n});\n", "run();\n});\n", "run();", "javascript"),
        ("if (a) {\n  ▮", "f();\n} else {\n  g();\n}\n", "f();\n}", "javascript"),
        ("if (a) {\n  ▮\n} else {\n  g();\n}\n", "f();\n} else {\n  h();\n", "f();", "javascript"),
        ("void f() {\n  ▮", "g();\nfile.close();\n", "g();", "cpp"),
        ("void f() {\n  ▮", "g();\nend();\n", "g();", "cpp"),
        ("def f\n  ▮", "1\ndone = true\n", "1", "ruby"),
        ("fn f() {\r\n    ▮\r\n}\r\n", "g();\r\n}\r\n", "g();\r", "rust"),
        ("def f\n  ▮", "1\nend\n\ndef g\n", "1\nend", "ruby"),
        ("def f\n  ▮\nend\n", "1\nend\n", "1", "ruby"),
        ("if a\n  ▮\nelse\n  2\nend\n", "1\nend\n", "1", "ruby"),
        ("def f\n  ▮\nend\n", "1\nendpoint = 3\n", "1", "ruby"),
        ("for f in *; do\n  ▮", "echo\ndone\nls\n", "echo\ndone", "bash"),
        ("foo(\n    ▮", "a,\n    b,\n)\nbar()\n", "a,\n    b,\n)", "python"),
    ],
)
def test_the_line_that_closes_the_block_is_kept_when_it_is_not_there_yet(
    marked: str, model: str, expected: str, language: str
) -> None:
    _check(marked, model, expected, language=language)


def test_a_block_ends_before_it_says_the_next_line_again() -> None:
    marked = "def f(a):\n    ▮\n    return total\n"
    _check(marked, "total = sum(a)\n    return total\n", "total = sum(a)", language="python")


def test_a_short_next_line_is_no_reason_to_stop() -> None:
    marked = "def f(a):\n    ▮\n    x()\n"
    _check(marked, "x()\n    x()\n    y()\n", "x()\n    x()\n    y()\n", language="python")


def test_a_block_that_was_cut_off_keeps_its_whole_lines() -> None:
    rule = stop_rule(request_at("def f():\n    ▮"), Mode.BLOCK)
    assert finish(rule, "a = 1\n    b = 2\n    c = ", complete=False) == "a = 1\n    b = 2"
    assert finish(rule, "a = 1\n    b = 2\n    c = 3", complete=True) == "a = 1\n    b = 2\n    c = 3"


def test_a_dedented_word_stops_before_its_line_is_done() -> None:
    rule = stop_rule(request_at("def f():\n    ▮"), Mode.BLOCK)
    assert find_end(rule, "return 1\n    ") is None
    assert find_end(rule, "return 1\npri") == len("return 1")
