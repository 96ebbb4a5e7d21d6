"""Every language row, by one real sample each: look-ups, a clean parse, and what stands at marked places."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tree_sitter import Node
from tree_sitter_language_pack import get_language

from parsers.languages import LANGUAGES, PLAINTEXT, Language, by_id, for_document
from parsers.parse import SyntaxTree, byte_offset, parse
from parsers.scope import CursorKind, cursor_kind, enclosing_definition, error_count

SAMPLES = {path.stem: path for path in (Path(__file__).parent / "samples").iterdir()}


def inside(tree: SyntaxTree, word: str) -> int | None:
    """The byte offset in the middle of a marker word; None when the sample lacks it."""
    at = tree.source.upper().find(word.encode())
    return None if at < 0 else at + 3


def around(tree: SyntaxTree, offset: int) -> Iterator[Node]:
    """The nodes around an offset, the innermost first."""
    assert tree.root is not None
    node = tree.root.descendant_for_byte_range(offset, offset)
    while node is not None:
        yield node
        node = node.parent


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.id)
def test_a_real_sample_of_the_language(row: Language) -> None:
    path = SAMPLES[row.id]
    text = path.read_text()
    assert for_document(f"file:///w/{path.name}") is row
    assert all(for_document("untitled:Untitled-1", lsp_id) is row for lsp_id in row.lsp_ids)
    assert all(for_document(f"/w/{name}") is row for name in row.filenames)

    tree = parse(row.id, text)
    assert error_count(tree) == 0
    if (at := inside(tree, "INCOMMENT")) is not None:
        assert cursor_kind(tree, at) is CursorKind.COMMENT
    if (at := inside(tree, "INSTRING")) is not None:
        assert cursor_kind(tree, at) is CursorKind.STRING
    if (at := inside(tree, "INBLOCK")) is not None:
        assert cursor_kind(tree, at) is CursorKind.CODE or row.id == "json"
        assert any(node.type in row.blocks for node in around(tree, at))
        span = enclosing_definition(tree, at)
        assert (span is None) == (row.definitions == ())
        assert span is None or (span.start_byte < at < span.end_byte and span.kind in row.definitions)

    edited = text.replace("\n", "\n\n", 1)
    assert str(parse(row.id, edited, tree).root) == str(parse(row.id, edited).root)


def test_every_sample_has_the_markers_that_its_row_gives_a_meaning() -> None:
    """The parametrised test skips missing markers; this keeps samples from losing them."""
    for row in LANGUAGES:
        text = SAMPLES[row.id].read_text().upper()
        assert "INCOMMENT" in text or (row.line_comment is None and row.block_comment is None), row.id
        assert "INSTRING" in text or row.strings == (), row.id
        assert "INBLOCK" in text or row.blocks == (), row.id


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.id)
def test_every_node_type_of_a_row_is_one_of_its_grammar(row: Language) -> None:
    assert row.grammar is not None
    grammar = get_language(row.grammar)  # type: ignore[arg-type]
    known = {grammar.node_kind_for_id(n) for n in range(grammar.node_kind_count)}
    assert set(row.strings + row.comments + row.blocks + row.definitions) <= known


@pytest.mark.parametrize("row", [row for row in LANGUAGES if row.line_comment], ids=lambda row: row.id)
def test_the_comment_marker_of_a_row_begins_a_comment_up_to_the_end_of_its_line(row: Language) -> None:
    text = SAMPLES[row.id].read_text() + f"\n{row.line_comment} marked"
    tree = parse(row.id, text)
    assert cursor_kind(tree, len(tree.source)) is CursorKind.COMMENT
    assert cursor_kind(tree, len(tree.source) - len("marked")) is CursorKind.COMMENT


def test_there_are_at_least_32_languages_with_unique_keys() -> None:
    assert len(LANGUAGES) >= 32
    for column in ("extensions", "filenames", "lsp_ids"):
        values = [value for row in LANGUAGES for value in getattr(row, column)]
        assert len(values) == len(set(values)), column


@pytest.mark.parametrize(
    ("uri", "lsp_id", "expected"),
    [
        ("file:///a/b.PY", None, "python"),
        ("file:///a/b%20c.rs?x=1", None, "rust"),
        ("untitled:Untitled-1", "typescriptreact", "tsx"),
        ("file:///a/b.py", "ruby", "ruby"),
        ("file:///a/b.py", "no-such-language", "python"),
        ("file:///a/b.xyz", "no-such-language", "plaintext"),
        ("", None, "plaintext"),
    ],
)
def test_the_editors_word_comes_first_then_the_name(uri: str, lsp_id: str | None, expected: str) -> None:
    assert for_document(uri, lsp_id).id == expected


def test_an_unknown_language_is_plain_text() -> None:
    assert by_id("klingon") is PLAINTEXT
    tree = parse("klingon", "nuqneH\n")
    assert tree.tree is None
    assert error_count(tree) == 0
    assert cursor_kind(tree, byte_offset("nuqneH\n", 3)) is CursorKind.CODE
