"""What follows from an edit, in several languages: «old|new» are the edits, ⟦old|new⟧ what is proposed."""

import re

import pytest

from completion.next_edit.edits import Layer, LineEdit, applied, trimmed
from completion.next_edit.layer_one import looked, proposals
from parsers.parse import parse

_EDIT, _PROPOSED = re.compile(r"«(.*?)\|(.*?)»", re.DOTALL), re.compile(r"⟦(.*?)\|(.*?)⟧", re.DOTALL)


def edits_of(before: str, after: str) -> tuple[LineEdit, ...]:
    """The edits by lines that made `after` of `before`."""
    import difflib

    old, new = before.split("\n"), after.split("\n")
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return tuple(LineEdit("f", c, tuple(old[a:b]), tuple(new[c:d])) for tag, a, b, c, d in codes if tag != "equal")


def check(language: str, text: str, *layers: Layer, lines: dict[str, str] | None = None) -> None:
    """All proposals together make of the edited text what it says; those of some layers alone where they are named."""
    now = _PROPOSED.sub(r"\1", text)
    before, after = _EDIT.sub(r"\1", now), _EDIT.sub(r"\2", now)
    expected = _PROPOSED.sub(r"\2", _EDIT.sub(r"\2", text))
    found = proposals(parse(language, after), edits_of(before, after), tuple((lines or {}).items()))
    result = after.split("\n")
    for proposal in sorted(found, key=lambda each: -each.line):
        if not layers or proposal.layer in layers:
            result = applied(result, proposal)
    assert "\n".join(result) == expected, found


