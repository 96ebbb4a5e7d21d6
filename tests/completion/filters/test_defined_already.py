"""What the block around has already is not begun a second time; what only looks alike may be."""

import pytest

from completion.candidate import Candidate
from completion.filters.defined_already import defined_already
from tests.fakes import request_at

GO = "func (m *pager) reload() error {"
TEST = "test('it is kept', async t => {"


def kept(marked: str, says: str, language: str) -> str:
    return defined_already(Candidate(says), request_at(marked, language=language)).text


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("go", f"▮\n\nfunc other() {{\n}}\n\n{GO}\n\treturn nil\n}}\n", GO),
        ("go", f"{GO}\n\treturn nil\n}}\n\nfunc (m *pager) re▮\n", "load() error {"),
        ("typescript", f"▮\n\ntest('other', async t => {{\n}});\n\n{TEST}\n}});\n", TEST),
        ("rust", "#[test]\nfn f() {\n}\n\n#[test]\n▮\n", "fn f() {"),
        ("python", "class A:\n    ▮\n\n    def f(self):\n        return 1\n", "def f(self):"),
        ("ruby", "def f\n  1\nend\n\n▮\n", "def f\n  2\nend"),
        ("go", 'import (\n\t"os"\n\t▮\n\n\t"example.com/a"\n\t"example.com/b"\n)\n', '"example.com/b"'),
        ("python", "import os\nimport re\n▮\n\nx = 1\n", "import os"),
        ("typescript", "import a from 'a';\n▮\n\nimport {b} from './b.js';\n", "import {b} from './b.js';"),
        ("rust", "use crate::a;\nuse crate::b;\n▮\n", "use crate::a;"),
        ("c", "#include <a.h>\n#include <b.h>\n▮\n", "#include <a.h>"),
    ],
)
def test_a_header_that_stands_there_is_not_said_again(language: str, marked: str, says: str) -> None:
    assert kept(marked, says, language) == ""


def test_what_comes_before_it_is_kept() -> None:
    marked = "def g():\n    return 1\n\n\ndef f(a):\n    ▮\n"
    assert kept(marked, "return a\n\n\ndef g():\n    return 2", "python") == "return a"


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("rust", "#[cfg(unix)]\nfn f() {\n}\n\n#[cfg(windows)]\n▮\n", "fn f() {"),
        ("rust", "impl A {\n    fn new() -> Self {\n    }\n}\n\nimpl B {\n    ▮\n}\n", "fn new() -> Self {"),
        ("python", "class A:\n    def f(self):\n        pass\n\n\nclass B:\n    ▮\n", "def f(self):"),
        ("c", "#ifdef A\nvoid f() {\n}\n#else\n▮\n#endif\n", "void f() {"),
        ("c", "struct a f();\n\n▮\n", "struct a f() {"),
        ("python", "if sub is None:\n    a()\n▮\n", "if sub is None:"),
        ("typescript", "if (a) {\n\tb();\n}\n\n▮\n", "if (a) {"),
        ("typescript", "t.is(a, 'one two');\n▮\n", "t.is(a, 'one two');"),
        ("go", "func f() {\n}\n\n▮\n", "func g() {"),
        ("go", 'var a = []string{\n\t"os",\n\t▮\n}\n', '"os",'),
        ("go", 'f(\n\t"os"\n\t▮\n)\n', '"os"'),
        ("python", "def f():\n    import re\n\n\ndef g():\n    ▮\n", "import re"),
        ("rust", "mod a {\n    use super::*;\n}\n\nmod b {\n    ▮\n}\n", "use super::*;"),
    ],
)
def test_what_may_stand_there_twice_is_left_alone(language: str, marked: str, says: str) -> None:
    assert kept(marked, says, language) == says
