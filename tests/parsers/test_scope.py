"""Where the cursor is, in finished code and in code that is being typed. ▮ marks the cursor."""

import pytest

from parsers.languages import by_id
from parsers.parse import SyntaxTree, byte_offset, parse
from parsers.scope import CursorKind, cursor_kind, enclosing_definition, error_count

CODE, COMMENT, STRING = CursorKind.CODE, CursorKind.COMMENT, CursorKind.STRING


def at_cursor(language: str, marked: str) -> tuple[SyntaxTree, int]:
    text = marked.replace("▮", "", 1)
    return parse(language, text), byte_offset(text, marked.index("▮"))


def check_kind(language: str, marked: str, expected: CursorKind) -> None:
    assert cursor_kind(*at_cursor(language, marked)) is expected


def check_definition(language: str, marked: str, expected: str | None) -> None:
    """`expected` is how the text of the definition begins."""
    tree, offset = at_cursor(language, marked)
    span = enclosing_definition(tree, offset)
    if expected is None:
        assert span is None
    else:
        assert span is not None
        assert span.kind in by_id(language).definitions
        assert tree.source[span.start_byte : span.end_byte].decode().startswith(expected)


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "x = 1 ▮# foo\n", CODE),
        ("python", "x = 1 #▮ foo\n", COMMENT),
        ("python", "x = 1 # é foo▮\ny = 2\n", COMMENT),
        ("python", "# foo▮", COMMENT),
        ("python", "# foo\n▮x = 1\n", CODE),
        ("rust", "/// doc▮\nfn f() {}\n", COMMENT),
        ("rust", "/// doc\n▮fn f() {}\n", CODE),
        ("php", "<?php\n# not the usual marker▮\n", COMMENT),
        ("javascript", "▮/* a */", CODE),
        ("javascript", "/* a ▮*/", COMMENT),
        ("javascript", "/* a */▮", CODE),
        ("lua", "--[[ a ]]▮\n", CODE),
        ("css", "/* a */▮\na { }\n", CODE),
    ],
)
def test_a_line_comment_holds_its_end_and_a_block_comment_does_not(
    language: str, marked: str, expected: CursorKind
) -> None:
    check_kind(language, marked, expected)


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "x = ▮'ab'\n", CODE),
        ("python", "x = '▮ab'\n", STRING),
        ("python", "x = 'ab▮'\n", STRING),
        ("python", "x = 'ab'▮\n", CODE),
        ("python", "x = '▮'", STRING),
        ("python", "x = ''▮", CODE),
        ("python", 'def f():\n    """Doc ▮string."""\n', STRING),
        ("go", "package a\n\nvar x = `a\n▮b`\n", STRING),
        ("c", "#include <std▮io.h>\n", STRING),
        ("tsx", "const a = <b title='a▮'>{c}</b>\n", STRING),
        ("tsx", "const a = <b title='a'>{c▮}</b>\n", CODE),
    ],
)
def test_a_string_begins_behind_its_opening_quote_and_ends_before_the_closing_one(
    language: str, marked: str, expected: CursorKind
) -> None:
    check_kind(language, marked, expected)