RENAMED = {
    "python": "def «load|read»(path):\n    return path\n\n\ndef main(load_path):\n    x = ⟦load|read⟧(load_path)\n    y = a.load(b, load=1)\n    return 'load'\n",
    "typescript": "export function «load|read»(path: string) {\n  return path;\n}\n\nconst x = ⟦load|read⟧('load');\n\nconst y = a.load(x);\n",
    "javascript": "function «load|read»(path) {\n  return path;\n}\n\nconst x = [1].map(⟦load|read⟧);\n\n// load\n",
    "go": "package m\n\nfunc «load|read»(path string) int {\n\treturn 1\n}\n\nfunc main() {\n\t// load\n\tx := ⟦load|read⟧(\"load\")\n}\n",
    "rust": "fn «load|read»(path: &str) -> u8 {\n    1\n}\n\nfn main() {\n    let x = ⟦load|read⟧(\"load\");\n}\n",
    "java": "class A {\n    int «load|read»(String path) {\n        return 1;\n    }\n\n    int main() {\n        return this.⟦load|read⟧(\"load\");\n    }\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("language", RENAMED)
def test_the_uses_of_a_renamed_function_follow_and_nothing_else_of_the_name(language: str) -> None:
    check(language, RENAMED[language])


OTHER_LANGUAGES = (
    ("c", "char *«load|read»(char *p) {\n    return p;\n}\n\nint main() {\n    return *⟦load|read⟧(\"load\");\n}\n"),
    ("c", "struct «point|spot» {\n    int x;\n};\n\nint far(struct ⟦point|spot⟧ *p) {\n    return p->x;\n}\n"),
    ("c", "#define «LIMIT|MOST» 10\n\nint far(int p) {\n    return p < ⟦LIMIT|MOST⟧;\n}\n"),
    ("c", "int f(int p) {\n    int «total|price» = p;\n    return ⟦total|price⟧;\n}\n\nint g(int total) {\n    return total;\n}\n"),
    ("go", "package m\n\ntype «Point|Spot» struct {\n\tX int\n}\n\nfunc New() *⟦Point|Spot⟧ {\n\treturn &⟦Point|Spot⟧{X: 1}\n}\n"),
    ("kotlin", "fun «load|read»(p: String): Int {\n    return 1\n}\n\nfun main() {\n    ⟦load|read⟧(\"load\")\n}\n"),
    ("kotlin", "class «Point|Spot»(val x: Int)\n\nfun make(): ⟦Point|Spot⟧ {\n    return ⟦Point|Spot⟧(1)\n}\n"),
    ("kotlin", "fun f(rows: Int): Int {\n    val «total|price» = 0\n    return ⟦total|price⟧ + rows\n}\n\nfun g(total: Int) = total\n"),
    ("lua", "local function «load|read»(p)\n  return 1\nend\n\nprint(⟦load|read⟧('load'))\n"),
    ("php", "<?php\nfunction f($rows) {\n    $«total|price» = 0;\n    return $⟦total|price⟧;\n}\n\nfunction g($total) {\n    return $total;\n}\n"),
    ("ruby", "def «load|read»(p)\n  1\nend\n\nx = ⟦load|read⟧('load')\n"),
    ("swift", "func «load|read»(p: String) -> Int {\n    return 1\n}\n\nlet x = ⟦load|read⟧(p: \"load\")\n"),
    ("csharp", "class A\n{\n    int F(int «rows|lines»)\n    {\n        return ⟦rows|lines⟧;\n    }\n}\n"),
    ("dart", "int «load|read»(String p) {\n  return 1;\n}\n\nvoid main() {\n  ⟦load|read⟧(\"load\");\n}\n"),
    ("bash", "«load|read»() {\n  echo 1\n}\n\n⟦load|read⟧ a\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), OTHER_LANGUAGES)
def test_a_name_is_renamed_in_languages_that_bind_names_in_ways_of_their_own(language: str, text: str) -> None:
    check(language, text)


WITH_CONSTRUCTORS = {
    "java": "class «Point|Spot» {\n    int x;\n\n    ⟦Point|Spot⟧(int x) {\n        this.x = x;\n    }\n\n    static ⟦Point|Spot⟧ origin() {\n        return new ⟦Point|Spot⟧(0);\n    }\n}\n",
    "cpp": "class «Point|Spot» {\npublic:\n    ⟦Point|Spot⟧(double x) : x(x) {}\n    ~⟦Point|Spot⟧();\n    double far() const;\n    double x;\n};\n\ndouble ⟦Point|Spot⟧::far() const {\n    return x;\n}\n",
    "csharp": "class «Point|Spot»\n{\n    int x;\n\n    public ⟦Point|Spot⟧(int x) { this.x = x; }\n\n    static ⟦Point|Spot⟧ Origin() => new ⟦Point|Spot⟧(0);\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("language", WITH_CONSTRUCTORS)
def test_the_constructors_of_a_renamed_type_follow(language: str) -> None:
    check(language, WITH_CONSTRUCTORS[language], Layer.RENAME)


def test_a_method_or_field_that_has_the_name_of_its_type_is_another_thing() -> None:
    check("java", "class «Point|Spot» {\n    int Point() {\n        return 0;\n    }\n}\n", Layer.RENAME)
    check("typescript", "class «Point|Spot» {\n    Point = 1;\n}\n", Layer.RENAME)


LOCAL = {
    "python": "def f(rows):\n    «total|price» = 0\n    for row in rows:\n        ⟦total|price⟧ += row.total\n    return ⟦total|price⟧\n\n\ndef g(total):\n    return total\n",
    "typescript": "function f(rows: number[]) {\n  let «total|price» = 0;\n  for (const row of rows) ⟦total|price⟧ += row;\n\n  return ⟦total|price⟧;\n}\nfunction g(total: number) { return total; }\n",
    "go": "package m\n\nfunc f(rows []int) int {\n\t«total|price» := 0\n\tuse(rows)\n\treturn ⟦total|price⟧\n}\n\nfunc g(total int) int { return total }\n",
    "rust": "fn f(rows: u8) -> u8 {\n    let «total|price» = 0;\n    g(rows);\n    ⟦total|price⟧\n}\nfn g(total: u8) -> u8 { total }\n",
    "java": "class A {\n    int f(int rows) {\n        int «total|price» = 0;\n        use(rows);\n        return ⟦total|price⟧;\n    }\n    int g(int total) { return total; }\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("language", LOCAL)
def test_a_renamed_local_is_renamed_in_its_function_alone(language: str) -> None:
    check(language, LOCAL[language])


def test_a_name_that_an_inner_scope_binds_again_is_another_one() -> None:
    check("javascript", "const «key|name» = 1;\nfunction f(key) {\n  return key;\n}\n\nuse(⟦key|name⟧);\n")


def test_a_name_that_is_still_defined_elsewhere_is_left_alone() -> None:
    check("python", "def «load|read»(a):\n    return a\n\n\ndef load(b):\n    return b\n\n\nload(1)\n")


def test_a_method_is_renamed_where_its_own_object_calls_it() -> None:
    text = "class A:\n    def «load|read»(self):\n        return 1\n\n    def f(self):\n        return self.⟦load|read⟧()\n"
    check("python", text, Layer.MEMBER)


ASSIGNED = (
    ("python", "class A:\n    def __init__(self, size):\n        self.«size|count» = size\n\n    def f(self):\n        return self.⟦size|count⟧\n\n\nclass B(A):\n    def g(self, size):\n        return self.⟦size|count⟧ + size\n\n\nclass C:\n    def g(self):\n        return self.size\n"),
    ("typescript", "class A {\n  constructor(size: number) {\n    this.«size|count» = size;\n  }\n\n  f() {\n    return this.⟦size|count⟧;\n  }\n}\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), ASSIGNED)
def test_a_member_that_is_only_assigned_is_renamed_where_its_own_object_has_it(language: str, text: str) -> None:
    check(language, text, Layer.MEMBER, Layer.FIELD)


def test_a_member_that_another_place_assigns_still_or_that_was_there_is_left_alone() -> None:
    head = "class A:\n    def __init__(self, size):\n        self.«size|count» = size\n\n    def f(self):\n"
    for rest in ("        self.size = 1\n        return self.size\n", "        return self.size + self.count\n"):
        check("python", head + rest, Layer.MEMBER)


def test_a_name_that_a_with_or_an_except_binds_is_renamed_in_its_function() -> None:
    check("python", "def f():\n    with open(p) as «f|file»:\n        print(⟦f|file⟧)\n", Layer.LOCAL)
    check(
        "python", "def f():\n    try:\n        x()\n    except E as «e|error»:\n        print(⟦e|error⟧)\n", Layer.LOCAL
    )


OVERRIDDEN = {
    "java": "interface S {\n    int «area|size»();\n}\n\nclass Q implements S {\n    public int ⟦area|size⟧() { return 1; }\n\n    int twice() { return ⟦area|size⟧() + this.⟦area|size⟧(); }\n}\n",
    "rust": "trait S {\n    fn «area|size»(&self) -> u8;\n}\n\nimpl S for Q {\n    fn ⟦area|size⟧(&self) -> u8 {\n        1\n    }\n}\n",
    "python": "class S:\n    def «area|size»(self):\n        pass\n\n\nclass Q(S):\n    def ⟦area|size⟧(self):\n        return 1\n",
    "cpp": "class S {\n    virtual int «area|size»();\n};\n\nclass Q : public S {\n    int ⟦area|size⟧() override;\n};\n",
    "typescript": "interface S {\n  «area|size»(): number;\n}\n\nclass Q implements S {\n  ⟦area|size⟧(): number {\n    return 1;\n  }\n}\n",
    "kotlin": "interface S {\n    fun «area|size»(): Int\n}\n\nclass Q : S {\n    override fun ⟦area|size⟧(): Int = 1\n}\n",
    "csharp": "interface S\n{\n    int «Area|Size»();\n}\n\nclass Q : S\n{\n    public int ⟦Area|Size⟧() { return 1; }\n}\n",
    "swift": "protocol S {\n    func «area|size»() -> Int\n}\n\nclass Q: S {\n    func ⟦area|size⟧() -> Int { return 1 }\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("language", OVERRIDDEN)
def test_what_overrides_a_renamed_method_follows(language: str) -> None:
    check(language, OVERRIDDEN[language])


def test_the_overrides_of_a_type_between_are_found_from_each_end_and_those_of_strangers_are_not() -> None:
    methods = ("    int «area|size»() { return 1; }", *("    int ⟦area|size⟧() { return 1; }",) * 2)
    heads = ("class R implements S", "interface S", "class Q implements S")
    check("java", "".join(f"{head} {{\n{method}\n}}\n\n" for head, method in zip(heads, methods, strict=True)))
    check(
        "java", "interface S {\n    int «area|size»();\n}\n\nclass Q {\n    int area() { return 1; }\n}\n", Layer.FIELD
    )


def test_who_only_bounds_a_type_parameter_is_no_kin() -> None:
    text = "trait S {\n    fn «area|size»(&self) -> u8;\n}\n\nimpl<P: S> T for Q<P> {\n    fn area(&self) -> u8 {\n        1\n    }\n}\n"
    check("rust", text, Layer.FIELD)


def test_a_parameter_that_is_assigned_to_a_member_of_its_name_is_renamed_as_a_parameter() -> None:
    text = "class A:\n    def __init__(self, «size|count»):\n        self.size = ⟦size|count⟧\n"
    check("python", text, Layer.LOCAL)


def test_a_method_that_two_types_have_is_left_alone() -> None:
    text = "class A:\n    def «load|read»(self):\n        return self.load()\n\n\nclass B:\n    def load(self):\n        return self.load()\n"
    check("python", text, Layer.MEMBER)
    check("python", text, Layer.FIELD)


REPEATED = (
    ("python", "a = rows[0]«.price|.get(\"price\")»\nx()\nb = rows[1]«.size|.get(\"size\")»\ny()\nc = rows[2]⟦.name|.get(\"name\")⟧\n"),
    ("typescript", "«|@k\n»export class B {}\nf();\n«|@k\n»export class C {}\ng();\n⟦|@k\n⟧export class D {}\n"),
    ("go", "package m\n\nfunc f() {\n\t«log.Print(a)|slog.Info(a)»\n\tx()\n\t«log.Print(b.c)|slog.Info(b.c)»\n\ty()\n\t⟦log.Print(d[1])|slog.Info(d[1])⟧\n}\n"),
    ("rust", "fn f() {\n    «a.unwrap();|a.expect(\"a\");»\n    x();\n    «b.unwrap();|b.expect(\"b\");»\n    y();\n    ⟦c.unwrap();|c.expect(\"c\");⟧\n}\n"),
    ("java", "class A {\n  void f() {\n    «put(\"a\", 1);|put(Key.of(\"a\"), 1);»\n    x();\n    «put(\"b\", 2);|put(Key.of(\"b\"), 2);»\n    y();\n    ⟦put(\"c\", 3);|put(Key.of(\"c\"), 3);⟧\n  }\n}\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), REPEATED)
def test_what_was_done_twice_is_done_where_the_like_stands(language: str, text: str) -> None:
    check(language, text)


def test_two_edits_that_are_not_alike_are_not_repeated() -> None:
    check("python", "a = rows[0]«.price|.x»\nx()\nb = rows[1]«.size|.get(7)»\ny()\nc = rows[2].name\n", Layer.REPEAT)


SIGNATURES = (
    ("python", "def f(«a, b|a»):\n    return a\n\n\nx = f(⟦1, g(2, 3)|1⟧)\n"),
    ("python", "def f(«a, b|b, a»):\n    return a\n\n\nx = f(⟦1, g(2, 3)|g(2, 3), 1⟧)\n"),
    ("python", "«def|async def» f(a):\n    return a\n\n\nasync def g():\n    return ⟦f|await f⟧(1)\n\n\n⟦def|async def⟧ h():\n    return ⟦f|await f⟧(1)\n"),
    ("go", "package m\n\nfunc f(«n int|ctx context.Context, n int») {\n}\n\nfunc g(ctx context.Context) {\n\tf(⟦1|ctx, 1⟧)\n}\n\nfunc h() {\n\tf(2)\n}\n"),
    ("typescript", "function f(a: number«, b: string|») { return a; }\n\nconst x = f(1⟦, 'b'|⟧);\n"),
    ("java", "class A {\n  void f(int a«, int b|») { }\n\n  void g() {\n    f(1⟦, 2|⟧);\n  }\n}\n"),
    ("rust", "fn f(a: u8«, b: u8|») { }\n\nfn g() {\n    f(1⟦, 2|⟧);\n}\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), SIGNATURES)
def test_calls_follow_a_changed_signature(language: str, text: str) -> None:
    check(language, text, Layer.SIGNATURE)


UNUSED = (
    ("python", "⟦import os\n|⟧import sys\n\n\ndef f():\n«    os.remove(1)\n|»    return sys.argv\n"),
    ("python", "from a import ⟦b, |⟧c\n\n\ndef f():\n«    b(1)\n|»    return c\n"),
    ("typescript", "import { a, ⟦b, |⟧c } from 'x';\n\nexport function f() {\n«  b();\n|»  return a(c);\n}\n"),
    ("go", "package m\n\nimport (\n\t\"fmt\"\n⟦\t\"os\"\n|⟧)\n\nfunc f() {\n«\tos.Exit(1)\n|»\tfmt.Print()\n}\n"),
    ("java", "⟦import a.B;\n|⟧import a.C;\n\nclass D {\n«  B b;\n|»  C c;\n}\n"),
    ("rust", "use a::{⟦b, |⟧c};\n\nfn f() {\n«    b();\n|»    c();\n}\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), UNUSED)
def test_an_import_goes_with_its_last_use(language: str, text: str) -> None:
    check(language, text, Layer.UNUSED)


def test_an_import_that_is_used_still_or_exported_by_name_stays() -> None:
    check("python", "import os\n\n\ndef f():\n«    os.remove(1)\n|»    return os.x\n", Layer.UNUSED)
    check("python", "import os\n\n__all__ = ['os']\n\n\ndef f():\n«    os.remove(1)\n|»    return 1\n", Layer.UNUSED)


def test_a_name_that_is_not_imported_gets_the_line_that_others_have() -> None:
    text = "from a import b\n⟦|from c import Widget\n⟧\n\ndef f():\n    return «b|Widget(b)»\n"
    check("python", text, Layer.IMPORT, lines={"Widget": "from c import Widget"})
    text = "from c import Aa⟦|, Widget⟧\n\n\ndef f():\n    return «Aa|Widget(Aa)»\n"
    check("python", text, Layer.IMPORT, lines={"Widget": "from c import Widget"})


def test_only_names_that_nothing_binds_are_missing() -> None:
    before = "import os\n\n\ndef f(size):\n    return 1\n"
    after = before.replace("return 1", "return Widget(size, os, len, f, size.name, key=2)")
    assert looked(parse("python", after), edits_of(before, after)).missing == ("Widget",)


TWINS = (
    ("python", "class P:\n    def __init__(\n        self,\n        host,\n        port,\n«|        name,\n»    ):\n        self.host = host\n        self.port = port\n⟦|        self.name = name\n⟧"),
    ("rust", "enum E {\n    Aa,\n    Bb,\n«|    Cc,\n»}\nfn f(e: E) -> u8 {\n    match e {\n        E::Aa => g(Aa),\n        E::Bb => g(Bb),\n⟦|        E::Cc => g(Cc),\n⟧    }\n}\n"),
    ("python", "class P:\n    x: int\n    y: int\n«    z: int\n|»\n    def d(self):\n        return {\n            'x': self.x,\n            'y': self.y,\n⟦            'z': self.z,\n|⟧        }\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), TWINS)
def test_the_counterpart_of_a_line_comes_and_goes_with_it(language: str, text: str) -> None:
    check(language, text, Layer.TWIN)


def test_nothing_is_proposed_that_makes_the_file_parse_worse() -> None:
    text = "a = f«(1)|[1]»\nx()\nb = f«(2)|[2]»\ny()\nc = f(3) + f(\n    4)\n"
    now = _EDIT.sub(r"\2", text)
    for proposal in proposals(parse("python", now), edits_of(_EDIT.sub(r"\1", text), now)):
        assert "\n".join(applied(now.split("\n"), proposal)).count("(") == 2


def test_a_name_that_is_missing_where_the_grammar_wants_one_is_none() -> None:
    # Looking for its uses never ended.
    check("python", "import os\n\n\n«for in|for y in» x:\n    os.remove(y)\n", Layer.UNUSED)


def test_plain_text_and_a_file_without_edits_have_no_proposals() -> None:
    edit = LineEdit("f", 0, ("a",), ("b",))
    assert proposals(parse("plaintext", "b\na\n"), (edit,)) == ()
    assert proposals(parse("python", "b\na\n"), ()) == ()
    assert trimmed(LineEdit("f", 0, ("a",), ("a",))) is None


SPANS = (
    # One change within a line, where the same part stands: the rest of the line may be another one.
    ("python", "a.add(1, update=self.«is_attached|mounted»)\nx()\nb.remove(k, update=self.⟦is_attached|mounted⟧)\n"),
    # With brackets in pairs, and no word that the part is only a piece of.
    ("python", "def f(a) -> «Deco[A]|Callable[[A], A]»:\n    pass\n\n\ndef g(b=1) -> ⟦Deco[A]|Callable[[A], A]⟧:\n    return Decor[A]\n"),
    # What only came in takes its neighbours along.
    ("typescript", "import «{ A|type { A» } from 'x';\nf();\nimport ⟦{ B|type { B⟧ } from 'y';\nimport C from 'z';\n"),
    ("rust", "fn f() {\n    a(«std::collections::Map|Map»::new());\n    x();\n    let b = ⟦std::collections::Map|Map⟧::of(1);\n}\n"),
    ("java", "class A {\n  void f() {\n    assertFalse(a.«has|contains»(1));\n    x();\n    assertTrue(a.⟦has|contains⟧(2));\n  }\n}\n"),
)  # fmt: skip


@pytest.mark.parametrize(("language", "text"), SPANS)
def test_a_part_of_a_line_that_became_another_does_so_where_it_stands_again(language: str, text: str) -> None:
    check(language, text, Layer.SPAN)


def test_a_name_that_was_changed_where_it_is_bound_is_no_mere_part_of_a_line() -> None:
    check("python", "def f(«rows|items»):\n    return 1\n\n\ndef g(rows):\n    return rows\n", Layer.SPAN)


def test_what_an_edit_of_another_file_changed_is_no_part_of_these_lines() -> None:
    edit = LineEdit("g", -1, ("x = rows[1]",), ("x = items[1]",))
    assert proposals(parse("python", "y = rows[2]\n"), (edit,)) == ()


def test_where_the_new_text_stands_already_nothing_is_put_in_front_of_it() -> None:
    check("python", "a = «val|(val or b)»\nx()\nb = (val or b)\nc = ⟦val|(val or b)⟧\n", Layer.SPAN)


def test_a_name_is_renamed_only_where_the_same_kind_of_thing_binds_it() -> None:
    check(
        "typescript", "«function load(a) {\n  return a;\n}|type Loader = string;»\n\nconst x = load(1);\n", Layer.RENAME
    )
    check("go", "package m\n\nfunc f(p string) {\n\tp := «g(p)|1»\n\t«p = h(p)|q := h(p)»\n\tuse(p)\n}\n", Layer.LOCAL)


def test_what_went_or_came_once_does_so_where_exactly_the_same_stands() -> None:
    check(
        "python",
        "def f():\n«    log.debug(name)\n|»    a()\n\n\ndef g():\n⟦    log.debug(name)\n|⟧    b()\n",
        Layer.AGAIN,
    )
    check(
        "python",
        "f(\n    one=1,\n«|    two=2,\n»    three=3,\n)\ng(\n    one=1,\n⟦|    two=2,\n⟧    three=3,\n)\n",
        Layer.AGAIN,
    )


def test_what_a_proposal_brings_in_and_takes_away_speaks_for_it_or_against_it() -> None:
    def said(rest: str) -> tuple[float, ...]:
        before, after = (
            f"a = load(x)\n{rest}c()\nb = load(y)\n".replace("a = load", f"a = {n}") for n in ("load", "read")
        )
        all_of_them = proposals(parse("python", after), edits_of(before, after))
        (found,) = (each for each in all_of_them if each.layer is Layer.SPAN and "b = " in each.new[0])
        return found.evidence.known, found.evidence.near, found.evidence.left

    assert said("") == (0.0, 1.0, 0.0)  # what the edit left is near
    assert said("read(1)\n") == (1.0, 1.0, 0.0)
    assert said("read(1)\n" + "z()\n" * 20)[:2] == (1.0, 0.0)
    assert said("load(1)\n")[2] == 1.0
