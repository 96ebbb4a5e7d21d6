"""The index on disk: one SQLite database per workspace, in the cache. Opened here by the worker and by readers.

    files    one row per file; `module` and `folder` are what an import may call it by its last name
    symbols  definitions, with ranges of lines and signatures; `parent` is the enclosing one's id
    imports  as they are spelled, see `imports.py`
    chunks   pieces of files by syntax, their text deflated, and the counts of their words, see `ranking.py`
    words    full-text index over chunks: which contain a word, or call a name (the word "name(")
    totals   one row: chunks, and words in them

Rules: WAL, so that readers never wait for the one writer. A database that is damaged, or of another version, is
removed and built anew: it holds nothing that the workspace does not.
"""

import hashlib
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lsp_server.documents.file_names import shown
from model.library.paths import cache_dir
from model.library.system import try_lock
from parsers.query_files import QUERY_FOLDER

log = logging.getLogger(__name__)

# Raised when the same text is to be read differently and neither the schema nor a query file says so.
_REVISION = 2
_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, language TEXT NOT NULL, mtime_ns INTEGER NOT NULL,
    size INTEGER NOT NULL, module TEXT NOT NULL, folder TEXT NOT NULL
);
CREATE INDEX files_module ON files (module);
CREATE INDEX files_folder ON files (folder);
CREATE TABLE symbols (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, parent INTEGER,
    line INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL,
    signature TEXT NOT NULL, bases TEXT NOT NULL
);
CREATE INDEX symbols_name ON symbols (name);
CREATE INDEX symbols_file ON symbols (file);
CREATE TABLE imports (file INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL);
CREATE INDEX imports_file ON imports (file);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL,
    n_words INTEGER NOT NULL, counts BLOB NOT NULL, text BLOB NOT NULL
);
CREATE INDEX chunks_file ON chunks (file);
CREATE VIRTUAL TABLE words USING fts5 (
    text, content='', columnsize=0, detail=none, tokenize="unicode61 remove_diacritics 0 tokenchars '_('"
);
CREATE VIRTUAL TABLE word_counts USING fts5vocab (words, row);
CREATE TABLE totals (chunks INTEGER NOT NULL, words INTEGER NOT NULL, complete INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0, 0);
"""


@cache
def version() -> int:
    """The version of a database that this code writes: it follows the schema and the languages' query files."""
    parts = [str(_REVISION), _SCHEMA, *(file.read_text(encoding="utf-8") for file in sorted(QUERY_FOLDER.iterdir()))]
    return zlib.crc32("\0".join(parts).encode()) >> 1 | 1


def index_dir() -> Path:
    """The folder with one folder per workspace."""
    return cache_dir() / "index"


def folder_of(root: Path) -> Path:
    """A workspace's folder in the cache. Its name holds the workspace's, so that people can tell them apart."""
    root = root.absolute()
    return index_dir() / f"{shown(root.name) or 'root'}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


def database_of(root: Path) -> Path:
    """A workspace's database."""
    return folder_of(root) / "index.sqlite"


@contextmanager
def writer_lock(folder: Path) -> Iterator[bool]:
    """Whether this process is now an index's one writer, for as long as the context lasts. OSError when the folder
    cannot be made or written."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        yield try_lock(lock)


def open_for_writing(root: Path) -> sqlite3.Connection:
    """The one writer's connection; what is damaged or of another version is replaced by an empty database."""
    folder = folder_of(root)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "workspace").write_text(f"{shown(str(root.absolute()))}\n", encoding="utf-8")
    file = database_of(root)
    try:
        return _connect(file)
    except sqlite3.DatabaseError as error:
        if is_full(error):
            raise
        log.warning("the index of %s is built anew: %s", root, error)
        remove(file)
        return _connect(file)


def open_for_reading(root: Path) -> sqlite3.Connection | None:
    """A reader's connection, usable from any thread but by one at a time; None when there is no index yet."""
    file = database_of(root)
    if not file.exists():
        return None
    try:
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=1.0)
    except sqlite3.Error:  # it went in this moment, or nothing more can be opened
        return None
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == version():
            return connection
    except sqlite3.DatabaseError:  # the worker will find out, and build it anew
        pass
    connection.close()
    return None


def remove(file: Path) -> None:
    """Delete a database with all that SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{file}{ending}").unlink(missing_ok=True)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30.0)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, version()):
            raise sqlite3.DatabaseError(f"it is of version {found}, not {version()}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -64000")
        if found == 0:
            connection.executescript(_SCHEMA + f"PRAGMA user_version = {version()};")
        elif (verdict := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(verdict)
    except BaseException:
        connection.close()
        raise
    return connection


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk is full, or may not be written to."""
    return getattr(error, "sqlite_errorcode", None) in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    )
