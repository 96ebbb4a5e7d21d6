"""Outlines: one sample of every language against what it should give, then signatures, parents and odd text."""

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.languages import LANGUAGES, Language
from parsers.outline import Import, Outline, Symbol, imports_of, outline, scope_at
from parsers.outline_matches import Found
from parsers.outline_matches import find as find_matches
from parsers.parse import parse
from parsers.query_files import QUERY_FOLDER, compiled_query
from tests.parsers.expected_outlines import EXPECTED

SAMPLES = {path.stem: path for path in (Path(__file__).parent / "samples").iterdir()}
# Languages without a word for it, or whose files are data: everything else imports and refers to names.
NO_IMPORTS = {"sql", "graphql", "dockerfile", "json", "yaml", "toml", "markdown"}
NO_REFERENCES = {"css", "dockerfile", "json", "yaml", "toml", "markdown", "html", "scss", "vue", "svelte"}


def outline_of(language: str, text: str) -> Outline:
    return outline(parse(language, text))


def find(found: Outline, name: str) -> Symbol:
    return next(symbol for symbol in found.symbols if symbol.name == name)


def qualified(found: Outline, symbol: Symbol) -> str:
    parent = "" if symbol.parent is None else f"{qualified(found, found.symbols[symbol.parent])} > "
    return parent + symbol.name


def spelled(imported: Import) -> str:
    name = f" : {imported.name}" if imported.name else ""
    return imported.path + name + (f" as {imported.alias}" if imported.alias else "")


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.id)
def test_the_outline_of_a_real_sample(row: Language) -> None:
    found = outline_of(row.id, SAMPLES[row.id].read_text())
    symbols, imports, references = EXPECTED[row.id]
    assert "; ".join(f"{symbol.kind} {qualified(found, symbol)}" for symbol in found.symbols) == symbols
    assert "; ".join(map(spelled, found.imports)) == imports
    assert "; ".join(dict.fromkeys(f"{use.kind} {use.name}" for use in found.references)) == references


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.id)
def test_a_symbols_lines_hold_its_name_and_lie_in_its_parents(row: Language) -> None:
    text = SAMPLES[row.id].read_text()
    lines = text.splitlines()
    found = outline_of(row.id, text)
    for symbol in found.symbols:
        own = "\n".join(lines[symbol.first_line : symbol.last_line + 1])
        assert all(part in own for part in symbol.name.split("."))
        assert symbol.signature
        parent = found.symbols[symbol.parent] if symbol.parent is not None else None
        assert parent is None or parent.first_line <= symbol.first_line <= symbol.last_line <= parent.last_line
    for use in found.references:
        assert use.name in lines[use.line]


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.id)
def test_every_language_has_an_outline_and_code_has_imports_and_references(row: Language) -> None:
    assert compiled_query(row.id) is not None
    symbols, imports, references = EXPECTED[row.id]
    assert symbols
    assert bool(imports) != (row.id in NO_IMPORTS)
    assert bool(references) or row.id in NO_REFERENCES


def test_every_query_file_belongs_to_a_language() -> None:
    used = {name for row in LANGUAGES for name in row.queries}
    assert {path.stem for path in QUERY_FOLDER.iterdir() if path.suffix == ".scm"} == used
    assert set(EXPECTED) == {row.id for row in LANGUAGES}


