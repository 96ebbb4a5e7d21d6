"""Which functions are found that have no body yet, and where they begin."""

import pytest

from completion.prompt.body import function_near, missing_body
from tests.fakes import request_at

# A `▮` marks the cursor, a `◂` the beginning that is to be found.
_MISSING = [
    ("python", 'import os\n\n◂def f(a):\n    """Say a."""\n    ▮\n\n\ndef g():\n    pass\n'),
    ("python", '◂@cache\ndef f(\n    a,\n    b,\n) -> int:\n    """Add."""\n    ▮\n'),
    (
        "python",
        'class A:\n    x = 1\n\n◂    def f(self):\n        """Say it.\n\n        At length.\n        """\n        ▮\n',
    ),
    ("javascript", "let a = 1;\n\n◂/**\n * Adds.\n */\nfunction add(a, b) {\n  ▮\n}\n"),
    ("typescript", "class A {\n◂  add(a: number): number {\n    ▮\n  }\n}\n"),
    ("java", "class A {\n  int x;\n\n◂  /** Adds. */\n  int add(int a) {\n    ▮\n  }\n}\n"),
    ("c", "#include <a.h>\n\n◂// Adds.\nint add(int a)\n{\n    ▮\n}\n"),
    ("go", "package a\n\n◂// Add adds.\nfunc Add(a int) int {\n\t▮\n}\n"),
    ("rust", "◂/// Adds.\npub fn add(a: i32) -> i32 {\n    ▮\n}\n"),
    ("ruby", "◂# Adds.\ndef add(a)\n  ▮\nend\n"),
    ("lua", "◂-- Adds.\nfunction add(a)\n  ▮\nend\n"),
]


@pytest.mark.parametrize(("language", "marked"), _MISSING)
def test_a_missing_body_and_where_its_function_begins(language: str, marked: str) -> None:
    begin = marked.index("◂")
    request = request_at(marked.replace("◂", ""), language=language)
    assert missing_body(request) == begin
    assert function_near(request) == begin


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", "class A:\n    ▮\n"),
        ("python", "def f(a):\n    for x in a:\n        ▮\n"),
        ("python", 'def f(a):\n    """Say a."""\n    b = a\n    ▮\n'),
        ("python", 'def f(a):\n    """Say a."""\n    ▮\n    return a\n'),
        ("python", "if a:\n    ▮\n"),
        ("javascript", "function f(a) {\n  if (a) {\n    ▮\n  }\n}\n"),
        ("java", "class A {\n  ▮\n}\n"),
        ("rust", "struct A {\n    ▮\n}\n"),
    ],
)
def test_other_blocks_are_no_bodies_of_functions(language: str, marked: str) -> None:
    assert missing_body(request_at(marked, language=language)) is None


def test_a_function_is_near_while_its_docstring_is_written() -> None:
    text = '◂def f(a):\n    """Say a▮'
    assert function_near(request_at(text.replace("◂", ""))) == 0
    far = "def f(a):\n" + "    a += 1\n" * 80 + "    ▮\n"
    assert function_near(request_at(far)) is None


def test_a_line_that_is_not_indented_yet_belongs_to_what_stands_right_above() -> None:
    assert function_near(request_at("def f(a):\n    b = a\n▮\n")) == 0
    assert function_near(request_at("def f(a):\n    b = a\n\n\n▮\n")) is None
