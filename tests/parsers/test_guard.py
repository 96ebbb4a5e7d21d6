"""Grammars in children: the same answers as here, and what a text costs that crashes or hangs one."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from completion.filters.chain import apply_filters
from completion.filters.names import _uses_between
from completion.ranking.surroundings import missing_names
from completion.types import CompletionRequest, DocumentSnapshot, Trigger
from parsers.chunks import chunks
from parsers.guard import Guard, GuardedTree
from parsers.outline import outline
from parsers.parse import PlainTree, SyntaxTree, parse, parse_here, to_bytes
from parsers.refusals import Refusals
from parsers.scope import cursor_kind, enclosing_definition, error_count

SAMPLES = sorted((Path(__file__).parent / "samples").iterdir())
MODULES = ("completion.filters.chain", "completion.filters.names", "completion.ranking.surroundings")
# Texts on which a grammar crashes, and one on which it takes seconds.
CRASHES = [("markdown", ">" * 300), ("markdown", "- " * 300), ("markdown", "1. " * 260)]
HANG = ("swift", "/*" * 1_200)


@pytest.fixture(scope="module")
def shared() -> Iterator[Guard]:
    guard = Guard(MODULES)
    yield guard
    guard.close()


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(MODULES)
    yield guard
    guard.close()


def first(guard: Guard, language: str, text: str) -> SyntaxTree:
    return guard.first(language, to_bytes(text))


def request_of(tree: SyntaxTree, cursor: int) -> CompletionRequest:
    snapshot = DocumentSnapshot(
        uri="", path="", repo="", version=1, text=tree.source.decode(), language=tree.language, tree=tree
    )
    return CompletionRequest(snapshot=snapshot, cursor=cursor, mode=None, trigger=Trigger.INVOKED, session="")


def everything(tree: SyntaxTree, at: int) -> list[object]:
    """Every question, at a character of the text."""
    request = request_of(tree, at)
    offset = len(to_bytes(request.snapshot.text[:at]))
    return [
        cursor_kind(tree, offset),
        enclosing_definition(tree, offset),
        error_count(tree),
        outline(tree),
        chunks(tree, 200),
        _uses_between(tree, offset // 2, offset),
        missing_names(request, called=True),
        apply_filters("foo\u200b(bar)\n  }\n", request),
    ]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_tree_in_a_child_answers_as_one_here(path: Path, shared: Guard) -> None:
    language, text = path.stem, path.read_text()
    here, there = parse(language, text), first(shared, language, text)
    rng = random.Random(path.stem)
    for _ in range(4):
        at = rng.randrange(len(text))
        assert everything(there, at) == everything(here, at)
        text = text[:at] + rng.choice(["x", "(", "}", "\n", '"é']) + text[at + rng.randrange(3) :]
        here, there = parse(language, text, here), parse(language, text, there).settle()
    assert isinstance(there, GuardedTree)
    assert shared.n_died == 0


@pytest.mark.parametrize(
    ("language", "text"), [*CRASHES, HANG], ids=[f"{lang}-{text[:3]}" for lang, text in [*CRASHES, HANG]]
)
def test_a_hostile_text_is_plain_text_from_then_on(language: str, text: str, guard: Guard) -> None:
    honest = first(guard, "python", "def f(a):\n    return a  # x\n").settle()
    home = guard.pids[0]
    hostile = first(guard, language, text).settle()
    assert language.capitalize() in hostile.refused
    assert everything(hostile, 5) == everything(PlainTree(language, to_bytes(text)), 5)
    assert guard.pids[0] == home  # the others' child never saw it
    n_died = guard.n_died
    later = parse(language, text + "\n\nlater", hostile).settle()
    assert later.refused == hostile.refused
    assert guard.n_died == n_died
    assert cursor_kind(honest, 25).value == "comment"


def test_a_hostile_edit_costs_its_own_document(guard: Guard) -> None:
    honest = first(guard, "python", "def f(a):\n    return a  # x\n").settle()
    document = first(guard, "markdown", "# A mail\n").settle()
    assert document.is_parsed
    document = parse("markdown", "# A mail\n" + ">" * 300, document).settle()
    assert document.refused
    honest = parse("python", "def f(a):\n    return a  # xy\n", honest).settle()
    assert honest.is_parsed
    assert cursor_kind(honest, 25).value == "comment"
    assert [symbol.name for symbol in outline(honest).symbols] == ["f"]


def test_a_hostile_suggestion_is_checked_as_in_plain_text(guard: Guard) -> None:
    """The filters parse the document with it in place."""
    document = first(guard, "swift", "let a = 1\n").settle()
    candidate, _ = apply_filters("let b = 2 " + "/*" * 1_200, request_of(document, 10))
    assert document.refused
    assert candidate.text.startswith("let b")


def test_what_was_refused_is_remembered_by_content(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "refused.json"
    for n_died in (1, 0):
        guard = Guard(MODULES, Refusals(file))
        hostile = first(guard, *CRASHES[0]).settle()
        assert "crashes" in hostile.refused
        assert outline(hostile).symbols == ()
        assert guard.n_died == n_died
        assert not first(guard, CRASHES[0][0], "# honest\n").settle().refused
        guard.close()


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "\0\xff"])
def test_a_broken_memory_of_refusals_is_none(content: str, tmp_path: Path) -> None:
    file = tmp_path / "refused.json"
    file.write_text(content)
    refusals = Refusals(file)
    assert refusals.reason("python", b"x") == ""
    refusals.add("python", b"x", "the grammar of Python crashes on it")
    assert Refusals(file).reason("python", b"x") == "the grammar of Python crashes on it"


def test_a_memory_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refusals = Refusals(tmp_path / "file" / "refused.json")
    refusals.add("python", b"x", "why")
    assert refusals.reason("python", b"x") == "why"


def test_a_child_that_is_killed_is_replaced(guard: Guard) -> None:
    tree = first(guard, "python", "x = 'a'\n").settle()
    os.kill(guard.pids[0], signal.SIGKILL)
    assert cursor_kind(tree, 6).value == "string"
    assert not tree.refused


def test_large_honest_texts_are_edited_within_the_budget(guard: Guard) -> None:
    text = SAMPLES[0].parent.joinpath("cpp.cpp").read_text() * 2_000
    tree = first(guard, "cpp", text[:1_500_000]).settle()
    for n in range(3):
        tree = parse("cpp", text[: 1_500_000 + n], tree).settle()
    assert tree.is_parsed
    assert len(outline(tree).symbols) > 1_000
    assert guard.n_died == 0


def test_threads_ask_at_once(guard: Guard) -> None:
    """Also where a hostile text dies meanwhile."""
    wrong: list[str] = []

    def work(number: int) -> None:
        text = f"def f{number}(a):\n    return a\n"
        tree = first(guard, "python", text)
        for n in range(20):
            text += f"x{n} = {n}\n"
            tree = parse("python", text, tree).settle()
            names = [symbol.name for symbol in outline(tree).symbols]
            if names[:1] != [f"f{number}"] or len(names) != n + 2:
                wrong.append(f"{names} {tree.refused}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for language, text in CRASHES:
        assert first(guard, language, text).settle().refused
    for thread in threads:
        thread.join()
    assert wrong == []


def test_after_its_end_a_guard_answers_as_plain_text(guard: Guard) -> None:
    tree = first(guard, "python", "x = 'a'\n").settle()
    guard.close()
    assert cursor_kind(tree, 6).value == "code"
    assert not tree.refused


def test_a_process_that_keeps_grammars_out_loads_none() -> None:
    script = """
