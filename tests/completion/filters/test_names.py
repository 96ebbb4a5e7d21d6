"""Complaint: "it calls functions that do not exist". Unknown identifiers are checked."""

import asyncio
from dataclasses import replace

import pytest

from completion.candidate import Candidate
from completion.filters.names import unknown_names
from completion.pipeline import complete
from completion.types import Snippet
from tests.fakes import ScriptedEngine, deps_with, request_at


class _Repository:
    """Knows some names, and what it was asked."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.asked: list[str] = []

    def members(self, class_name: str) -> None:
        return None

    def is_known(self, name: str) -> bool:
        self.asked.append(name)
        return name in self._names


def _unknown(marked: str, text: str, language: str = "python", *known: str) -> tuple[str, ...]:
    return unknown_names(Candidate(text), request_at(marked, language=language), _Repository(*known))


@pytest.mark.parametrize(
    ("language", "marked", "text", "expected"),
    [
        ("python", "x = ▮\n", "load_user(nam, 1)", ("load_user", "nam")),
        ("python", "x = lo▮\n", "ad_user(1)", ("load_user",)),  # half of it was typed
        ("typescript", "const a = ▮\n", "fetchUser(id, options)", ("fetchUser", "options")),
        ("go", "package a\n\nfunc f() {\n\t▮\n}\n", "sum(values)", ("sum", "values")),
        ("java", "class A {\n  void f() {\n    ▮\n  }\n}\n", "compute(total);", ("compute", "total")),
        ("rust", "fn f() {\n    ▮\n}\n", "compute(total);", ("compute", "total")),
        ("c", "void f(void) {\n  ▮\n}\n", "compute(total);", ("compute", "total")),
    ],
)
def test_a_name_that_stands_nowhere_is_unknown(
    language: str, marked: str, text: str, expected: tuple[str, ...]
) -> None:
    assert _unknown(marked, text, language) == expected


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        ("python", "def load(): ...\nx = ▮\n", "load()"),  # of the file
        ("python", "x = ▮\n", "len(list(range(3))) if True else None"),  # of the language
        ("python", "import os\nx = ▮\n", "os.path.joint(1).whatever"),  # behind a dot
        ("python", "f = dict\nx = ▮\n", "f(keyword=1)"),
        ("python", "▮\n", "total = 1\ntotal += 1\nprint(total)"),  # its own
        ("python", "▮\n", "for item in range(3):\n    print(item)"),
        ("python", "▮\n", "def compute(value, other=1):\n    return value + other"),
        ("python", "▮\n", "import requests\nfrom json import loads as read\nread(requests)"),
        ("python", "x = ▮\n", "'some words' # and a comment"),
        ("python", "x = ▮\n", "xy + 1"),  # too short to be looked up
        ("javascript", "▮\n", "const total = (value) => value + 1;\nconsole.log(total);"),
        ("javascript", "const a = {b: 1};\na.▮\n", "missing.other()"),
        ("go", "package a\n\nfunc f() {\n\t▮\n}\n", 'value, err := fmtx.Sprint("a")\n\tprintln(value, err)'),
        ("rust", "fn f() {\n    ▮\n}\n", 'let total = 1;\n    println!("{}", total);'),
        ("c", "void f(void) {\n  ▮\n}\n", 'int total = 1;\n  printf("%d", total);'),
        ("plaintext", "▮\n", "whatever words"),
    ],
)
def test_other_names_are_known(language: str, marked: str, text: str) -> None:
    assert _unknown(marked, text, language, "fmtx") == ()


def test_the_repository_and_the_snippets_are_asked() -> None:
    repository = _Repository("of_the_repository")
    request = replace(request_at("x = ▮\n"), snippets=(Snippet(path="a.py", text="def of_a_snippet(): ..."),))
    text = "of_the_repository(of_a_snippet, of_nobody, of_nobody)"
    assert unknown_names(Candidate(text), request, repository) == ("of_nobody",)
    assert repository.asked == ["of_the_repository", "of_nobody"]


def test_without_a_repository_nothing_is_said() -> None:
    assert unknown_names(Candidate("whatever()"), request_at("x = ▮\n"), None) == ()


def test_the_trace_has_the_unknown_names_and_the_suggestion_is_shown() -> None:
    asked = []

    def names_of(uri: str) -> _Repository:
        asked.append(uri)
        return _Repository("foo")

    deps = replace(deps_with(ScriptedEngine(["foo(barr)", "\n"])), names_of=names_of)
    completion = asyncio.run(complete(deps, request_at("x = ▮\n")))
    assert completion.trace is not None
    assert (completion.text, completion.trace.unknown_names) == ("foo(barr)", ("barr",))
    assert asked == ["file:///src/file.py"]
