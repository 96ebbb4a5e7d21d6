"""What the text around a line says of it: what cannot stand there, and what the lines below need."""

from dataclasses import replace

import pytest

from completion.candidate import Candidate
from completion.ranking.surroundings import ending, fits, is_unfinished, misfits, missing_names, n_bound, openings
from completion.types import CompletionRequest, Trigger
from tests.fakes import request_at


def _at(marked: str) -> CompletionRequest:
    is_script = "function" in marked or "switch" in marked
    return request_at(marked, language="javascript" if is_script else "python", trigger=Trigger.INVOKED)


_BODY = "def f(a):\n    x = 1\n▮\n    return x\n"


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (_BODY, "    # the sum of it"),
        (_BODY, "    return a"),  # what follows would be dead
        (_BODY, "def main():"),  # takes the last line out of its function
        (_BODY, "# Test cases"),
        ('def f(a):\n    """Words."""\n▮\n', "def f(a):"),
        ("def f(a):\n▮\n    return a\n", "def g(a):"),
        ("for x in y:\n    if x:\n        ▮\n        go(x)\n", "continue"),
        ("function f() {\n  ▮\n  go()\n}\n", "// what it is for"),
        ('def f(a):\n    """Words."""\n▮\n', "def main():"),  # f would do nothing
        ("def f(a):\n    b = 0\n▮\n        b = 1\n    return b\n", "    return b"),  # what is below would be too deep
        ("for x in y:\n    if x:\n        ▮\n        breakfast(x)\n", "continue"),
    ],
)
def test_what_cannot_well_stand_there(marked: str, text: str) -> None:
    assert misfits(Candidate(text), _at(marked))


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (_BODY, "    x += a"),
        (_BODY, "    if x:"),
        ("def f(a):\n    for x in a:\n        if x:\n            break\n▮\n        go(x)\n", "    else:"),
        ("def f(a):\n    if a:\n▮\n    return 0\n", "        return 1"),
        ("def f(a):\n    if a:\n▮\n    else:\n        b()\n", "        return 1"),
        ("class A:\n    def f(self):\n        go()\n\n▮\n        return 1\n    def h(self): ...\n", "        x = 2"),
        ("class A:\n    def f(self):\n        go()\n\n▮\n\n    def h(self): ...\n", "    def g(self):"),
        ("def f():\n    go()\n\n▮\n\ndef h(): ...\n", "def g():"),
        ("switch (x) {\n  case 1:\n    ▮\n  case 2:\n}\n", "return 1"),
        ("switch (x) {\n  case 1:\n    ▮\n    break\n}\n", "return 1"),
        ("def f(a):\n    ▮\n", "return a"),
        ('class Wrong(Exception):\n    """Words."""\n▮\n', "def main():"),
        ('def f():\n    x = [1,\n         2]\n▮\n         "b"]\n    return y\n', '    y = ["a",'),
        ('def f():\n    x = ["a",\n▮\n         "c"]\n', '      "b",'),
        ("def f():\n    x = [1,\n         2]\n▮\n    return x\n", "    x = 3"),
        ("def f(a):\n    b = 0\n▮\n        b = 1\n    return b\n", "    if a:"),
        ("def f(a):\n    b = a\n▮\n        # words\n    return a\n", "    a += 1"),
        ("def f(a):\n    b = a\n▮\n            - 1\n    return a\n", "    a = 1 \\"),
    ],
)
def test_what_can(marked: str, text: str) -> None:
    assert not misfits(Candidate(text), _at(marked))


_ENDS = 'def f(a):\n    """Words:\n  and more\n    """\n    b = a\n▮\n\ndef g(): ...\n'


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (_ENDS, "    if a:"),  # nothing would stand in it
        (_ENDS, "    c, d = a, b"),  # nobody reads it
        (_ENDS, "    c: int = a"),
        (_BODY, "    for x in a:"),
        ("def f(a):\n    if a:\n        return 1\n▮\n", "    else:"),
        ("function f() {\n  ▮\n}\n", "if (x) {"),
    ],
)
def test_what_leaves_finished_code_unfinished(marked: str, text: str) -> None:
    asked = _at(marked)
    assert is_unfinished(Candidate(text), asked)
    assert not fits(Candidate(text), asked)
    # A user who types will go on.
    assert fits(Candidate(text), replace(asked, trigger=Trigger.AUTOMATIC))


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (_ENDS, "    return b"),
        (_ENDS, "    a.b = 1"),
        (_ENDS, "    a[0] = 1"),
        (_ENDS, "    a == b"),
        (_ENDS, "    b = [\n        1]"),
        (_BODY, "    x = 2"),
        ("def f(a):\n    for b in a:\n        go()\n▮\n", "        c = b"),  # the next round may
        ("def f(a):\n    b = 0\n▮\n        b = 1\n    return b\n", "    if a:"),
        ("class A:\n    b = 0\n▮\n", "    c = 1"),
        ("b = 0\n▮\n", "c = 1"),
        ("function f() {\n  ▮\n    g()\n  }\n}\n", "if (x) {"),
    ],
)
def test_what_does_not(marked: str, text: str) -> None:
    assert not is_unfinished(Candidate(text), _at(marked))


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (_ENDS, ["    return"]),
        ("def f(a):\n    for b in a:\n        go()\n▮\n", ["    return", "        return"]),
        ("def f(a):\n    if a:\n        return 1\n▮\n", ["    return"]),  # nothing stands behind a jump
        ("def f(a):\n    for b in a:\n        if b:\n            return 1\n▮\n    return 2\n", ["        return"]),
        ("def f(a):\n▮\n", []),
        ("▮\n", []),
        ("def f(a):\n    b = a\n  ▮\n", ["  return"]),
        ("def f(a):\n    b = a\n    ret▮\n", []),
        ("function f(a) {\n  const b = a\n▮\n}\n", ["  return"]),
    ],
)
def test_what_a_line_may_begin_with_where_nothing_fits(marked: str, expected: list[str]) -> None:
    assert openings(_at(marked), []) == expected


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (_ENDS, ["    return"]),
        ("def f(a):\n    for b in a:\n        go()\n▮\n", ["    return"]),
        ("def f(a):\n    for b in a:\n        go()\n▮\n    return b\n", []),
        ("b = 0\n▮\n", []),
    ],
)
def test_what_ends_a_function(marked: str, expected: list[str]) -> None:
    assert ending(request_at(marked)) == expected


