"""What midfill remembers of its use, for `midfill stats` and `midfill why`: a SQLite file in the user's state folder.

`History` writes for a server; `midfill stats` and `midfill why` read through `read_events` and `read_explanations`.

Rules: nothing is ever sent anywhere. Folder 0700, file 0600; deleted text is overwritten. Several windows write at
once. Writes happen in a thread of their own, a second's worth in one transaction, and none can disturb a completion:
the first failure is logged, and nothing is written for a while. The file is opened for every batch, so that it may
be erased at any time: without a write-ahead log, since windows that begin or end one at the same moment are refused
at once (`database is locked`), however long they would wait. Times are seconds since the epoch.
"""

import contextlib
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from model.library.paths import state_dir

log = logging.getLogger(__name__)

MAX_EXPLANATIONS = 50
# The kind of an event beside "accepted": it was another item of the answer than the first.
INSTEAD = "instead"
_EVENT_DAYS = 400  # a year, and what it takes to compare it with the one before
_BATCH_S, _BUSY_S = 1.0, 5.0
_PAUSE_S = 600.0  # after a failure; a full disk may have room again
_LEAVE_S = 2.0  # how long a server that leaves waits for its last batch
_MAX_WAITING = 10_000
_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    at REAL NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, language TEXT NOT NULL, mode TEXT NOT NULL,
    characters INTEGER NOT NULL, latency_ms REAL NOT NULL, reused INTEGER NOT NULL, probability REAL, share REAL,
    early INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS events_at ON events (at);
