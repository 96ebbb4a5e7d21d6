"""Which functions are found that have no body yet, and where they begin."""

import pytest

from completion.body import function_near, missing_body, open_function
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


@pytest.mark.parametrize(
    ("language", "marked", "is_open"),
    [
        ("python", "◂def f(a):\n    b = a\n▮\n", True),
        ("python", "◂def f(a):\n    b = a\n    ▮\n\n\ndef g():\n    pass\n", True),
        ("python", "◂def f(a):\n    for b in a:\n        ret▮\n\n\nx = 1\n", True),
        ("python", "def f(a):\n    b = a\n    ▮\n    return b\n", False),
        ("python", "def f(a):\n    b = a▮ + 1\n", False),
        ("python", "def f(a):\n    b = a\n\n\n▮\n", False),
        ("python", "x = 1\n▮\n", False),
        ("javascript", "◂function f(a) {\n  let b = a;\n  ▮\n}\n", True),
        ("javascript", "function f(a) {\n  let b = a;\n  ▮\n  return b;\n}\n", False),
    ],
)
def test_a_function_is_open_where_nothing_of_it_stands_below(language: str, marked: str, is_open: bool) -> None:
    found = open_function(request_at(marked.replace("◂", ""), language=language))
    assert found == (marked.index("◂") if is_open else None)


def test_a_function_is_near_while_its_docstring_is_written() -> None:
    text = '◂def f(a):\n    """Say a▮'
    assert function_near(request_at(text.replace("◂", ""))) == 0
    far = "def f(a):\n" + "    a += 1\n" * 80 + "    ▮\n"
    assert function_near(request_at(far)) is None
