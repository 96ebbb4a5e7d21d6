"""Asked for at the end of a line that opens a block, over the real stdio server with the real default model."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsers.parse import parse
from parsers.scope import error_count
from tests.lsp_server.session import Session
from tests.test_complaints import Window

pytestmark = [pytest.mark.e2e, pytest.mark.model]


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("headers")
    options = {"maxWaitMs": 0, "deadlineMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


@pytest.mark.parametrize(
    ("language", "suffix", "marked", "level"),
    [
        ("go", ".go", "package a\n\nfunc Max(a, b int) int {▮\n}\n", "\t"),
        ("go", ".go", "package a\n\nfunc Sum(values []int) int {▮\n", "\t"),
        ("typescript", ".ts", "export function sum(values: number[]): number {▮\n}\n", "  "),
        ("typescript", ".ts", "class Cart {\n    items: number[] = [];\n\n    total(): number {▮\n}\n", "        "),
        ("rust", ".rs", "fn sum(values: &[i32]) -> i32 {▮\n", "    "),
        ("cpp", ".cpp", "int sum(const std::vector<int>& values) {▮\n", "    "),
        ("java", ".java", "class A {\n    int max(int a, int b) {▮\n    }\n}\n", "        "),
        ("python", ".py", "def add(a, b):▮\n", "    "),
        ("python", ".py", "class A:\n  def f(self):\n    pass\n\n  def add(self, a, b):▮\n", "    "),
        ("ruby", ".rb", "def add(a, b)▮\nend\n", "  "),
        ("lua", ".lua", "local function add(a, b)▮\n", "    "),
        ("c", ".c", "int max(int a, int b) {▮\n", "    "),
        ("csharp", ".cs", "class A\n{\n    int Max(int a, int b) {▮\n    }\n}\n", "        "),
    ],
)
def test_the_body_comes_on_the_next_line(window: Window, language: str, suffix: str, marked: str, level: str) -> None:
    document = window.open(marked, suffix, language)
    (item, *_) = document.ask()
    accepted = document.accepted(item)
    brought = accepted[document.cursor :]
    assert brought.startswith("\n" + level), repr(brought)
    first = brought.split("\n")[1]
    assert re.match(rf"{level}\S", first), repr(first)
    assert not first.lstrip().startswith(("//", "#", "--", "/*", "'use strict'", '"use strict"')), first
    assert error_count(parse(language, accepted)) == 0, accepted