CREATE TABLE IF NOT EXISTS traces (number INTEGER PRIMARY KEY, id TEXT NOT NULL, explanation TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS next_edits (number INTEGER PRIMARY KEY, id TEXT NOT NULL, explanation TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a suggestion; no source text. All events of a suggestion have its id."""

    at: float
    id: str
    kind: (
        str  # a `lsp_server.usage.acceptance.Fate`; "kept" or "changed": how much of an accepted text stood; or INSTEAD
    )
    language: str
    mode: str
    characters: int  # shown, accepted or looked for
    latency_ms: float  # from the request to its answer
    reused: bool
    probability: float | None  # that it is kept in whole
    share: float | None = None  # of an accepted text that still stood
    early: bool = False  # looked before the five minutes were over: the document or the editor was closed


@dataclass(frozen=True, slots=True)
class Note:
    """What became known of an answer after its explanation was written."""

    id: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NextEditAnswer:
    """The explanation of an answer to a request for next edits; it has an "id"."""

    explanation: dict[str, Any]


# A dict is the explanation of an answer to a request for a completion; it has an "id".
Entry = Event | Note | NextEditAnswer | dict[str, Any]

_COLUMNS = [field.name for field in fields(Event)]


class BrokenHistory(Exception):
    """The file cannot be read; the message says what to do."""


def history_file() -> Path:
    """Where the statistics are."""
    return state_dir() / "history.sqlite"


class History:
    """Writes events and explanations to a file, until `stop`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._waiting: queue.Queue[Entry | None] = queue.Queue(_MAX_WAITING)
        self._told = False
        self._paused_until = 0.0
        # A daemon thread: a disk that hangs must not keep the server from leaving.
        self._writer = threading.Thread(target=self._write_batches, name="history", daemon=True)
        self._writer.start()

    def add(self, entry: Entry) -> None:
        """Have an event, the explanation of an answer or a note on it written. Never waits."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(entry)

    def stop(self) -> None:
        """Have what is waiting written, and nothing more."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)

    def join(self) -> None:
        """After `stop`: block until all is written, for a few seconds at most."""
        self._writer.join(_LEAVE_S)

    def _write_batches(self) -> None:
        closed = False
        while not closed:
            batch = [self._waiting.get()]
            deadline = time.monotonic() + _BATCH_S
            while batch[-1] is not None and (left := deadline - time.monotonic()) > 0:
                with contextlib.suppress(queue.Empty):
                    batch.append(self._waiting.get(timeout=left))
            closed = batch[-1] is None
            if time.monotonic() >= self._paused_until:
                self._write([entry for entry in batch if entry is not None])

    def _write(self, batch: Sequence[Entry]) -> None:
        try:
            if batch:
                write(self._file, batch)
        except (sqlite3.Error, OSError) as error:
            self._paused_until = time.monotonic() + _PAUSE_S
            if not self._told:
                self._told = True
                log.warning("statistics pause: %s: %s", self._file, error)
        except Exception:  # something in the batch that no file can hold; the next ones may be sound
            log.exception("a batch of statistics is lost")


def write(file: Path, batch: Sequence[Entry]) -> None:
    """Write a batch in one transaction; OSError or sqlite3.Error when that fails."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.parent.stat().st_mode & 0o077:
        file.parent.chmod(0o700)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's files beside it get the same mode
    values = [tuple(asdict(entry).values()) for entry in batch if isinstance(entry, Event)]
    explanations = {
        "traces": [entry for entry in batch if isinstance(entry, dict)],
        "next_edits": [entry.explanation for entry in batch if isinstance(entry, NextEditAnswer)],
    }
    with _opened(file) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            database.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
        with database:
            marks = ", ".join("?" * len(_COLUMNS))
            database.executemany(f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({marks})", values)
            database.execute("DELETE FROM events WHERE at < ?", (time.time() - 86_400 * _EVENT_DAYS,))
            for table, known in explanations.items():
                rows = [(each["id"], json.dumps(each)) for each in known]
                database.executemany(f"INSERT INTO {table} (id, explanation) VALUES (?, ?)", rows)
                for note in batch:
                    if isinstance(note, Note):
                        _add_facts(database, table, note)
                newest = f"SELECT number FROM {table} ORDER BY number DESC LIMIT ?"
                database.execute(f"DELETE FROM {table} WHERE number NOT IN ({newest})", (MAX_EXPLANATIONS,))


def _add_facts(database: sqlite3.Connection, table: str, note: Note) -> None:
    known = f"SELECT number, explanation FROM {table} WHERE id = ?"
    for number, text in database.execute(known, (note.id,)).fetchall():
        explanation = json.dumps(json.loads(text) | note.facts)
        database.execute(f"UPDATE {table} SET explanation = ? WHERE number = ?", (explanation, number))


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(file, timeout=_BUSY_S)
    try:
        database.execute("PRAGMA secure_delete = ON")
        yield database
    finally:
        database.close()


def read_events(file: Path, since: float) -> list[Event]:
    """The events since a time, oldest first; BrokenHistory when the file is damaged."""
    rows = _read(file, f"SELECT {', '.join(_COLUMNS)} FROM events WHERE at >= ? ORDER BY at", (since,))
    return [Event(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def read_explanations(file: Path, n_last: int) -> list[dict[str, Any]]:
    """The last explanations, the newest first, each with its "fate" (and "keptShare") as far as known."""
    rows = _read(file, "SELECT id, explanation FROM traces ORDER BY number DESC LIMIT ?", (n_last,))
    explanations = []
    for suggestion_id, text in rows:
        explanation: dict[str, Any] = json.loads(text)
        known = "SELECT kind, share FROM events WHERE id = ? AND kind != ? ORDER BY at"
        for kind, share in _read(file, known, (suggestion_id, INSTEAD)):
            explanation |= {"fate": kind} if share is None else {"keptShare": share}
        explanations.append(explanation)
    return explanations


def read_next_edits(file: Path, n_last: int) -> list[dict[str, Any]]:
    """The last answers to requests for next edits, the newest first."""
    query = "SELECT explanation FROM next_edits ORDER BY number DESC LIMIT ?"
    return [json.loads(text) for (text,) in _read(file, query, (n_last,), version=2)]


def _read(file: Path, query: str, values: tuple[Any, ...], *, version: int = 1) -> list[tuple[Any, ...]]:
    if not file.exists():
        return []
    try:
        with _opened(file) as database:
            if database.execute("PRAGMA user_version").fetchone()[0] < version:
                return []  # made, and nothing written yet; or by an older server
            return database.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise BrokenHistory(f"{file} cannot be read ({error}); `midfill stats --erase` starts a new one") from error


def erase(file: Path) -> None:
    """Delete all that is remembered, so that its text is not on the disk any more. OSError when it cannot be."""
    if not file.exists():
        return
    try:
        with _opened(file) as database:
            database.executescript(
                f"{_SCHEMA} DELETE FROM events; DELETE FROM traces; DELETE FROM next_edits;"
                f" VACUUM; PRAGMA user_version = {_VERSION}; PRAGMA wal_checkpoint(TRUNCATE);"
            )
    except sqlite3.Error:  # damaged
        for suffix in ("", "-journal", "-wal", "-shm"):  # the last two of files that were made with such a log
            Path(f"{file}{suffix}").unlink(missing_ok=True)