@pytest.mark.parametrize(
    ("language", "before", "interpolation"),
    [
        ("python", 'x = f"', "{b}"),
        ("javascript", "x = `", "${b}"),
        ("typescript", "x = `", "${b}"),
        ("ruby", 'x = "', "#{b}"),
        ("elixir", 'x = "', "#{b}"),
        ("csharp", 'var s = $"', "{b}"),
        ("kotlin", 'val a = "', "${b}"),
        ("swift", 'let a = "', "\\(b)"),
        ("scala", 'object A { val a = s"', "${b}"),
        ("php", '<?php $a = "', "{$b}"),
        ("bash", 'echo "', "${b}"),
        ("bash", 'echo "', "$(b)"),
        ("dart", 'var a = "', "${b}"),
        ("julia", 'a = "', "$(b)"),
        ("hcl", 'a = "', "${b}"),
        ("nix", '{ a = "', "${b}"),
        ("powershell", '$a = "', "$(b)"),
    ],
)
def test_an_interpolation_is_code_and_the_string_around_it_is_not(
    language: str, before: str, interpolation: str
) -> None:
    tail = ("`" if "`" in before else '"') + {"nix": "; }", "scala": " }", "php": ";"}.get(language, "") + "\n"
    opener, closer = interpolation.split("b")
    check_kind(language, f"{before}x ▮{interpolation} y{tail}", STRING)
    check_kind(language, f"{before}x {opener}▮b{closer} y{tail}", CODE)
    check_kind(language, f"{before}x {opener}b▮{closer} y{tail}", CODE)
    check_kind(language, f"{before}x {interpolation}▮ y{tail}", STRING)


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "x = 'ab▮", STRING),
        ("python", "x = 'ab▮\ny = 1\n", STRING),
        ("python", "x = 'ab\ny▮ = 1\n", CODE),
        ("python", "foo('a', \"b▮\n\ndef bar():\n    pass\n", STRING),
        ("python", "foo('a', b▮\n\ndef bar():\n    pass\n", CODE),
        ("python", "'''abc\ndef ▮", STRING),
        ("javascript", "const a = 'x▮\nfoo()\n", STRING),
        ("java", 'class A {\n  void f() {\n    String s = "a▮\n  }\n}\n', STRING),
        ("c", 'int main() {\n  printf("a▮\n}\n', STRING),
        ("go", 'package a\n\nfunc f() {\n\tx := "a▮\n}\n', STRING),
        ("rust", 'fn f() { let a = "x▮\n}\n', STRING),
        ("rust", "fn f<'a>(x: &'a str, ▮", CODE),
        ("ruby", "x = 'a▮", STRING),
        ("bash", "echo 'a▮", STRING),
        ("haskell", 'x = "a▮', STRING),
        ("kotlin", 'val a = "x▮', STRING),
        ("javascript", "/*▮", COMMENT),
        ("javascript", "foo()\n/* a▮", COMMENT),
        ("javascript", "const a = '/*'\nfoo(▮", CODE),
    ],
)
def test_a_string_or_comment_still_without_its_end_is_known(language: str, marked: str, expected: CursorKind) -> None:
    check_kind(language, marked, expected)


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "class A:\n    def f(self):\n        if x:\n            ▮pass\n", "def f"),
        ("python", "class A:\n    def f(self):\n        pass\n\n    ▮\n", "class A"),
        ("python", "def f():\n    ▮\n", "def f"),
        ("python", "def f():\n    pass\n\n\n▮\n", None),
        ("typescript", "class A {\n  f(): void {\n    g(▮)\n  }\n}\n", "f(): void"),
        ("go", "package a\n\nfunc (q *Q) Pop() {\n\t▮\n}\n", "func (q *Q) Pop"),
        ("c", "int main() {\n  ▮", "int main"),
        ("rust", "impl A {\n    ▮\n}\n", "impl A"),
        ("json", '{"a": ▮1}\n', None),
        ("plaintext", "def f(): ▮\n", None),
    ],
)
def test_the_innermost_definition_around_the_cursor(language: str, marked: str, expected: str | None) -> None:
    check_definition(language, marked, expected)


@pytest.mark.parametrize(
    ("language", "text", "errors"),
    [
        ("python", "x = 1\n", 0),
        ("python", "x = (\n", 1),
        ("javascript", "function f() {\n", 1),
        ("bash", "echo 'a", 2),
        ("plaintext", "((((", 0),
    ],
)
def test_errors_are_counted_with_what_is_missing(language: str, text: str, errors: int) -> None:
    assert error_count(parse(language, text)) == errors


@pytest.mark.parametrize("language", ["python", "javascript", "ruby", "haskell", "markdown"])
def test_every_offset_of_broken_text_has_an_answer(language: str) -> None:
    tree = parse(language, 'def f(é:\n\t{ \'x """ /* \0 if (a) {\n\n    `${ #{ do |\r\n  class }) end\ud800')
    for offset in range(-1, len(tree.source) + 2):
        cursor_kind(tree, offset)
        found = enclosing_definition(tree, offset)
        assert found is None or 0 <= found.start_byte <= found.end_byte <= len(tree.source)


def test_deep_nesting_is_no_problem() -> None:
    tree = parse("json", "[" * 5_000 + "]" * 5_000)
    assert cursor_kind(tree, 4_000) is CODE
    assert error_count(tree) == 0
    assert error_count(parse("json", "[" * 5_000 + "(" + "]" * 5_000)) > 0
