import pytest

from completion.types import Mode
from evals.suites.function_body import longest_body, masked, rest

# What is asked for stands between the marks.
BODIES = {
    "python": "import re\n\n@cached\ndef add(\n    a,\n    b,\n):\n    «total = a\n\n    return total + b»\n",
    "c": "int x() { return 1; }\nint f(int a, int b)\n{\n    «int t = a;\n    if (b) {\n        t += b;\n    }»\n}\n",
    "go": "package p\n\n// Add adds.\nfunc Add(a, b int) int {\n\t«total := a\n\treturn total + b»\n}\n",
    "bash": "add() {\n«local total=$1\nif true; then\necho $total\nfi»\n}\n",
    "lua": "function add(a, b)\n  «local total = a\n  return total + b»\nend\n",
    "java": "class A {\n    int x() { return; }\n    int f(int a) {\n        «a += 1;\n        return a;»\n    }\n}\n",
}  # fmt: skip
RESTS = {
    "proc": "proc add {a b} {\n«set total $a\nreturn $total»\n}\n",
    "fortran": "  function add(a)\n    «integer :: a\n    add = a»\n  end function\n\nend program\n",
    "lisp": "(defun add (a)\n  «(let ((b 1))\n    (+ a b)))»\n",
}


def parts(marked: str) -> tuple[str, str]:
    return marked.replace("«", "").replace("»", ""), marked[marked.index("«") + 1 : marked.index("»")]


@pytest.mark.parametrize("language", BODIES)
def test_the_longest_functions_body_is_found(language: str) -> None:
    text, body = parts(BODIES[language])
    found = longest_body(language, text, 0)
    assert found is not None
    assert text[slice(*found)] == body


@pytest.mark.parametrize("name", RESTS)
def test_without_an_outline_it_is_the_rest_but_for_what_closes_it(name: str) -> None:
    text, body = parts(RESTS[name])
    found = rest(text, text.index("\n") + 1)
    assert found is not None
    assert text[slice(*found)] == body


def test_a_docstring_in_the_prompt_is_not_asked_for() -> None:
    prompt = 'def add(a, b):\n    """The sum.\n    """\n'
    text = f"{prompt}    return a + b\n"
    found = longest_body("python", text, len(prompt))
    assert found is not None
    assert text[slice(*found)] == "return a + b"


def test_where_there_is_no_function_or_no_body_there_is_nothing() -> None:
    assert longest_body("python", "x = 1\n", 0) is None
    assert longest_body("c", "int one() { return 1; }\n", 0) is None
    assert longest_body("plaintext", "def add(a):\n    return a\n", 0) is None
    assert rest("f() {\n}\n", 6) is None


def test_what_is_masked_leaves_the_cursor_in_its_place() -> None:
    document, truth = masked("a.py", "def f():\n    return 1\n", 13, 21, Mode.BLOCK)
    assert (document.text, document.cursor, truth) == ("def f():\n    \n", 13, "return 1")
