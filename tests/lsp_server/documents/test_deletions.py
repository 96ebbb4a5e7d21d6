"""What editors send when something is deleted, undone, replaced or trimmed, and what is then not suggested."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as t

from lsp_server.documents.deletions import Edit, _composed
from lsp_server.documents.store import Document, replaced

_ENCODING = t.PositionEncodingKind.Utf32
_CURSOR = "▮"


class Editing:
    """A document and its cursor, in an editor that sends what differs."""

    def __init__(self, marked: str) -> None:
        self.text, self.cursor = marked.replace(_CURSOR, ""), marked.index(_CURSOR)
        self.document = Document("file:///a", "python", 1, self.text)

    def change(self, *changes: tuple[int, int, str]) -> None:
        """One notification: each replaces text[begin:end]; the cursor goes behind the last."""
        edits = [self.document.apply(self._event(begin, end, text), _ENCODING) for begin, end, text in changes]
        self.document.deletions.follow(edits)
        assert self.document.text == self.text

    def _event(self, begin: int, end: int, text: str) -> t.TextDocumentContentChangePartial:
        span = t.Range(*(t.Position(*self.place(at)) for at in (begin, end)))
        self.text = self.text[:begin] + text + self.text[end:]
        self.cursor = begin + len(text)
        return t.TextDocumentContentChangePartial(range=span, text=text)

    def whole(self, marked: str) -> None:
        """The editor sends the whole document."""
        self.text, self.cursor = marked.replace(_CURSOR, ""), marked.index(_CURSOR)
        edit = self.document.apply(t.TextDocumentContentChangeWholeDocument(text=self.text), _ENCODING)
        self.document.deletions.follow([edit])

    def type(self, text: str) -> None:
        for character in text:
            self.change((self.cursor, self.cursor, character))

    def insert(self, text: str) -> None:
        self.change((self.cursor, self.cursor, text))

    def backspace(self, n: int = 1) -> None:
        for _ in range(n):
            self.change((self.cursor - 1, self.cursor, ""))

    def delete(self, n: int) -> None:
        """With the Delete key."""
        for _ in range(n):
            self.change((self.cursor, self.cursor + 1, ""))

    def place(self, at: int | None = None) -> tuple[int, int]:
        before = self.text[: self.cursor if at is None else at]
        return before.count("\n"), len(before) - before.rfind("\n") - 1

    @property
    def is_silent(self) -> bool:
        return bool(self.document.deletions.silence(*self.place()))

    def offers(self, suggested: str) -> bool:
        """Whether a suggestion at the cursor is shown, as far as deletions go."""
        line, _ = self.place()
        above = self.text[: self.cursor].splitlines(keepends=True) or [""]
        if above[-1].endswith("\n"):
            above.append("")
        n = self.document.deletions.n_lines(line)
        return not self.document.deletions.is_offered_again(line, above[-n:] if n else above[-1:], suggested)


def test_after_backspace_there_is_silence_until_something_is_typed_and_then_nothing_that_was_deleted() -> None:
    editing = Editing("total = price * 3▮\n")
    editing.backspace(9)
    assert editing.is_silent
    editing.type("p")
    assert not editing.is_silent
    assert not editing.offers("rice * 3")
    assert not editing.offers("rice * 3 + tax")
    assert editing.offers("rice * 30")
    assert editing.offers("rices")


@pytest.mark.parametrize("n_deleted", [1, 4, 9])
def test_the_delete_key_deletes_too(n_deleted: int) -> None:
    editing = Editing("total = ▮price * 3\n")
    editing.delete(n_deleted)
    assert editing.is_silent
    assert not editing.offers("price * 3"[:n_deleted])


def test_words_and_blanks_deleted_one_after_the_other_are_one_text() -> None:
    editing = Editing("    return total▮\n")
    editing.change((11, 16, ""))  # a word
    editing.backspace(1)
    editing.change((4, 10, ""))
    assert editing.is_silent
    editing.type("r")
    assert not editing.offers("eturn total")
    assert editing.offers("aise ValueError")


def test_what_is_typed_after_a_deletion_is_suggested_for() -> None:
    editing = Editing("total = price * 3▮\n")
    editing.backspace(2)
    editing.type("4")
    assert not editing.is_silent
    assert editing.offers(" + tax")


def test_a_selection_replaced_by_typing_is_typing_and_the_text_it_replaced_is_not_offered() -> None:
    editing = Editing("total = price * 3▮\n")
    editing.change((8, 17, "q"))
    assert not editing.is_silent
    editing.backspace()
    editing.type("p")
    assert not editing.offers("rice * 3")


@pytest.mark.parametrize("whole", [True, False])
def test_an_acceptance_that_is_undone_is_not_offered_again(whole: bool) -> None:
    editing = Editing("def f(a):\n    ▮\n")
    accepted = "b = a + 1\n    return b"
    editing.insert(accepted)
    assert not editing.is_silent
    if whole:
        editing.whole("def f(a):\n    ▮\n")
    else:
        editing.change((14, 14 + len(accepted), ""))
    assert editing.is_silent
    assert not editing.offers(accepted)
    editing.type("b")
    assert not editing.is_silent
    assert not editing.offers(" = a + 1")  # the first line, whole
    assert not editing.offers(accepted[1:])
    assert editing.offers(" = a + 2")


@pytest.mark.parametrize("whole", [True, False])
def test_a_deletion_that_is_undone_is_an_undo(whole: bool) -> None:
    editing = Editing("total = price▮\n")
    editing.change((8, 13, ""))
    if whole:
        editing.whole("total = price▮\n")
    else:
        editing.insert("price")
    assert editing.is_silent
    editing.type(" ")
    assert not editing.is_silent


def test_a_replaced_selection_that_is_undone_is_an_undo() -> None:
    editing = Editing("total = price▮\n")
    editing.change((8, 13, "quantity"))
    assert not editing.is_silent
    editing.change((8, 16, "price"))
    assert editing.is_silent
    assert editing.text == "total = price\n"
    editing.backspace(5)
    editing.type("q")
    assert not editing.offers("uantity")


def test_what_is_typed_anew_key_by_key_is_typing() -> None:
    editing = Editing("total = price▮\n")
    editing.backspace(1)
    editing.type("e")
    assert not editing.is_silent
    editing.backspace(1)
    editing.type("\n")
    assert not editing.is_silent


def test_a_line_end_typed_anew_with_its_indentation_is_typing() -> None:
    editing = Editing("def f():▮\n")
    editing.insert("\n    ")
    editing.change((8, 13, ""))
    editing.insert("\n    ")
    assert not editing.is_silent


@pytest.mark.parametrize("accepted", [False, True])
def test_an_editor_that_sends_whole_lines_deletes_too(accepted: bool) -> None:
    editing = Editing("a = 1\ntotal = price * 3▮\nb = 2\n")
    if accepted:  # the line goes, and comes anew, in one notification
        editing.change((6, 24, ""), (6, 6, "total = price\n"))
    else:
        editing.change((6, 23, "total = price"))
    editing.cursor = 19
    assert editing.is_silent
    assert not editing.offers(" * 3")


def test_several_cursors_delete_at_several_places() -> None:
    editing = Editing("one\ntwo▮\nsix\n")
    editing.change((10, 11, ""), (6, 7, ""), (2, 3, ""))
    editing.cursor = 5
    assert editing.text == "on\ntw\nsi\n"
    assert editing.is_silent
    assert not editing.offers("o")


def test_an_editor_that_trims_other_lines_or_formats_is_no_deletion() -> None:
    editing = Editing("a = 1   \nb = 2\t\ntotal = ▮\n")
    editing.change((14, 15, ""), (5, 8, ""))
    editing.cursor = len(editing.text) - 1
    assert not editing.is_silent
    editing.change((0, 5, "a=1"))
    editing.cursor = len(editing.text) - 1
    assert not editing.is_silent


def test_an_indentation_taken_back_is_a_deletion_where_the_cursor_stands() -> None:
    editing = Editing("if a:\n    b()\n    ▮\n")
    editing.change((14, 18, ""))
    assert editing.is_silent
    editing.cursor = 13
    assert not editing.is_silent


def test_a_deleted_line_keeps_its_place_when_lines_come_above_it() -> None:
    editing = Editing("a = 1\n▮b = compute(a)\nc = 3\n")
    editing.change((6, 21, ""))
    editing.cursor = 0
    editing.insert("import os\n\n")
    editing.cursor = editing.text.index("c = 3")
    editing.insert("\n")
    editing.cursor -= 1
    assert not editing.offers("b = compute(a)")
    editing.cursor = 0
    assert editing.offers("b = compute(a)")


def test_after_many_other_edits_it_may_be_offered_again() -> None:
    editing = Editing("total = price * 3▮\n")
    editing.backspace(9)
    editing.type("p")
    assert not editing.offers("rice * 3")
    cursor, editing.cursor = editing.cursor, len(editing.text)
    editing.type("x" * 300)
    editing.cursor = cursor
    assert editing.offers("rice * 3")


def test_windows_line_ends_make_no_difference() -> None:
    editing = Editing("def f():\r\n    a = 1\r\n    return a▮\r\n")
    editing.change((14, len(editing.text) - 2, ""))
    assert not editing.offers("a = 1\r\n    return a")
    assert not editing.offers("a = 1\n    return a")


lines = st.lists(st.text(alphabet="ab \n", max_size=6), max_size=6).map(lambda texts: [text + "\n" for text in texts])


@given(lines, st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), lines), min_size=1, max_size=4))
def test_edits_composed_are_the_edits_in_turn(before: list[str], steps: list[tuple[int, int, list[str]]]) -> None:
    now, edits = list(before), []
    for one, other, new in steps:
        begin, end = sorted(min(at, len(now)) for at in (one, other))
        edits.append(Edit(begin, tuple(now[begin:end]), tuple(new)))
        now[begin:end] = new
    assert _applied(before, _composed(edits)) == now
    assert _applied(before, [replaced(before, now)]) == now


def _applied(text: Sequence[str], edits: Sequence[Edit]) -> list[str]:
    now = list(text)
    for edit in edits:
        assert tuple(now[edit.line : edit.line + len(edit.before)]) == edit.before
        now[edit.line : edit.line + len(edit.before)] = edit.after
    return now
