"""Asked for at the end of a line that opens a block: the body on the next line, in every language with blocks."""

import asyncio

import pytest

from completion.pipeline import complete
from completion.prompt.below_header import begun_below
from completion.types import Mode, Trigger
from parsers.parse import parse
from parsers.scope import error_count
from tests.fakes import CURSOR, ScriptedEngine, deps_with, request_at


def _accepted(marked: str, says: str, language: str) -> str:
    request = request_at(marked, language=language)
    completion = asyncio.run(complete(deps_with(ScriptedEngine([says])), request))
    text, cursor = request.snapshot.text, request.cursor
    return text[:cursor] + completion.text + text[cursor + completion.replace_right :]


@pytest.mark.parametrize(
    ("language", "header", "unit"),
    [
        ("go", "func Sum(values []int) int {", "\t"),
        ("go", "for _, value := range values {", "\t"),
        ("typescript", "export function sum(values: number[]): number {", "  "),
        ("typescript", "const add = (a: number) => {", "  "),
        ("javascript", "app.get('/users', (req, res) => {", "  "),
        ("tsx", "function App() {", "  "),
        ("rust", "fn sum(values: &[i32]) -> i32 {", "    "),
        ("rust", "match value {", "    "),
        ("c", "int max(int a, int b) {", "    "),
        ("cpp", "struct Point {", "    "),
        ("cpp", "} else {", "    "),
        ("java", "public class A {", "    "),
        ("csharp", "namespace A {", "    "),
        ("php", "<?php function add($a) {", "    "),
        ("swift", "func add(a: Int) -> Int {", "    "),
        ("swift", "values.map { value in", "    "),
        ("kotlin", "fun add(a: Int): Int {", "    "),
        ("kotlin", "values.map { value ->", "    "),
        ("scala", "def add(a: Int): Int = {", "  "),
        ("dart", "int add(int a) {", "  "),
        ("zig", "fn add(a: i32) i32 {", "    "),
        ("perl", "sub add {", "    "),
        ("r", "add <- function(a) {", "  "),
        ("solidity", "contract A {", "    "),
        ("css", ".button {", "    "),
        ("proto", "message A {", "  "),
        ("powershell", "function Add($a) {", "    "),
        ("python", "def add(a, b):", "    "),
        ("python", "async def add(a, b) -> int:", "    "),
        ("python", "if a and b:", "    "),
        ("python", "class A:", "    "),
        ("starlark", "def add(a):", "    "),
        ("ruby", "def add(a, b)", "  "),
        ("ruby", "items.each do |item|", "  "),
        ("lua", "local function add(a, b)", "    "),
        ("lua", "for i = 1, 10 do", "    "),
        ("lua", "return map(values, function(value)", "    "),
        ("julia", "function add(a, b)", "    "),
        ("elixir", "defmodule A do", "  "),
        ("bash", "for f in *; do", "    "),
        ("bash", "greet() {", "    "),
        ("erlang", "add(A, B) ->", "    "),
    ],
)
@pytest.mark.parametrize("blank", ["", " "])
def test_a_line_that_opens_a_block(language: str, header: str, unit: str, blank: str) -> None:
    assert begun_below(request_at(f"{header}{CURSOR}{blank}\n", language=language)) == "\n" + unit
    assert begun_below(request_at(f"{header}{CURSOR}", language=language)) == "\n" + unit
    typing = request_at(f"{header}{CURSOR}\n", language=language, trigger=Trigger.AUTOMATIC)
    assert begun_below(typing) == ""


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("typescript", "import {▮\n"),
        ("typescript", "const {▮\n"),
        ("typescript", "// see {▮\n"),
        ("typescript", "const a = `${▮`;\n"),
        ("typescript", "const a = f({▮});\n"),
        ("rust", "use std::{▮\n"),
        ("python", "name:▮\n"),
        ("python", "f = lambda x:▮\n"),
        ("python", "x = values[if_:▮\n"),
        ("python", "x = ▮\n"),
        ("python", "# if so:▮\n"),
        ("python", "def f(▮):\n"),
        ("lua", "if x▮\n"),
        ("bash", "if [ -f x ]▮\n"),
        ("ruby", "def f; end▮\n"),
        ("yaml", "name:▮\n"),
        ("markdown", "so we say:▮\n"),
        ("plaintext", "a {▮\n"),
    ],
)
def test_other_places_are_none(language: str, marked: str) -> None:
    assert begun_below(request_at(marked, language=language)) == ""