@pytest.mark.parametrize(
    ("language", "text", "name", "signature"),
    [
        ("python", "class A:\n    @x\n    # why\n    @y(1)\n    def f(self):\n        pass\n", "f",
         "@x\n# why\n@y(1)\ndef f(self):"),
        ("python", "class A:\n    def f(\n        self,\n        b=1,  # é\n    ):\n        # c\n        pass\n", "f",
         "def f(\n    self,\n    b=1,  # é\n):"),
        ("python", "class A(B, metaclass=M):\n    x = 1\n", "A", "class A(B, metaclass=M):"),
        ("python", "TABLE = [\n    1,\n    2,\n]\n", "TABLE", "TABLE = [\n    1,\n    2,\n]"),
        ("typescript", "@C({})\nexport class A<T> extends B {\n}\n", "A", "@C({})\nexport class A<T> extends B"),
        ("typescript", "class A {\n  @Host() @Other()\n  f(a: string): void { }\n}\n", "f",
         "@Host() @Other()\nf(a: string): void"),
        ("javascript", "export const f = async (a) => {\n  g();\n};\n", "f", "export const f = async (a) =>"),
        ("java", "class A {\n  @Override\n  int f(int a)\n      throws E {\n    return a;\n  }\n}\n", "f",
         "@Override\nint f(int a)\n    throws E"),
        ("rust", "#[inline]\n#[must_use]\npub fn f<T>(a: T) -> u8\nwhere\n    T: X,\n{\n    1\n}\n", "f",
         "#[inline]\n#[must_use]\npub fn f<T>(a: T) -> u8\nwhere\n    T: X,"),
        ("rust", "#[a] struct P { x: i32 }\n", "P", "#[a] struct P"),
        ("cpp", "template <class T>\nT largest(T a) { return a; }\n", "largest", "template <class T>\nT largest(T a)"),
        ("go", "package a\n\nfunc (s *Sq) Area(a int) (b int, err error) {\n}\n", "Area",
         "func (s *Sq) Area(a int) (b int, err error)"),
        ("ruby", "def f(a,\n      b)\n  a\nend\n", "f", "def f(a,\n      b)"),
        ("kotlin", "fun f(a: Int) = a + 1\n", "f", "fun f(a: Int)"),
        ("haskell", "f :: Int -> Int\nf 0 = 1\nf a = a\n", "f", "f :: Int -> Int"),
        ("elixir", "defmodule A do\n  @spec f(any) :: any\n  def f(a) do\n    a\n  end\nend\n", "f",
         "@spec f(any) :: any\ndef f(a)"),
    ],
)  # fmt: skip
def test_a_signature_is_what_stands_before_the_body(language: str, text: str, name: str, signature: str) -> None:
    assert find(outline_of(language, text), name).signature == signature


def test_a_long_table_is_cut_and_a_long_parameter_list_is_not() -> None:
    table = find(outline_of("python", "T = [" + "'é', " * 500 + "]\n"), "T").signature
    assert len(table) <= 300
    assert table.startswith("T = ['é', 'é'")
    parameters = "".join(f"\n    parameter_{n}: int," for n in range(30))
    assert find(outline_of("python", f"def f({parameters}\n):\n    pass\n"), "f").signature.endswith("29: int,\n):")


@pytest.mark.parametrize(
    ("language", "text", "name", "lines"),
    [
        ("python", "x = 1  # trailing\n@d\ndef f():\n    pass\n\n\ny = 1\n", "f", (1, 3)),
        ("python", "import a\n\n# one\n# two\ndef f(): pass\n", "f", (2, 4)),
        ("python", "# header\n\ndef f(): pass\n", "f", (2, 2)),
        ("java", "class A {\n  /**\n   * Doc.\n   */\n  @X\n  void f() { }\n}\n", "f", (1, 5)),
        ("rust", "/// Doc.\n#[inline]\n// why\nfn f() {}\nfn g() {}\n", "f", (0, 3)),
        ("rust", "/// Doc.\nfn f() {}\nfn g() {}\n", "g", (2, 2)),
        ("go", "package a\n\n// F does.\nfunc F() {\n}\n", "F", (2, 4)),
        ("haskell", "f :: Int\nf = 1\n\ng = 2\n", "f", (0, 1)),
        ("dart", "int f() {\n  return 1;\n}\n", "f", (0, 2)),
    ],
)
def test_lines_begin_at_decorators_and_a_comment_directly_above(
    language: str, text: str, name: str, lines: tuple[int, int]
) -> None:
    symbol = find(outline_of(language, text), name)
    assert (symbol.first_line, symbol.last_line) == lines


