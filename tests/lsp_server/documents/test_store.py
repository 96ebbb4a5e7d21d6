"""The server's text is the client's text, after any edits, in every encoding and with any line ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as t

from lsp_server.documents.store import Document, DocumentStore, index_of_units, split_lines, units_of
from tests.lsp_server.documents.places import ENCODINGS, client_position, is_position

# Line ends of every kind, separators that are *not* line ends in the protocol, and 1 to 4 byte characters.
texts = st.text(alphabet="ab \t\r\n\x0b\x0c\x1c\x85\u2028é漢😀", max_size=40)


def document(text: str) -> Document:
    return Document("file:///a", "plaintext", 1, text)


@given(texts, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), texts), max_size=12))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_after_random_edits_the_servers_text_is_the_clients(
    encoding: t.PositionEncodingKind, text: str, edits: list[tuple[int, int, str]]
) -> None:
    server = document(text)
    for first, second, new in edits:
        begin, end = sorted((first % (len(text) + 1), second % (len(text) + 1)))
        if not (is_position(text, begin) and is_position(text, end)):
            continue
        changed = t.Range(client_position(text, begin, encoding), client_position(text, end, encoding))
        text = text[:begin] + new + text[end:]
        server.apply(t.TextDocumentContentChangePartial(range=changed, text=new), encoding)
        assert server.text == text
        assert server._lines == split_lines(text)  # a line end made of two edits counts once


@given(texts, st.integers(0, 10**6))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_offset_survives_the_way_through_a_position(
    encoding: t.PositionEncodingKind, text: str, number: int
) -> None:
    offset = number % (len(text) + 1)
    if is_position(text, offset):
        assert document(text).offset(client_position(text, offset, encoding), encoding) == offset


@given(texts)
def test_lines_joined_are_the_text_and_only_the_last_has_no_end(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(line.endswith(("\n", "\r")) for line in lines[:-1])
    assert not lines[-1].endswith(("\n", "\r"))


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 99, 2), (1, 99, 6), (2, 0, 8), (2, 99, 9), (99, 0, 9), (0, 2**31 - 1, 2)],
)
def test_a_position_beyond_an_end_is_clamped_to_it(line: int, character: int, offset: int) -> None:
    assert document("ab\ncde\r\nf").offset(t.Position(line, character), t.PositionEncodingKind.Utf16) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_lone_surrogate_is_one_character_to_us(encoding: t.PositionEncodingKind) -> None:
    line = "a\ud83d b"
    units = units_of(line, encoding)
    assert index_of_units(line, units, encoding) == len(line)


def test_a_reversed_range_is_the_same_range() -> None:
    server = document("one two")
    backwards = t.Range(t.Position(0, 7), t.Position(0, 4))
    server.apply(t.TextDocumentContentChangePartial(range=backwards, text="2"), t.PositionEncodingKind.Utf16)
    assert server.text == "one 2"


def test_several_changes_of_one_notification_apply_in_order() -> None:
    store = DocumentStore()
    store.open(t.TextDocumentItem(uri="file:///a", language_id="python", version=1, text="x"))
    store.change(
        t.DidChangeTextDocumentParams(
            text_document=t.VersionedTextDocumentIdentifier(uri="file:///a", version=7),
            content_changes=[
                t.TextDocumentContentChangeWholeDocument(text="ab"),
                t.TextDocumentContentChangePartial(range=t.Range(t.Position(0, 1), t.Position(0, 1)), text="-"),
            ],
        ),
        t.PositionEncodingKind.Utf16,
    )
    kept = store.get("file:///a")
    assert kept is not None
    assert (kept.text, kept.version) == ("a-b", 7)


def test_an_edit_to_a_document_that_was_never_opened_is_ignored() -> None:
    store = DocumentStore()
    identifier = t.VersionedTextDocumentIdentifier(uri="file:///a", version=1)
    change = t.TextDocumentContentChangeWholeDocument(text="x")
    store.change(
        t.DidChangeTextDocumentParams(text_document=identifier, content_changes=[change]),
        t.PositionEncodingKind.Utf8,
    )
    assert list(store) == []


def test_no_two_texts_of_a_document_have_the_same_number_of_edits() -> None:
    store, seen = DocumentStore(), set()
    for text in ("a", "b"):  # opened twice, at the same version
        store.open(t.TextDocumentItem(uri="file:///a", language_id="plaintext", version=1, text=text))
        kept = store.get("file:///a")
        assert kept is not None
        seen.add(kept.n_edits)
        kept.apply(t.TextDocumentContentChangeWholeDocument(text=text + "c"), t.PositionEncodingKind.Utf16)
        seen.add(kept.n_edits)
        store.close("file:///a")
    assert len(seen) == 4
