"""A workspace as a source of context: its index, and what the sources make of a cursor in one of its files.

It also knows the workspace's names (`completion.filters.names.Names`).

Rules: for worker threads. One at a time: a lock guards the index's connection.
"""

import logging
import threading
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from completion.context.selection import Ranked, select
from completion.context.sources import Cursor, Item, Sources, item_of_passage, passages_of
from completion.filters.members import Members, members_of
from completion.next_edit.imports import imports_alone
from lsp_server.index.files import FileStat, pinned_file, read, stat_file
from lsp_server.index.ignore import Levels
from lsp_server.index.query import IndexReader
from parsers.languages import by_id, for_document
from parsers.outline import bare_outline
from parsers.parse import SyntaxTree, parse

log = logging.getLogger(__name__)

_MAX_PINNED_FILES = 20
# Files whose imports are looked at, and how far down: each costs half a millisecond, and most of a few say as much.
_MAX_IMPORTERS, _MAX_HEADER_LINES = 12, 120


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
        place = Cursor(path, tree.language, text, text.count("\n", 0, cursor), bare_outline(tree))
        with self._turn:
            reader = self._present()
            return {} if reader is None else Sources(reader, place).all()

    def generation(self) -> int | None:
        """A number that changes with the index; None when there is none."""
        with self._turn:
            reader = self._present()
            return None if reader is None else reader.generation()

    def stamps(self, paths: Collection[str], generation: int) -> dict[str, tuple[int, ...]]:
        """What tells the indexed texts of files from others; {} when the index is not of that generation any more."""
        with self._turn:
            reader = self._present()
            if reader is None:
                return {}
            found = reader.stamps(paths)
            return found if reader.generation() == generation else {}

    def is_known(self, name: str) -> bool:
        """Whether a name stands anywhere in the workspace; True also when that cannot be told right now.

        A suggestion does not wait for its names: while another one reads, or the index is being made, all are known.
        """
        if not self._turn.acquire(blocking=False):
            return True
        try:
            reader = self._present()
            return reader is None or reader.is_known(name)
        finally:
            self._turn.release()

    def files_with(self, name: str, language: str, limit: int) -> list[str]:
        """The paths of files of a language that may use a name of another file.

        Where files see each other without an import, all that it stands in; else those that import it.
        """
        with self._turn:
            reader = self._present()
            if reader is None:
                return []
            paths = reader.using(name, limit) if by_id(language).folder_scope else reader.importers(name, limit)
        return [path for path in paths if for_document(path).id == language]

    def text_of(self, path: str) -> str | None:
        """A file as it is on the disk now; None when it is no source any more."""
        file = stat_file(self._root, path)
        return None if file is None else read(self._root, file)

    def import_lines(self, names: Collection[str], language: str) -> dict[str, str]:
        """By name the line by which most files of a language import it; nothing for one that none imports alone."""
        with self._turn:
            reader = self._present()
            if reader is None:
                return {}
            places = {name: reader.importers(name, _MAX_IMPORTERS) for name in names}
            ours = {path for where in places.values() for path in where if for_document(path).id == language}
            heads = reader.heads(sorted(ours), _MAX_HEADER_LINES)
        found: dict[str, str] = {}
        for name, where in places.items():
            lines = (line for path in where for line in dict.fromkeys(heads.get(path, ())) if name in line)
            alone = Counter(line.strip() for line in lines if imports_alone(line, name))
            if alone:
                found[name] = alone.most_common(1)[0][0]
        return found

    def uri_of(self, path: str) -> str:
        """The address of a file of the workspace."""
        return (self._root / path).as_uri()

    def members(self, class_name: str) -> Members | None:
        """What the workspace's classes of a name have; None also when that cannot be told right now."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            reader = self._present()
            return members_of(reader, class_name) if reader is not None and reader.is_complete() else None
        finally:
            self._turn.release()

    def _present(self) -> IndexReader | None:
        """The reader of the index as it is now. For the caller that holds the turn."""
        if self._reader is not None and self._reader.is_replaced():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader = IndexReader.open(self._root)
        return self._reader

    def pinned(self, patterns: Collection[str]) -> list[Item]:
        """The passages of the files that patterns below the workspace name, in order; nothing outside of it.

        A user who pins a file has said that it is a source: no ignore rule holds for it, but secrets are left out.
        """
        found: list[Item] = []
        for file in _matching(self._root, patterns):
            text = read(self._root, file)
            if text is not None:
                found += [item_of_passage(p, "pinned") for p in passages_of(file.path, parse(file.language, text))]
        return found

    def close(self) -> None:
        """Let go of the index."""
        with self._turn:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _matching(root: Path, patterns: Collection[str]) -> list[FileStat]:
    """Files that glob patterns name; a pattern that makes no sense names none.

    Of one pattern's files those that ignore rules leave out count only where there are no others: `**/*.md` means no
    dependency's.
    """
    found: dict[str, FileStat] = {}
    levels = Levels(root)
    for pattern in patterns:
        try:
            files = sorted(root.glob(pattern))
        except (ValueError, NotImplementedError, OSError):  # empty, absolute, or in a folder that may not be read
            log.warning("%r is no pattern below %s (context.pinned)", pattern, root)
            continue
        paths = [file.relative_to(root).as_posix() for file in files if file.is_file() and file.is_relative_to(root)]
        pinned = [file for path in paths if (file := pinned_file(root, path)) is not None]
        sources = [file for file in pinned if levels.file(file.on_disk or file.path)]
        found |= {file.path: file for file in sources or pinned}
    return list(found.values())[:_MAX_PINNED_FILES]