def test_who_wants_lines_alone_gets_none() -> None:
    assert begun_below(request_at("def f():▮\n", mode=Mode.LINE)) == ""


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("class A:\n  def f(self):\n    pass\n\n  def g(self):▮\n", "\n    "),
        ("class A:\n\tdef f(self):\n\t\tpass\n\n\tdef g(self):▮\n", "\n\t\t"),
        ("def f(a,\n      b):▮\n", "\n    "),
        ("def f(\n    a,\n):▮\n", "\n    "),
        ("def f():\r\n    pass\r\n\r\ndef g():▮\r\n", "\r\n    "),
    ],
)
def test_the_indentation_is_the_files_own_from_the_beginning_of_the_header(marked: str, expected: str) -> None:
    assert begun_below(request_at(marked)) == expected


@pytest.mark.parametrize(
    ("language", "marked", "says", "expected"),
    [
        ("go", "func F() int {▮\n", "return 1\n}\n", "func F() int {\n\treturn 1\n}\n"),
        ("go", "func F() int {▮\n", "return 1", "func F() int {\n\treturn 1\n}\n"),  # cut off
        ("go", "func F() int {▮\n}\n", "return 1\n}\n", "func F() int {\n\treturn 1\n}\n"),
        (
            "java",
            "class A {\n    int f() {▮\n\n    int g() {\n        return 2;\n    }\n}\n",
            "return 1;",
            "class A {\n    int f() {\n        return 1;\n    }\n\n    int g() {\n        return 2;\n    }\n}\n",
        ),
        ("cpp", "struct A {▮\n", "int x;", "struct A {\n    int x;\n};\n"),
        ("rust", "let a = A {▮\n", "x: 1,", "let a = A {\n    x: 1,\n};\n"),
        ("javascript", "on('a', () => {▮\n", "go();", "on('a', () => {\n  go();\n});\n"),
        ("javascript", "if (a) {▮\n} else {\n  b();\n}\n", "c();", "if (a) {\n  c();\n} else {\n  b();\n}\n"),
        ("ruby", "def f(a)▮\n", "a + 1", "def f(a)\n  a + 1\nend\n"),
        ("ruby", "def f(a)▮\nend\n", "a + 1\nend", "def f(a)\n  a + 1\nend\n"),
        ("lua", "local f = wrap(function(a)▮\n", "return a", "local f = wrap(function(a)\n    return a\nend)\n"),
        ("bash", "for f in *; do▮\n", 'echo "$f"', 'for f in *; do\n    echo "$f"\ndone\n'),
        ("bash", "if true; then▮\nfi\n", "go", "if true; then\n    go\nfi\n"),
        ("python", "def f(a):▮\n", "return a\n\ndef g(): ...", "def f(a):\n    return a\n"),
    ],
)
def test_the_answer_is_the_body_and_closes_what_nothing_closes(
    language: str, marked: str, says: str, expected: str
) -> None:
    assert _accepted(marked, says, language) == expected
    assert error_count(parse(language, expected)) == 0


def test_line_ends_of_the_answer_are_the_files() -> None:
    accepted = _accepted("int a;\r\nint f() {▮\r\n", "int b = 1;\n    return b;", "c")
    assert accepted == "int a;\r\nint f() {\r\n    int b = 1;\r\n    return b;\r\n}\r\n"


def test_an_empty_answer_stays_empty() -> None:
    assert _accepted("int f() {▮\n", "", "c") == "int f() {\n"


def test_a_switch_whose_cases_stand_at_its_own_level_is_not_closed_before_them() -> None:
    """Go's formatter puts them there, and a brace above them breaks the file."""
    marked = (
        f"package a\n\nfunc f(m model) string {{\n\tswitch m.state {{{CURSOR}\n\tcase one:\n\t\treturn x\n\t}}\n}}\n"
    )
    text = _accepted(marked, "case zero:\n\t\treturn y\n\t}\n", "go")
    assert "switch m.state {\n\tcase zero:\n\tcase one:" in text
    assert error_count(parse("go", text)) == 0
