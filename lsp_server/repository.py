"""A workspace as a source of context: its index, and what the sources make of a cursor in one of its files.

It also knows the workspace's names (`completion.names.Names`).

Rules: for worker threads. One at a time: a lock guards the index's connection.
"""

import logging
import threading
from collections.abc import Collection
from pathlib import Path

from completion.context import Ranked, select
from completion.sources import Cursor, Item, Sources, item_of_passage, passages_of
from lsp_server.index.files import read, stat_file
from lsp_server.index.query import IndexReader
from parsers.languages import for_document
from parsers.outline import bare_outline
from parsers.parse import SyntaxTree, parse

log = logging.getLogger(__name__)

_MAX_PINNED_FILES = 20


class Repository:
    """What an indexed workspace offers to a cursor."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reader: IndexReader | None = None
        self._turn = threading.Lock()

    @classmethod
    def open(cls, root: Path) -> "Repository":
        """The repository of a workspace; it has nothing to offer until there is an index."""
        return cls(root.absolute())

    def retrieve(self, path: str, text: str, cursor: int, room_tokens: int) -> list[Ranked]:
        """The best snippets for a cursor (an offset in `text`), best first, as far as about `room_tokens` reach."""
        return [ranked for ranked in select(self.candidates(path, text, cursor), room_tokens) if not ranked.left_out]

    def candidates(self, path: str, text: str, cursor: int, tree: SyntaxTree | None = None) -> dict[str, list[Item]]:
        """What each of the index's sources proposes; nothing when there is no index. `tree` is the text's, if known."""
        tree = tree or parse(for_document(path).id, text)
        place = Cursor(path, text, text.count("\n", 0, cursor), bare_outline(tree))
        with self._turn:
            reader = self._present()
            return {} if reader is None else Sources(reader, place).all()

    def is_known(self, name: str) -> bool:
        """Whether a name stands anywhere in the workspace; True also when that cannot be told right now.

        A suggestion does not wait for its names: while somebody else reads, or the index is being made, all are known.
        """
        if not self._turn.acquire(blocking=False):
            return True
        try:
            reader = self._present()
            return reader is None or reader.is_known(name)
        finally:
            self._turn.release()

    def _present(self) -> IndexReader | None:
        """The reader of the index as it is now. For whoever has the turn."""
        if self._reader is not None and self._reader.is_replaced():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader = IndexReader.open(self._root)
        return self._reader

    def pinned(self, patterns: Collection[str]) -> list[Item]:
        """The passages of the files that patterns below the workspace name, in order; nothing outside of it."""
        found: list[Item] = []
        for path in _matching(self._root, patterns):
            file = stat_file(self._root, path)
            text = read(self._root, file) if file is not None else None
            if file is not None and text is not None:
                found += [item_of_passage(p, "pinned") for p in passages_of(path, parse(file.language, text))]
        return found

    def close(self) -> None:
        """Let go of the index."""
        with self._turn:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _matching(root: Path, patterns: Collection[str]) -> list[str]:
    """Files that glob patterns name; a pattern that makes no sense names none."""
    found: list[str] = []
    for pattern in patterns:
        try:
            files = sorted(root.glob(pattern))
        except (ValueError, NotImplementedError, OSError):  # empty, absolute, or in a folder that may not be read
            log.warning("%r is no pattern below %s (context.pinned)", pattern, root)
            continue
        found += [file.relative_to(root).as_posix() for file in files if file.is_file() and file.is_relative_to(root)]
    return found[:_MAX_PINNED_FILES]
