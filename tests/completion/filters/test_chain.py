"""Golden cases: bad outputs of small models, and what is made of them."""

import pytest

from completion.filters.chain import FILTERS, apply_filters
from tests.fakes import CURSOR, request_at


def _check(marked: str, *, model: str, expect: str, language: str = "python") -> None:
    """`expect` is the document after the suggestion is accepted, the cursor at the suggestion's end."""
    request = request_at(marked, language=language)
    candidate, _ = apply_filters(model, request)
    text, cursor = request.snapshot.text, request.cursor
    assert text[:cursor] + candidate.text + CURSOR + text[cursor + candidate.replace_right :] == expect


def _check_unchanged(marked: str, *, model: str, language: str = "python") -> None:
    candidate, changed = apply_filters(model, request_at(marked, language=language))
    assert (candidate.text, candidate.replace_right, changed) == (model, 0, ())


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        ("foo(▮)\n", "bar)", "foo(bar)▮\n"),
        ("foo(bar(▮))\n", "x))", "foo(bar(x))▮\n"),
        ("foo(bar(▮))\n", "x)", "foo(bar(x)▮)\n"),
        ("foo(▮);\n", "x);", "foo(x);▮\n"),
        ("foo(▮);\n", "x)", "foo(x)▮;\n"),
        ("y = f(▮) + 1\n", "x) + 1;", "y = f(x) + 1;▮\n"),
        ('print("▮")\n', 'hello")', 'print("hello")▮\n'),
        ('print("▮")\n', 'hello"', 'print("hello"▮)\n'),
        ('print("▮")\n', 'hello", file)', 'print("hello", file)▮\n'),
        ("if (a▮) {\n", " > 0) {", "if (a > 0) {▮\n"),
        ("x = [▮]\n", "1, 2]", "x = [1, 2]▮\n"),
        ("f(▮, b)\n", "a, b)", "f(a, b)▮\n"),
        ("run(() => {▮})\n", "\n  go();\n})", "run(() => {\n  go();\n})▮\n"),
        ("foo(▮)\n", "bar(1)", "foo(bar(1)▮)\n"),
        ("foo(▮)\r\n", "bar)", "foo(bar)▮\r\n"),
    ],
)
def test_closers_that_are_there_already_are_not_doubled(marked: str, model: str, expect: str) -> None:
    _check(marked, model=model, expect=expect, language="javascript")


def test_a_suggestion_may_go_on_behind_the_closers() -> None:
    _check("def f(▮)\n", model="self):", expect="def f(self):▮\n")
    _check('"""▮"""\n', model='Say hello."""\nprint()', expect='"""Say hello."""\nprint()▮\n')


@pytest.mark.parametrize(
    ("marked", "model"),
    [
        ("x = 1\n▮\ny = 2\nz = 3\n", "y = 2"),
        ("x = 1\n▮\ny = 2\nz = 3\n", "y = 2\nz = 3"),
        ("x = 1\ny ▮\n\ny = 2\n", "= 2"),
        ("int f() {\n  g();\n▮\n}\n", "}"),
        ("x = ▮\n", "  \n\n  "),
        ("x = ▮\n", ""),
    ],
)
def test_what_follows_anyway_is_not_suggested(marked: str, model: str) -> None:
    _check(marked, model=model, expect=marked)


def test_a_brace_at_another_indentation_is_not_what_follows() -> None:
    _check(
        "class A {\n  int f() {\n    g();\n  ▮\n}\n",
        model="}",
        expect="class A {\n  int f() {\n    g();\n  }▮\n}\n",
        language="java",
    )


def test_blanks_at_the_end_are_dropped() -> None:
    _check("def f(a, b):\n    return ▮\n", model="a + b  \n\n\n", expect="def f(a, b):\n    return a + b▮\n")


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        ("▮", "print(1)\nprint(1)\nprint(1)\nprint(1)", "print(1)▮"),
        ("    ▮", "a()\n    b()\n    b()\n    b()\n", "    a()\n    b()▮"),
        ("    x = ▮", "1\n    x = 1\n    x = 1", "    x = 1▮"),
        ("x▮", "\n\n\n\n\ny", "x\n\n\n\n\ny▮"),
    ],
)
def test_a_loop_is_cut_after_its_first_round(marked: str, model: str, expect: str) -> None:
    _check(marked, model=model, expect=expect, language="plaintext")


def test_closing_braces_one_below_the_other_are_not_a_loop() -> None:
    opened = "function f() {\n  for (;;) {\n    for (;;) {\n      for (;;) {\n        "
    _check_unchanged(f"{opened}▮", model="x();\n      }\n    }\n  }\n}", language="javascript")


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        ("def f():\n    ▮", "    return 1", "def f():\n    return 1▮"),
        ("def f():\n    x = 1\n    ▮", "    return x", "def f():\n    x = 1\n    return x▮"),
        ("\tif x {\n\t\t▮", "\t\treturn 1", "\tif x {\n\t\treturn 1▮"),
        ("    if x:\n    ▮", "    return 1", "    if x:\n        return 1▮"),  # belongs deeper
        ("f(\n▮", "    a,", "f(\n    a,▮"),
    ],
)
def test_an_indentation_that_is_typed_is_not_said_again(marked: str, model: str, expect: str) -> None:
    _check(marked, model=model, expect=expect)