import sys
import lsp_server.handlers
from lsp_server.grammars import kept_out
from parsers.outline import outline
from parsers.parse import parse
from parsers.scope import cursor_kind
from tests.parsers.test_guard import everything
with kept_out():
    tree = parse("python", "def f():\\n    return 'a'").settle()
    assert cursor_kind(tree, 22).value == "string"
    assert outline(tree).symbols[0].name == "f"
    for text in (">" * 300, "\\u200b" + "x" * 2_100_000):
        tree = parse("markdown", text).settle()
        for text in ("# small\\n\\u200b", text + "\\n"):
            tree = parse("markdown", text, tree).settle()
            everything(tree, 1)
assert "tree_sitter_language_pack" not in sys.modules
print("done")
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "total = " + " +\n    ".join(f"value_{n}" for n in range(1_100))),
        ("c", "void f() {\n if (a) {}\n" + "else if (b) {}\n" * 540 + "}"),
        ("typescript", "if (a) {}\n" + "else if (b) {}\n" * 540),
        ("json", "[\n" * 1_500),
        ("javascript", "x = " + "(\n" * 2_000 + ")\n" * 2_000),
    ],
    ids=["sum", "c", "typescript", "json", "brackets"],
)
def test_deep_trees_are_cut_and_asked_without_recursion(language: str, text: str) -> None:
    tree = parse_here(language, to_bytes(text))
    assert "".join(chunk.text for chunk in chunks(tree)) == text
    outline(tree)
    _uses_between(tree, 0, len(text))
    assert error_count(tree) >= 0