@pytest.mark.parametrize(
    ("language", "text", "bases"),
    [
        ("python", "class A(B, c.D, E[int], F.G[int], metaclass=M): pass\n", ("B", "D", "E", "G")),
        ("java", "class A extends B<C> implements D, e.F<G> { }\n", ("B", "D")),
        ("typescript", "class A extends b.B<C> implements D, E<F> { }\n", ("B", "D", "E")),
        ("typescript", "interface A extends B, C<D> { }\n", ("B", "C")),
        ("cpp", "struct A : public B<C>, d::E { };\n", ("B", "E")),
        ("csharp", "class A : B, C<D>, E.F { }\n", ("B", "C", "F")),
        ("go", "package p\n\ntype A struct {\n\tB\n\t*c.D\n\te int\n}\n", ("B", "D")),
        ("rust", "impl<T> fmt::Display for A<T> { }\n", ("Display",)),
        ("ruby", "class A < B::C\n  include D\n  def f; end\nend\n", ("C", "D")),
        ("php", "<?php class A extends B implements C, \\D\\E { use F; }\n", ("B", "C", "E", "F")),
        ("swift", "class A: B, C.D { }\n", ("B", "D")),
        ("kotlin", "class A : B<C>(1), D\n", ("B", "D")),
        ("scala", "class A extends B[C] with D\n", ("B", "D")),
        ("typescript", "type A<T> = B<T> & (C & { x: T }) & ns.D & Partial<E<T>>\n", ("B", "D", "Partial", "E")),
    ],
)
def test_bases_are_last_names_without_arguments(language: str, text: str, bases: tuple[str, ...]) -> None:
    assert find(outline_of(language, text), "A").bases == bases


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("python", "a = 1\ndef f(p):\n    b = 1\n    def g():\n        c = 2\nh = lambda q: q\na = 2\n", "a f g h"),
        ("python", "class A:\n    x = 1\n    def f(self):\n        self.y = 2\n        z = 3\n", "A x f y"),
        ("python", "try:\n    a = 1\nexcept E:\n    a = None\n", "a"),
        ("javascript", "if (a) { const b = 1; }\nfor (const c of d) { }\ne(() => { let f = 1; });\nlet g;\n", "g"),
        ("java", "class A { int x; { int y; } void f() { int z; Runnable r = () -> { int q; }; } }\n", "A x f"),
        ("c", "int a; int f(int p) { int b; int g(int); struct s { int m; }; return b; }\n", "a f s m"),
        ("go", "package p\n\nvar a = 1\n\nfunc f() {\n\tvar b = 2\n}\n\nvar d = func() { var e int }\n", "a f d"),
        ("rust", "const A: u8 = 1;\nfn f() { let b = 1; const C: u8 = 2; fn g() {} }\n", "A f g"),
        ("kotlin", "class A { init { val b = 1 }\n val c: Int get() { val d = 1; return d } }\n", "A c"),
        ("swift", "struct A { var b: Int { let c = 1; return c }\n func d() { let e = 1 } }\n", "A b d"),
        ("lua", "local a = 1\nif a then local b = 2 end\nfunction f() local c = 3; d = 4 end\n", "a f"),
        ("ruby", "A = 1\ndef f\n  b = 2\nend\n[1].each { |c| d = c }\ne = 3\n", "A f e"),
        ("bash", "a=1\nb=2 make\nf() { local c=3; d=4; }\n", "a f"),
    ],
)  # fmt: skip
def test_local_variables_are_no_symbols(language: str, text: str, names: str) -> None:
    assert " ".join(symbol.name for symbol in outline_of(language, text).symbols) == names


