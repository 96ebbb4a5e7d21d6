"""Brings a workspace's index in line with its files. Runs in the worker process alone.

Rules: a file's rows are replaced as a whole, in one transaction with others, so that a reader sees a file as it was
or as it is. A file that cannot be read is as good as gone. What fails for one file never stops the others.
"""

import logging
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from completion.imports import module_of
from completion.words import words
from lsp_server.index.files import FileStat, read, stat_file, walk
from lsp_server.index.schema import open_for_writing
from parsers.chunks import Chunk, chunks
from parsers.outline import Outline, ReferenceKind, outline
from parsers.parse import parse

log = logging.getLogger(__name__)

_FILES_PER_COMMIT = 50
# Beyond this the first build takes most of an hour, and somebody has opened a home folder.
_MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass over the workspace is."""

    n_done: int
    n_files: int


class IndexWriter:
    """The one writer of a workspace's index."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._db = open_for_writing(root)

    def close(self) -> None:
        """Commit what is there, and leave the database tidy for its readers."""
        self._db.commit()
        self._db.close()

    def sync(self, before_file: Callable[[Progress], None]) -> int:
        """Compare all files with the index, and read what is new or has changed; returns how many were read.

        `before_file` is called before each: it may wait, and what it raises ends the pass; what is done so far is kept.
        """
        known = {
            path: (mtime, size) for path, mtime, size in self._db.execute("SELECT path, mtime_ns, size FROM files")
        }
        changed: list[FileStat] = []
        for n_found, file in enumerate(walk(self._root)):
            if n_found >= _MAX_FILES:
                log.warning("%s has more than %d files: the rest is left out", self._root, _MAX_FILES)
                break
            if known.pop(file.path, None) != (file.mtime_ns, file.size):
                changed.append(file)
        try:
            for path in known:
                self._remove(path)
            for n_done, file in enumerate(changed):
                before_file(Progress(n_done, len(changed)))
                self._replace(file)
                if n_done % _FILES_PER_COMMIT == _FILES_PER_COMMIT - 1:
                    self._db.commit()
            self._db.execute("UPDATE totals SET complete = 1")
        finally:
            self._db.commit()
        return len(changed)

    def update(self, paths: Iterable[str]) -> int:
        """Look again at some files, by their paths in the workspace; returns how many changed."""
        n_changed = 0
        for path in paths:
            file = stat_file(self._root, path)
            row = self._db.execute("SELECT mtime_ns, size FROM files WHERE path = ?", (path,)).fetchone()
            if file is None and row is not None:
                self._remove(path)
            elif file is not None and row != (file.mtime_ns, file.size):
                self._replace(file)
            else:
                continue
            n_changed += 1
        self._db.commit()
        return n_changed

    def _replace(self, file: FileStat) -> None:
        self._remove(file.path)
        text = read(self._root, file)
        if text is None:
            text = ""  # remembered with nothing in it, so that it is not read again at every pass
        self.add(file, text)

    def add(self, file: FileStat, text: str) -> None:
        """Write a file that is not in the index."""
        tree = parse(file.language, text)
        try:
            found = outline(tree)
        except Exception:
            log.exception("no outline of %s", file.path)
            found = Outline((), (), ())
        module, folder = module_of(file.path)[-1], PurePosixPath(file.path).parent.name.lower()
        cursor = self._db.execute(
            "INSERT INTO files (path, language, mtime_ns, size, module, folder) VALUES (?, ?, ?, ?, ?, ?)",
            (file.path, file.language, file.mtime_ns, file.size, module, folder),
        )
        file_id = cursor.lastrowid
        assert file_id is not None
        self._add_outline(file_id, found)
        self._add_chunks(file_id, chunks(tree), found)

    def _add_outline(self, file_id: int, found: Outline) -> None:
        ids: list[int] = []
        for symbol in found.symbols:
            parent = None if symbol.parent is None else ids[symbol.parent]
            row = self._db.execute(
                "INSERT INTO symbols (file, name, kind, parent, line, first_line, last_line, signature, bases) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    file_id, symbol.name, symbol.kind, parent, symbol.line, symbol.first_line, symbol.last_line,
                    symbol.signature, " ".join(symbol.bases),
                ),
            )  # fmt: skip
            assert row.lastrowid is not None
            ids.append(row.lastrowid)
        self._db.executemany(
            "INSERT INTO imports VALUES (?, ?, ?, ?)", ((file_id, i.path, i.name, i.alias) for i in found.imports)
        )

    def _add_chunks(self, file_id: int, pieces: list[Chunk], found: Outline) -> None:
        calls: dict[int, list[str]] = {}
        for reference in found.references:
            if reference.kind is ReferenceKind.CALL:
                calls.setdefault(reference.line, []).append(f"{reference.name}(")
        n_words = 0
        for piece in pieces:
            in_text = [word for line in range(piece.first_line, piece.last_line + 1) for word in calls.get(line, ())]
            n_in_piece, stream = indexed(piece.text, in_text)
            n_words += n_in_piece
            row = self._db.execute(
                "INSERT INTO chunks (file, first_line, last_line, n_words, text) VALUES (?, ?, ?, ?, ?)",
                (file_id, piece.first_line, piece.last_line, n_in_piece, deflated(piece.text, in_text)),
            )
            self._db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row.lastrowid, stream))
        self._db.execute("UPDATE totals SET chunks = chunks + ?, words = words + ?", (len(pieces), n_words))

    def _remove(self, path: str) -> None:
        row = self._db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        rows = self._db.execute("SELECT id, n_words, text FROM chunks WHERE file = ?", row).fetchall()
        for chunk_id, _, blob in rows:  # an index without content has to be told what it forgets
            stream = indexed(*inflated(blob))[1]
            self._db.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (chunk_id, stream))
        self._db.execute(
            "UPDATE totals SET chunks = chunks - ?, words = words - ?", (len(rows), sum(n for _, n, _ in rows))
        )
        for table in ("chunks", "symbols", "imports"):
            self._db.execute(f"DELETE FROM {table} WHERE file = ?", row)
        self._db.execute("DELETE FROM files WHERE id = ?", row)


def indexed(text: str, calls: list[str]) -> tuple[int, str]:
    """(number of words, what the full-text index is given) of a chunk."""
    found = list(words(text))
    return len(found), " ".join([*found, *calls])


def deflated(text: str, calls: list[str]) -> bytes:
    """A chunk's text and the names it calls, as they are stored."""
    return zlib.compress("\0".join([text, *calls]).encode("utf-8", "replace"), 6)


def inflated(blob: bytes) -> tuple[str, list[str]]:
    """The opposite of `deflated`."""
    text, *calls = zlib.decompress(blob).decode("utf-8").split("\0")
    return text, calls
