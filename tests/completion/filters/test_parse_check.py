"""Complaint: "what I accept breaks my file". An accepted suggestion adds no parse error."""

import pytest

from completion.candidate import Candidate
from completion.code.unfinished import endings
from completion.filters.parse_check import errors, least_errors, parse_check
from parsers.languages import BlockStyle
from parsers.parse import parse
from tests.fakes import request_at

_SAMPLE_LINES = 2_000


def _kept(marked: str, text: str, language: str) -> str:
    request = request_at(marked, language=language)
    kept = parse_check(Candidate(text), request)
    assert text.startswith(kept.text)
    return kept.text


@pytest.mark.parametrize(
    ("language", "marked", "text", "closers"),
    [
        # The whole answer of the 1.5B to HumanEval/145.
        (
            "python",
            "def f(a):\n    ▮\n",
            "return sorted(a, key=lambda x: (sum(map(int, str(abs(x)))), a.index(x))",
            ")",
        ),
        ("python", "def f(a):\n    ▮\n", "a = [b(1)\n    return a", ""),  # the open one is not at the end
        ("python", "def f(a):\n    ▮\n", "return [a, (a + 1", ")]"),
        ("python", "def f(a):\n    return g(▮\n", "a, [1", ""),  # one line: more may be typed
        ("javascript", "function f() {\n  ▮\n}\n", "for (const a of b) {\n    g([a]);\n", "}"),
        ("javascript", "function f() {\n  ▮\n}\n", "return g(", ""),
    ],
)
def test_a_block_is_given_the_brackets_that_it_left_open(language: str, marked: str, text: str, closers: str) -> None:
    request = request_at(marked, language=language)
    kept = parse_check(Candidate(text), request).text
    assert kept.removeprefix(text) == closers if closers else text.startswith(kept)


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        ("python", "x = ▮\n", "foo(bar))"),
        ("python", "x = ▮\n", "foo bar baz"),
        ("python", "x = 1\n▮\n", "= 5"),
        ("python", "x = ▮\n", "'abc"),
        ("javascript", "function f() {\n  ▮\n}\n", "}"),
        ("java", "class A {\n  void f() {\n    ▮\n  }\n}\n", "int = 5;"),
        ("go", "package a\n\nfunc f() {\n\t▮\n}\n", "x := := 1"),
        ("rust", "fn f() {\n    ▮\n}\n", "let let x = 1;"),
        ("c", "int f(void) {\n  ▮\n}\n", "return return 1;"),
        ("typescript", "const a = ▮\n", '"abc'),
        ("ruby", "def f\n  ▮\nend\n", "x = = 1"),
    ],
)
def test_what_is_wrong_is_not_shown(language: str, marked: str, text: str) -> None:
    before = errors(request_at(marked, language=language).snapshot.tree.root)
    kept = _kept(marked, text, language)
    assert kept != text
    request = request_at(marked, language=language)
    accepted = parse(language, Candidate(kept).accepted(request))
    assert errors(accepted.root) <= before