@pytest.mark.parametrize(
    ("language", "text", "imports"),
    [
        ("python", "import a.b, c as d\n", "a.b; c as d"),
        ("python", "from ..a.b import (\n    c as d,\n    e,\n)\nfrom . import f\nfrom g import *\n",
         "..a.b : c as d; ..a.b : e; . : f; g"),
        ("typescript", "import D, { a as b, c } from './x'\nimport * as n from \"y\"\nimport 'z'\nexport * from './w'",
         "./x as D; ./x : a as b; ./x : c; y as n; z; ./w"),
        ("javascript", "const m = require('a');\nconst { b } = require('c');\nimport('d');\n", "a as m; c : b; d"),
        ("java", "import java.util.*;\nimport static a.B.c;\n", "java.util; a.B.c : c"),
        ("rust", "use a::b::{self, c as d, e::{F, g}, h::I};\nuse super::*;\nuse x;\nmod y;\n",
         "a::b : self; a::b : c as d; a::b::e : F; a::b::e : g; a::b::h : I; super; x; y"),
        ("go", "package p\n\nimport (\n\tm \"a/b\"\n\t_ \"c\"\n)\n", "a/b as m; c as _"),
        ("php", "<?php use A\\B as C; use D\\{E, F as G};\n", "A\\B : B as C; D : E; D : F as G"),
        ("csharp", "using A.B;\nusing C = D.E;\n", "A.B; D.E as C"),
        ("kotlin", "import a.B\nimport a.C as D\nimport e.*\n", "a.B : B; a.C : C as D; e"),
        ("solidity", "import {A, B as C} from \"./x.sol\";\n", "./x.sol : A; ./x.sol : B as C"),
    ],
)  # fmt: skip
def test_imports_are_split_into_path_name_and_alias(language: str, text: str, imports: str) -> None:
    assert "; ".join(map(spelled, outline_of(language, text).imports)) == imports


def test_columns_are_bytes_and_names_are_text() -> None:
    text = 'ü = "😀"\n\nclass Größe:\n    größe: "é" = "😀"; b = 1\n\n    def maß(self, straße="ß"): return f(ü)\n'
    found = outline_of("python", text)
    assert [symbol.name for symbol in found.symbols] == ["ü", "Größe", "größe", "b", "maß"]
    assert [symbol.signature for symbol in found.symbols][2:] == [
        'größe: "é" = "😀"', "b = 1", 'def maß(self, straße="ß"):',
    ]  # fmt: skip
    assert [(use.name, use.line) for use in found.references] == [("f", 5)]


def test_the_script_of_a_page_is_outlined_on_the_lines_of_the_page() -> None:
    found = outline_of(
        "vue", "<template/>\n\n<script lang='ts'>\nimport A from 'a'\nfunction f(b: T) {\n}\n</script>\n"
    )
    assert (find(found, "f").first_line, find(found, "f").last_line) == (4, 5)
    assert [imported.line for imported in found.imports] == [3]


def test_the_scope_at_a_line_is_what_is_around_it_innermost_first() -> None:
    found = outline_of(
        "python", "x = 1\nclass A:\n    def f(self):\n        def g():\n            pass\n        pass\n\ny = 2\n"
    )
    assert [symbol.name for symbol in scope_at(found, 4)] == ["g", "f", "A"]
    assert [symbol.name for symbol in scope_at(found, 5)] == ["f", "A"]
    assert [symbol.name for symbol in scope_at(found, 1)] == ["A"]
    assert scope_at(found, 6) == ()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "python",
            "class A:\n    def f(self, b):\n        self.b = b\n        if b:\n            self.b = self.c = 1\n",
        ),
        ("javascript", "class A {\n  f(b) {\n    this.b = b;\n    if (b) { this.b = 2; this.c = 1; }\n  }\n}\n"),
    ],
)
def test_what_a_method_sets_on_its_object_is_a_field_of_the_class(language: str, text: str) -> None:
    found = outline_of(language, text)
    assert [(s.name, s.kind, s.line, s.parent) for s in found.symbols[2:]] == [
        ("b", "field", 2, 0),
        ("c", "field", 4 if language == "python" else 3, 0),
    ]
    assert [symbol.name for symbol in scope_at(found, 2)] == ["f", "A"]
    assert outline_of(language, "self.x = 1\n" if language == "python" else "this.x = 1;\n").symbols == ()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "def f(a):\n    return g(\n\n\nclass C:\n    def m(self):\n        self.\n", "f 0-1, C 4-6, m 5-6"),
        ("python", "def f(a):\n    if \n\n\nclass C:\n    def m(self):\n        pass\n", "f 0-1, C 4-6, m 5-6"),
        ("typescript", "class A {\n  f() {\n    this.\n  }\n  g(): void { }\n}\n", "A 0-5, f 1-3, g 4-4"),
        ("go", "package p\n\nfunc f() {\n\tx := \n}\n\nfunc g() {\n}\n", "f 2-4, g 6-7"),
        ("rust", "fn f() {\n    let a = \n}\n\nfn g() {\n}\n", "f 0-2, g 4-5"),
        ("c", "int f(int a) {\n  return \n}\n\nint g(void) { return 1; }\n", "f 0-2, g 4-4"),
        ("java", "class A { void f() { x. } int h() { return 1; } }\n", "A 0-0, f 0-0, h 0-0"),
    ],
)
def test_a_line_that_is_being_typed_hides_nothing_else(language: str, text: str, expected: str) -> None:
    found = outline_of(language, text).symbols
    assert ", ".join(f"{symbol.name} {symbol.first_line}-{symbol.last_line}" for symbol in found) == expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([row.id for row in LANGUAGES]), st.data())
