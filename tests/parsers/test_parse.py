"""Parsing: an incremental parse equals a full one, and nothing that comes in makes it fail."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Point, Tree

from parsers.parse import _edited, byte_offset, parse, to_bytes

LANGUAGES = ("python", "javascript", "go", "css", "ruby", "yaml", "markdown")
PIECES = st.sampled_from(
    [
        "def f(a):\n",
        "    return a\n",
        "x = 'é'\n",
        "if (a) {\n",
        "// c\n",
        "# 😀\n",
        "end\n",
        "\n",
        "\r\n",
        "\t",
        *'è×😁(){}"`\0\ud800',
        "'''",
        "${",
        "/*",
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join)

Shape = list[tuple[str, bool, int, int, Point, Point]]


def shape(tree: Tree | None) -> Shape:
    """Every node with its place: an s-expression alone would not show a wrong row, column or offset."""
    assert tree is not None
    found: Shape = []
    stack = [tree.root_node]
    while stack:
        node = stack.pop()
        points = (node.start_point, node.end_point)
        found.append((node.type, node.is_missing, node.start_byte, node.end_byte, *points))
        stack.extend(node.children)
    return found


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LANGUAGES), TEXTS, TEXTS, st.data())
def test_an_incremental_parse_equals_a_full_one(language: str, before: str, inserted: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(start, len(before)))
    after = before[:start] + inserted + before[end:]
    old = parse(language, before)
    old_shape = shape(old.tree)
    new = parse(language, after, old)
    assert new.source == to_bytes(after)
    assert shape(new.tree) == shape(parse(language, after).tree)
    assert shape(old.tree) == old_shape  # the old tree is somebody else's, too


@pytest.mark.parametrize("language", ["python", "javascript", "rust", "go"])
def test_an_edit_never_splits_a_character(language: str) -> None:
    """× ends a name and é goes on with it, yet both begin with the byte 0xC3: the edit has to begin before it."""
    before, after = "a = ab×\n", "a = abé\n"
    edited = parse(language, after, parse(language, before))
    assert shape(edited.tree) == shape(parse(language, after).tree)


def test_the_edit_moves_what_follows_to_its_new_row_and_column() -> None:
    before, after = to_bytes("x = 'é'; y = 2\n"), to_bytes("x = 'é\n😀'; y = 2\n")
    old = parse("python", before.decode()).tree
    assert old is not None
    last = _edited(old, before, after).root_node.descendant_for_byte_range(len(after) - 2, len(after) - 1)
    assert last is not None
    assert (last.start_byte, last.start_point) == (len(after) - 2, Point(1, len(to_bytes("😀'; y = "))))


@pytest.mark.parametrize("language", ["python", "plaintext"])
def test_an_unchanged_text_gives_the_same_tree(language: str) -> None:
    tree = parse(language, "x = 1\n")
    assert parse(language, "x = 1\n", tree) is tree
    assert parse(language, "x = 2\n", tree) is not tree


def test_a_tree_of_another_language_is_not_reused() -> None:
    other = parse("python", "x = 1\n")
    assert shape(parse("go", "x := 1\n", other).tree) == shape(parse("go", "x := 1\n").tree)


@pytest.mark.parametrize(
    "text", ["", "\0" * 1000, "\ud800 lone", "x" * 5_000_000, "(" * 20_000, "é😀\r\n\r", "\x00\xff\x1b\u2028" * 500]
)
def test_no_text_makes_parsing_fail(text: str) -> None:
    tree = parse("python", text)
    assert tree.source == to_bytes(text)
    again = parse("python", "é" + text, tree)
    assert again.source == to_bytes("é" + text)


def test_only_a_text_too_long_to_be_written_by_hand_gets_no_tree() -> None:
    assert parse("python", "x = 1\n" * 50_000).tree is not None
    assert parse("python", "x = 1\n" * 500_000).tree is None


def test_byte_offsets_count_utf8() -> None:
    assert [byte_offset("aé😀b", n) for n in range(5)] == [0, 1, 3, 7, 8]
    assert byte_offset("\ud800b", 1) == 1
    assert to_bytes("\ud800b") == b"?b"


def test_threads_parse_at_once_from_one_old_tree() -> None:
    text = "def f():\n    return 1\n" * 300
    old = parse("python", text)
    edits = [text.replace("return 1", f"return [{n}, 2]", 1 + n) for n in range(4)]
    expected = [shape(parse("python", edit).tree) for edit in edits]
    results: dict[int, Shape] = {}
    start = threading.Barrier(4)

    def work(n: int) -> None:
        start.wait()
        results[n] = shape(parse("python", edits[n], old).tree)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[n] for n in range(4)] == expected
    assert shape(old.tree) == shape(parse("python", text).tree)
