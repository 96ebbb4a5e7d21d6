"""Brings a workspace's index in line with its files. Runs in the worker process alone.

Rules: a file's rows are replaced as a whole, in one transaction with others, so that a reader sees a file as it was
or as it is. A file that cannot be read is as good as gone. What fails for one file never stops the others: whatever is
raised, it is kept with nothing in it until it changes. Only a database that fails ends a pass.
"""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from completion.code.words import words
from completion.context.imports import module_of
from lsp_server.documents.file_names import shown
from lsp_server.index.files import FileStat, read, stat_file, walk
from lsp_server.index.ranking import packed
from lsp_server.index.schema import open_for_writing
from parsers.chunks import Chunk, chunks
from parsers.outline import Import, Outline, ReferenceKind, Symbol, outline
from parsers.parse import parse

log = logging.getLogger(__name__)

_FILES_PER_COMMIT = 50
# Beyond this the first build takes most of an hour, and what was opened is probably a home folder.
_MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass over the workspace is."""

    n_done: int
    n_files: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What the index keeps of a file; each chunk comes with the words for the calls in it, see `schema`."""

    symbols: tuple[Symbol, ...]
    imports: tuple[Import, ...]
    chunks: tuple[tuple[Chunk, list[str]], ...]


_NOTHING = Contents((), (), ())
# SQLite's errors that are about what is written, not about the database.
_ABOUT_A_VALUE = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


def contents_of(file: FileStat, text: str) -> Contents:
    """Parse a file and cut it. What no outline can be made of still has chunks."""
    tree = parse(file.language, text)
    try:
        found = outline(tree)
    except Exception:
        log.exception("no outline of %s", file.path)
        found = Outline((), (), ())
    calls: dict[int, list[str]] = {}
    for reference in found.references:
        if reference.kind is ReferenceKind.CALL:
            calls.setdefault(reference.line, []).append(f"{reference.name}(")
    cut = (
        (piece, [word for line in range(piece.first_line, piece.last_line + 1) for word in calls.get(line, ())])
        for piece in chunks(tree)
    )
    return Contents(found.symbols, found.imports, tuple(cut))


class IndexWriter:
    """The one writer of a workspace's index."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._db = open_for_writing(root)

    def commit(self) -> None:
        """Let readers see what has been written."""
        self._db.commit()

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
        except sqlite3.Error:
            self._db.rollback()  # the file that was being written is there as it was
            raise
        finally:
            self._db.commit()
        return len(changed)

    def update(self, paths: Iterable[str]) -> int:
        """Look again at some files, by their paths in the workspace; returns how many changed."""
        try:
            n_changed = sum(self._update(path) for path in paths)
        except sqlite3.Error:
            self._db.rollback()
            raise
        self._db.commit()
        return n_changed

    def _update(self, path: str) -> bool:
        """Whether a file was not as the index has it."""
        try:
            file = stat_file(self._root, path)
        except Exception:
            log.exception("%s is not looked at", shown(path))
            return False
        known_as = shown(path)
        row = self._db.execute("SELECT mtime_ns, size FROM files WHERE path = ?", (known_as,)).fetchone()
        if file is None and row is not None:
            self._remove(known_as)
        elif file is not None and row != (file.mtime_ns, file.size):
            self._replace(file)
        else:
            return False
        return True

    def _replace(self, file: FileStat) -> None:
        try:
            text = read(self._root, file)
            self._write(file, _NOTHING if text is None else contents_of(file, text))
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _ABOUT_A_VALUE):
                raise  # the database fails, not the file
            log.exception("%s is not indexed", file.path)
            self._remember(file)

    def _remember(self, file: FileStat) -> None:
        """Keep a file with nothing in it, so that it is not tried again at every pass."""
        try:
            self._write(file, _NOTHING)
        except _ABOUT_A_VALUE:
            log.exception("%s cannot be remembered", file.path)

    def _write(self, file: FileStat, contents: Contents) -> None:
        """Put a file in place of what is known of it, or change nothing."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        self._db.execute("SAVEPOINT one_file")
        try:
            self._remove(file.path)
            self.add(file, contents)
        except Exception:
            if self._db.in_transaction:  # a full disk takes the whole transaction with it
                self._db.execute("ROLLBACK TO one_file")
            raise
        self._db.execute("RELEASE one_file")

    def add(self, file: FileStat, contents: Contents) -> None:
        """Write a file that is not in the index. Nothing is committed."""
        module, folder = module_of(file.path)[-1], PurePosixPath(file.path).parent.name.lower()
        cursor = self._db.execute(
            "INSERT INTO files (path, language, mtime_ns, size, module, folder) VALUES (?, ?, ?, ?, ?, ?)",
            (file.path, file.language, file.mtime_ns, file.size, module, folder),
        )
        file_id = cursor.lastrowid
        assert file_id is not None
        self._add_symbols(file_id, contents.symbols)
        self._db.executemany(
            "INSERT INTO imports VALUES (?, ?, ?, ?)", ((file_id, i.path, i.name, i.alias) for i in contents.imports)
        )
        self._add_chunks(file_id, contents.chunks)

    def _add_symbols(self, file_id: int, symbols: Iterable[Symbol]) -> None:
        ids: list[int] = []
        for symbol in symbols:
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

    def _add_chunks(self, file_id: int, pieces: Sequence[tuple[Chunk, list[str]]]) -> None:
        n_words = 0
        for piece, calls in pieces:
            found = list(words(piece.text))
            n_words += len(found)
            row = self._db.execute(
                "INSERT INTO chunks (file, first_line, last_line, n_words, counts, text) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    file_id, piece.first_line, piece.last_line, len(found), packed(found),
                    deflated(piece.text, calls),
                ),
            )  # fmt: skip
            self._db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row.lastrowid, _stream(found, calls)))
        self._db.execute("UPDATE totals SET chunks = chunks + ?, words = words + ?", (len(pieces), n_words))

    def _remove(self, path: str) -> None:
        row = self._db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        rows = self._db.execute("SELECT id, n_words, text FROM chunks WHERE file = ?", row).fetchall()
        for chunk_id, _, blob in rows:  # an index without content has to be told what it forgets
            text, calls = inflated(blob)
            self._db.execute(
                "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)",
                (chunk_id, _stream(words(text), calls)),
            )
        self._db.execute(
            "UPDATE totals SET chunks = chunks - ?, words = words - ?", (len(rows), sum(n for _, n, _ in rows))
        )
        for table in ("chunks", "symbols", "imports"):
            self._db.execute(f"DELETE FROM {table} WHERE file = ?", row)
        self._db.execute("DELETE FROM files WHERE id = ?", row)


def _stream(found: Iterable[str], calls: list[str]) -> str:
    """What the full-text index is given of a chunk. It keeps no counts, so that each word is enough once."""
    return " ".join(dict.fromkeys([*found, *calls]))


def deflated(text: str, calls: list[str]) -> bytes:
    """A chunk's text and the names it calls, as they are stored."""
    return zlib.compress("\0".join([text, *calls]).encode("utf-8", "replace"), 6)


def inflated(blob: bytes) -> tuple[str, list[str]]:
    """The opposite of `deflated`."""
    text, *calls = zlib.decompress(blob).decode("utf-8").split("\0")
    return text, calls
