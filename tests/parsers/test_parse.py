"""Parsing: an incremental parse equals a full one, and nothing that comes in makes it fail."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.parse import byte_offset, parse, to_bytes

PIECES = st.sampled_from(
    [
        "def f(a):\n",
        "    return a\n",
        "x = 'é'\n",
        "\n",
        "{",
        "}",
        "if (a) {\n",
        "// c\n",
        "# 😀\n",
        "(",
        ")",
        '"',
        "\r\n",
        "\t",
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["python", "javascript", "go", "css"]), TEXTS, TEXTS, st.data())
def test_an_incremental_parse_equals_a_full_one(
    language: str, before: str, inserted: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(start, len(before)))
    after = before[:start] + inserted + before[end:]
    old = parse(language, before)
    shape = str(old.root)
    new = parse(language, after, old)
    assert new.source == to_bytes(after)
    assert str(new.root) == str(parse(language, after).root)
    assert str(old.root) == shape  # the old tree is somebody else's, too


def test_an_unchanged_text_gives_the_same_tree() -> None:
    tree = parse("python", "x = 1\n")
    assert parse("python", "x = 1\n", tree) is tree


def test_a_tree_of_another_language_is_not_reused() -> None:
    assert str(parse("go", "x := 1\n", parse("python", "x = 1\n")).root) == str(parse("go", "x := 1\n").root)


@pytest.mark.parametrize("text", ["", "\0" * 1000, "\ud800 lone", "x" * 5_000_000, "(" * 20_000, "é😀\r\n\r"])
def test_no_text_makes_parsing_fail(text: str) -> None:
    tree = parse("python", text)
    assert tree.source == to_bytes(text)


def test_byte_offsets_count_utf8() -> None:
    assert [byte_offset("aé😀b", n) for n in range(5)] == [0, 1, 3, 7, 8]


def test_threads_parse_at_once() -> None:
    text = "def f():\n    return 1\n" * 300
    expected = str(parse("python", text).root)
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(str(parse("python", text).root) == expected))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