@pytest.mark.parametrize(
    ("language", "marked", "text", "expected"),
    [
        ("python", "x = ▮\n", "foo(bar))", "foo(bar)"),
        ("javascript", "const a = ▮\n", "[1, 2]];", "[1, 2]"),
        ("python", "def f():\n    ▮\n", "a = 1\n    b = = 2\n    c = 3", "a = 1"),
        ("java", "class A {\n  void f() {\n    ▮\n  }\n}\n", "g();\n    h();\n  }\n  }", "g();\n    h();"),
        ("javascript", "function f() {\n  if (a) {\n    ▮", "g();\n    h(((", "g();"),  # what the user opened is open
        # As it comes out of a generation that ran out of tokens: what is cut does not end in a header.
        ("python", "def f():\n    ▮\n", "a = 1\n    if a:\n        b = ((", "a = 1"),
    ],
)
def test_the_longest_clean_beginning_is_kept(language: str, marked: str, text: str, expected: str) -> None:
    assert _kept(marked, text, language) == expected


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        # What ends in the middle of a construct is unfinished, not wrong.
        ("python", "▮\n", "if x:"),
        ("python", "▮\n", "x = foo("),
        ("python", "▮\n", "@decorator(a)"),
        ("python", "▮\n", "try:"),
        ("python", "def f():\n    ▮\n", "for x in range(3):"),
        ("javascript", "function f() {\n  ▮\n}\n", "if (a) {"),
        ("javascript", "function f() {\n  ▮\n}\n", "items.map((x) => {"),
        ("javascript", "▮\n", "const a = `first"),
        ("java", "class A {\n  ▮\n}\n", "@Override"),
        ("java", "class A {\n  ▮\n}\n", "public void f() {"),
        ("go", "package a\n\n▮\n", "func f() error {"),
        ("rust", "▮\n", "impl Foo for Bar {"),
        ("c", "▮\n", "int main(void) {"),
        ("c", "▮\n", "#ifdef DEBUG"),
        ("ruby", "▮\n", "def f(a)"),
        ("lua", "▮\n", "if x then"),
        ("typescript", "▮\n", "export type A<"),
        ("typescript", "▮\n", "import {"),
        # Whoever types has broken the line already, and perhaps the file.
        ("python", "x = foo(a, ▮\n", "b"),
        ("python", "def f(:\n    pass\n\nx = ▮\n", "1"),
        ("javascript", "function f() {\n  g(a, ▮\n", "b"),
        ("javascript", "function f() {\n  if (a) {\n    ▮\n", "return 1;"),
        ("java", "class A {\n  void f() {\n    ▮\n", "g();"),
        ("rust", "fn f( {\n}\n\nfn g() {\n    ▮\n}\n", "let x = 1;"),
        # Nothing to go by.
        ("plaintext", "▮\n", "= )"),
        ("markdown", "▮\n", "a [b"),
    ],
)
def test_what_is_only_unfinished_is_shown(language: str, marked: str, text: str) -> None:
    assert _kept(marked, text, language) == text


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        # The half line is an error, and would hide another one.
        ("python", "x = ▮\n", "1 2"),
        ("go", "package a\n\nfunc f() {\n\tx := ▮\n}\n", "1 2"),
        # So would an error elsewhere in the file.
        ("javascript", "let let = ;\n\nfunction g() {\n  ▮\n}\n", "return }"),
    ],
)
def test_errors_that_were_there_do_not_excuse_new_ones(language: str, marked: str, text: str) -> None:
    assert _kept(marked, text, language) != text


def test_among_lines_that_do_not_parse_a_like_one_is_shown() -> None:
    """A list of macros is no C to the grammar, and all C files have them."""
    table = "typedef enum {\n#define OP(name, in, out) name,\n  OP(A, 1, 2)\n▮\n  OP(C, 1, 2)\n#undef OP\n} opcode;\n"
    assert errors(request_at(table, language="c").snapshot.tree.root) > 0
    assert _kept(table, "  OP(B, 2, 3)", "c") == "  OP(B, 2, 3)"


def test_where_nothing_parses_a_bracket_alone_is_not_shown() -> None:
    broken = "super(\n  ▮\n    gas ? `(${gas}) ` : ''\n  }for the block.`,\n  { cause },\n)\n"
    assert _kept(broken, "[", "typescript") == ""
    assert _kept(broken, "`gas ${", "typescript") == "`gas ${"


def test_a_half_line_is_judged_by_what_would_finish_it() -> None:
    request = request_at("x = foo(a, ▮\n")
    assert errors(request.snapshot.tree.root) > 0
    finishing = list(endings(request.snapshot.tree, request.cursor, BlockStyle.INDENT))
    assert least_errors(request.snapshot.tree, request.cursor, finishing, 0)[0] == 0


def test_the_text_that_is_replaced_counts() -> None:
    request = request_at("foo(▮)\n")
    assert parse_check(Candidate("a)", 1), request) == Candidate("a)", 1)
    assert parse_check(Candidate("a)", 0), request) == Candidate("a", 0)


def test_a_shorter_suggestion_replaces_what_it_still_says_itself() -> None:
    assert parse_check(Candidate("a)]", 0), request_at("foo(▮)\n")) == Candidate("a)", 1)


def test_a_large_document_with_many_errors_is_answered() -> None:
    text = "class A {\n" + "  int = = f(;\n" * _SAMPLE_LINES
    assert _kept(text + "  ▮\n}\n", "int g() { return 1; }", "java") == "int g() { return 1; }"