@pytest.mark.parametrize(
    ("marked", "found", "expected"),
    [
        ("def f(a):\n    b = a\n▮\n        b = 1\n    return b\n", "    return a", ["    if", "    for"]),
        ("def f(a):\n    b = a\n    ▮\n        b = 1\n    return b\n", "return a", ["if", "for"]),
        (
            "def f(a):\n    for b in a:\n        go()\n▮\n        b = 1\n    return b\n",
            "    return a",
            ["    if", "    for"],
        ),
        ("def f(a):\n    b = a\n▮\n        b = 1\n    return b\n", "    while a:", []),
        ("def f(a):\n▮\n    b = 1\n    return b\n", "", []),
        ("def f(a):\n    b = a\n    ret▮\n        b = 1\n    return b\n", "urn a", []),
    ],
)
def test_what_is_below_may_want_a_header(marked: str, found: str, expected: list[str]) -> None:
    assert openings(request_at(marked), [Candidate(found)]) == expected


@pytest.mark.parametrize(
    ("marked", "names"),
    [
        ("def f(a):\n▮\n    for x in a:\n        total += x\n    return total\n", ["total"]),
        ("def f(a):\n▮\n        if x > y:\n            return x\n    return a\n", ["x", "y"]),
        ("def f(a):\n▮\n    y = [i for i in a]\n    return y\n", []),
        ("def f(a):\n    '''The total.'''\n▮\n    total = a + total\n    return total\n", ["total"]),
        ("def f(a):\n▮\n    return len(a) + a.size + g(a)\n", []),
        ("def f(a):\n▮\n    print('some words', a)\n", []),
        ("def f(a):\n▮\n    return a\n\ndef g(b):\n    return c\n", []),
        ("def f(a):\n▮\n    with open(a) as file:\n        return file\n", []),
    ],
)
def test_names_that_the_lines_below_need(marked: str, names: list[str]) -> None:
    assert list(missing_names(request_at(marked))) == names


def test_what_a_line_may_begin_with_to_define_them() -> None:
    marked = "def f(a):\n▮\n        if x > y:\n            return x\n"
    assert openings(request_at(marked), []) == [
        "        x, y =",
        "        x =",
        "        for x, y in",
        "        for x in",
    ]
    assert openings(request_at(marked.replace("▮", "    ▮")), []) == [
        "    x, y =",
        "    x =",
        "    for x, y in",
        "    for x in",
    ]
    assert openings(request_at(marked.replace("▮", "    z▮")), []) == []
    assert openings(request_at("func f() {\n\t▮\n\treturn x\n}\n", language="go"), []) == ["x :="]
    assert openings(request_at("int f() {\n  ▮\n  return x;\n}\n", language="c"), []) == []


def test_above_a_deeper_block_its_header_is_missing() -> None:
    marked = "def f(a):\n    y = 0\n▮\n        y += x\n    return y\n"
    assert openings(request_at(marked), []) == ["    x =", "    for x in"]


def test_the_last_line_of_a_function_returns_when_nothing_else_fits() -> None:
    marked = "def f(a):\n    b = a\n▮\n\ndef g(): ...\n"
    comment, code = Candidate("    # the sum"), Candidate("    b += 1")
    assert openings(request_at(marked), [comment]) == ["    return"]
    assert openings(request_at(marked), [comment, code]) == []
    assert openings(request_at(marked.replace("\n\ndef g", "\n    c()\n\ndef g")), [comment]) == []


def test_a_keyword_of_another_language_is_a_name() -> None:
    marked = "def f(a):\n▮\n    while begin < end:\n        switch = go(begin, end)\n    return then\n"
    assert list(missing_names(request_at(marked))) == ["begin", "end", "then"]


def test_a_function_that_is_called_is_missing_where_the_file_has_none() -> None:
    marked = "def f(a):\n▮\n    return go(a) + main(a) + len(a)\n\ndef main(x): ...\n"
    assert list(missing_names(request_at(marked), called=True)) == ["go"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    n = len(a)", True),
        ("    n, m = a", True),
        ("    for n in a:", True),
        ("    def n(x):", True),
        ("    def m(n):", False),
        ("    m = n", False),
        ("    print(n)", False),
        ("    n += 1", False),
        ("    nn = 1", False),
    ],
)
def test_a_line_that_binds_a_name(text: str, expected: bool) -> None:
    assert bool(n_bound(Candidate(text), request_at("def f(a):\n▮\n    go(n)\n"), {"n"})) is expected


@pytest.mark.parametrize(
    ("text", "n"),
    [("    def f(s):", 2), ("    for s in a:", 1), ("    f, s = a", 2), ("    s = s", 0), ("    go()", 0)],
)
def test_every_name_that_a_line_binds_counts(text: str, n: int) -> None:
    request = request_at("def g(a):\n▮\n        return s\n    return f(a)\n")
    assert n_bound(Candidate(text), request, set(missing_names(request, called=True)) | {"f", "s"}) == n