def test_no_text_makes_an_outline_fail(language: str, data: st.DataObject) -> None:
    text = SAMPLES[language].read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    inserted = data.draw(st.text(alphabet="é😀\0\ud800(){}[]<>\"'`:=;\n\r\t @#ab", max_size=8))
    found = outline_of(language, text[:start] + inserted + text[end:])
    for index, symbol in enumerate(found.symbols):
        assert symbol.first_line <= symbol.last_line
        assert symbol.parent is None or symbol.parent < index


@pytest.mark.parametrize("language", ["python", "typescript", "rust", "dart", "vue", "elixir"])
def test_it_makes_no_difference_where_the_slices_of_a_file_are_cut(language: str) -> None:
    tree = parse(language, SAMPLES[language].read_text() * 3)
    whole = shape(find_matches(tree, 1_000_000))
    assert len(whole) >= 3
    for slice_bytes in (1, 17, 100):
        assert shape(find_matches(tree, slice_bytes)) == whole


def shape(found: Found | None) -> set[tuple[object, ...]]:
    assert found is not None
    definitions = {(at, each.kind, each.first.id, each.last.id, each.body) for at, each in found.definitions.items()}
    bases = {(at, base.id) for at, each in found.definitions.items() for base in each.bases}
    imports = {tuple(node and node.id for node in (*path, name, alias)) for path, name, alias in found.imports}
    uses = {(kind, node.id) for kind, node in found.references}
    return {
        *definitions,
        *bases,
        *imports,
        *uses,
        *((at,) for at in found.embedded),
        *((node.id,) for node in found.scopes),
    }


def test_a_file_of_one_long_line_takes_no_quadratic_time() -> None:
    tree = parse("javascript", "function f(a){return g(a)}/* c */" * 20_000)
    started = time.monotonic()
    assert len(outline(tree).symbols) == 20_000
    assert time.monotonic() - started < 20  # it takes half a second; with the square of it, minutes


def test_plain_text_and_nothing_have_an_empty_outline() -> None:
    assert outline_of("plaintext", "def f(): pass\n") == Outline()
    assert outline_of("no-such-language", "def f(): pass\n") == Outline()
    assert outline_of("python", "") == Outline()


def test_threads_share_a_query() -> None:
    tree = parse("python", SAMPLES["python"].read_text() * 20)
    results: list[Outline] = []
    threads = [threading.Thread(target=lambda: results.append(outline(tree))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [outline(tree)] * 4


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "import os\nfrom a import b as c\n\n\ndef f():\n    import sys\n"),
        ("typescript", "import { a, b as c } from './d'\nexport const e = a(c)\n"),
        ("go", 'package a\n\nimport (\n\t"fmt"\n\tb "c/d"\n)\n'),
        ("html", "<script>\nimport { a } from './b.js'\n</script>\n"),
        ("plaintext", "import a\n"),
    ],
)
def test_the_imports_alone_are_those_of_the_outline(language: str, text: str) -> None:
    tree = parse(language, text)
    assert imports_of(tree) == outline(tree).imports