@pytest.mark.parametrize(
    ("marked", "model", "expect"),
    [
        # A tab document, a model that indents with four and with two spaces.
        (
            "func f() {\n\tif x {\n\t\t▮",
            "a()\n        b()\n    }\n}",
            "func f() {\n\tif x {\n\t\ta()\n\t\tb()\n\t}\n}▮",
        ),
        ("func f() {\n\tif x {\n\t\t▮", "a()\n    b()\n  }", "func f() {\n\tif x {\n\t\ta()\n\t\tb()\n\t}▮"),
        # A document of two spaces, a model that indents with tabs.
        (
            "function f() {\n  if (x) {\n    ▮",
            "a();\n\t\tb();\n\t}",
            "function f() {\n  if (x) {\n    a();\n    b();\n  }▮",
        ),
        ("all: a\n\tcc a.c\nb: ▮", "c\n\tcc b.c", "all: a\n\tcc a.c\nb: c\n\tcc b.c▮"),
    ],
)
def test_later_lines_are_indented_as_the_document_is(marked: str, model: str, expect: str) -> None:
    _check(marked, model=model, expect=expect, language="plaintext")


def test_a_document_without_indentation_takes_the_models() -> None:
    _check_unchanged("▮", model="def f():\n\treturn 1")


def test_line_ends_are_the_documents() -> None:
    _check("a\r\n▮", model="b\nc\r\nd", expect="a\r\nb\r\nc\r\nd▮")
    _check("a\n▮", model="b\r\nc", expect="a\nb\nc▮")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_block_is_as_whole_with_windows_line_ends(end: str) -> None:
    before, block, after = "def f():", "    a = (1,\n        2)\n    return a", "x = f()"
    _check(
        f"{before}{end}    ▮{end}{after}{end}",
        model=block.lstrip(),
        expect=f"{before}{end}{block.replace(chr(10), end)}▮{end}{after}{end}",
    )


def test_two_rows_of_a_table_are_no_loop() -> None:
    rows = "{ type: 'a' },\n  { type: 'b' },\n  { type: 'a' },\n  { type: 'b' },"
    _check_unchanged("const x = [\n  ▮\n];\n", model=rows, language="javascript")
    _check(
        "const x = [\n  ▮\n];\n",
        model=f"{rows}\n  {{ type: 'a' }},\n  {{ type: 'b' }},",
        expect="const x = [\n  { type: 'a' },\n  { type: 'b' },▮\n];\n",
        language="javascript",
    )


def test_good_outputs_are_left_alone() -> None:
    _check_unchanged("def f(a, b):\n    return ▮\n", model="a + b")
    _check_unchanged("print(▮)\n", model='"(", x[0]')
    _check_unchanged("fn f() {\n    ▮\n}\n", model="let x = 1;\n    x + 1", language="rust")
    _check_unchanged("s = '😀▮'\n", model="é中")


def test_the_filters_that_changed_something_are_named() -> None:
    _, steps = apply_filters("bar)  ", request_at("foo(▮)\n"))
    assert [(step.name, step.before, step.after) for step in steps] == [
        ("trailing_blanks", "bar)  ", "bar)"),
        ("suffix_overlap", "bar)", "bar)"),  # replaces what stands right of the cursor
    ]


def test_every_filter_takes_an_empty_text() -> None:
    candidate, changed = apply_filters("", request_at("foo(▮)\n"))
    assert (candidate.text, changed) == ("", ())
    assert len({row.name for row in FILTERS}) == len(FILTERS)


_BELOW = '    """\n    return w * h\n'


@pytest.mark.parametrize(
    ("marked", "model", "expect", "language"),
    [
        (
            f'def f(w, h):\n    """Area ▮\n{_BELOW}',
            'of it."""',
            f'def f(w, h):\n    """Area of it.▮\n{_BELOW}',
            "python",
        ),
        ("/**\n * Area ▮\n */\nint f() {}\n", "of it. */", "/**\n * Area of it.▮\n */\nint f() {}\n", "c"),
        ('"""Area ▮"""\n', 'of it."""', '"""Area of it."""▮\n', "python"),  # closed in this line
        ('"""Area ▮\n', 'of it."""', '"""Area of it."""▮\n', "python"),  # closed nowhere
        ('x = 1\n▮\n"""Words."""\n', '"""Area."""', 'x = 1\n"""Area."""▮\n"""Words."""\n', "python"),
        ("/* a */\n▮\n/* b */\nint f;\n", "int g; /* c */", "/* a */\nint g; /* c */▮\n/* b */\nint f;\n", "c"),
        ("/* Area ▮\nint f; /* b */\n", "of it. */", "/* Area of it. */▮\nint f; /* b */\n", "c"),
    ],
)
def test_what_is_closed_below_is_not_closed_before(marked: str, model: str, expect: str, language: str) -> None:
    _check(marked, model=model, expect=expect, language=language)
