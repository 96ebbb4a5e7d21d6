"""Open documents: the editor's text, kept in step edit by edit, and immutable snapshots of it.

A document is a list of lines, so that an edit costs what it touches. (pygls's own store splits lines at
form feeds and other separators that the protocol does not count, and copies the text at every edit.)

Rules: the only place, with `convert`, that knows position encodings. Positions beyond a line's or the
document's end are clamped to it, as the protocol says. No I/O; edits stay under 2 ms. Whether a text is another one is
told by `n_edits` alone: editors' versions stand still, or begin anew when a document is opened again.
"""

import io
import itertools
import time
from collections.abc import Iterator

from lsprotocol import types as t

from completion.code.lines import same_ends
from completion.next_edit.edits import RecentEdits
from lsp_server.documents.deletions import Deletions, Edit

# Of all documents of this process.
_EDITS = itertools.count(1)


def split_lines(text: str) -> list[str]:
    """Lines with their ends; the last has none and may be empty. At least one."""
    lines = list(io.StringIO(text, newline=""))  # at \n, \r\n and \r alone, and at the speed of C
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def index_of_units(line: str, units: int, encoding: t.PositionEncodingKind | str) -> int:
    """The code-point index in a line of a position given in the encoding's units; clamped to the line's text."""
    content = line.rstrip("\r\n")
    if encoding == t.PositionEncodingKind.Utf32 or content.isascii():
        return min(units, len(content))
    seen = 0
    for index, character in enumerate(content):
        if seen >= units:
            return index
        seen += units_of(character, encoding)
    return len(content)


def units_of(text: str, encoding: t.PositionEncodingKind | str) -> int:
    """Length of a text in the encoding's units."""
    if encoding == t.PositionEncodingKind.Utf32 or text.isascii():
        return len(text)
    if encoding == t.PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return sum(2 if ord(character) > 0xFFFF else 1 for character in text)


def replaced(before: list[str], after: list[str], line: int = 0) -> Edit:
    """The edit that puts some lines in place of others, which begin in the line `line`: of them, those that differ."""
    begin, n_end = same_ends(before, after)
    return Edit(line + begin, tuple(before[begin : len(before) - n_end]), tuple(after[begin : len(after) - n_end]))


class Document:
    """One open document."""

    def __init__(self, uri: str, language_id: str, version: int, text: str) -> None:
        self.uri, self.language_id, self.version = uri, language_id, version
        self.n_edits = next(_EDITS)  # how many there had been of all documents when it was last as it is: never twice
        self.deletions = Deletions()
        self._lines = split_lines(text)
        self._text: str | None = text

    @property
    def text(self) -> str:
        """The whole text; joined when first asked for after an edit."""
        if self._text is None:
            self._text = "".join(self._lines)
        return self._text

    @property
    def n_lines(self) -> int:
        """How many lines there are; at least one."""
        return len(self._lines)

    def line(self, number: int) -> str:
        """A line with its end; "" beyond the last."""
        return self._lines[number] if 0 <= number < len(self._lines) else ""

    def apply(self, change: t.TextDocumentContentChangeEvent, encoding: t.PositionEncodingKind | str) -> Edit:
        """Apply one change of a didChange notification; what it makes of the lines."""
        self.n_edits = next(_EDITS)
        if isinstance(change, t.TextDocumentContentChangeWholeDocument):
            before, self._lines, self._text = self._lines, split_lines(change.text), change.text
            return replaced(before, self._lines)
        first, begin = self.locate(change.range.start, encoding)
        last, end = self.locate(change.range.end, encoding)
        if (last, end) < (first, begin):
            first, begin, last, end = last, end, first, begin
        head, tail = self._lines[first][:begin], self._lines[last][end:]
        # A "\r" and a "\n" that an edit brings together are one line end: look one line further each way.
        if first > 0 and self._lines[first - 1].endswith("\r"):
            first -= 1
            head = self._lines[first] + head
        if last + 1 < len(self._lines):
            last += 1
            tail += self._lines[last]
        # The pieces in between end with a line end unless they reach the document's last line.
        new = split_lines(head + change.text + tail)
        if last + 1 < len(self._lines) and new[-1] == "":
            new.pop()
        edit = replaced(self._lines[first : last + 1], new, first)
        self._lines[first : last + 1] = new
        self._text = None
        return edit

    def locate(self, position: t.Position, encoding: t.PositionEncodingKind | str) -> tuple[int, int]:
        """Line number and code-point index of a position, clamped into the document."""
        if position.line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        return position.line, index_of_units(self._lines[position.line], position.character, encoding)

    def offset(self, position: t.Position, encoding: t.PositionEncodingKind | str) -> int:
        """Code-point offset of a position in `text`."""
        line, index = self.locate(position, encoding)
        return sum(map(len, self._lines[:line])) + index


class DocumentStore:
    """The open documents by URI."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self.edits = RecentEdits()

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents.values())

    def open(self, item: t.TextDocumentItem) -> None:
        """Start keeping a document; one that is open already is replaced."""
        self.edits.forget(item.uri)
        self._documents[item.uri] = Document(item.uri, item.language_id, item.version, item.text)

    def change(self, params: t.DidChangeTextDocumentParams, encoding: t.PositionEncodingKind | str) -> None:
        """Apply an edit; one to a document that was never opened is ignored."""
        if document := self._documents.get(params.text_document.uri):
            edits = [document.apply(change, encoding) for change in params.content_changes]
            document.deletions.follow(edits)
            for edit in edits:
                before, after = (tuple(line.rstrip("\r\n") for line in lines) for lines in (edit.before, edit.after))
                self.edits.follow(document.uri, edit.line, before, after, time.monotonic())
            document.version = params.text_document.version

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)

    def get(self, uri: str) -> Document | None:
        """An open document, or None."""
        return self._documents.get(uri)
