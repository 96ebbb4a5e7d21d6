"""The worker as a process: it indexes, follows changes, waits when told to, shares, and leaves."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsp_server.index.query import IndexReader
from lsp_server.index.schema import database_of, folder_of
from lsp_server.index.worker import Worker

TIMEOUT_S = 30.0


class WorkerProcess:
    """A running worker, and what it says."""

    def __init__(self, root: Path, *how: str) -> None:
        command = [sys.executable, "-P", *(how or ("-m", "lsp_server.index.worker")), "--root", str(root)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._said.put(json.loads(line))

    def wait_for(self, phase: str) -> dict[str, Any]:
        while (said := self._said.get(timeout=TIMEOUT_S))["phase"] != phase:
            pass
        return said

    def order(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()

    def leave(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(TIMEOUT_S)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("def one(): ...\n")
    return root


@pytest.fixture
def worker(root: Path) -> Iterator[WorkerProcess]:
    started = WorkerProcess(root)
    yield started
    started.process.kill()
    started.process.wait()


def names(root: Path, path: str) -> list[str]:
    reader = IndexReader.open(root)
    assert reader is not None
    try:
        return [d.name for d in reader.defined_in(path)]
    finally:
        reader.close()


def eventually(root: Path, path: str, expected: list[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while names(root, path) != expected:
        assert time.monotonic() < deadline, names(root, path)
        time.sleep(0.05)


def test_it_indexes_follows_saves_and_leaves(root: Path, worker: WorkerProcess) -> None:
    worker.wait_for("ready")
    assert names(root, "a.py") == ["one"]
    (root / "a.py").write_text("def two(): ...\n")
    eventually(root, "a.py", ["two"])
    (root / "sub").mkdir()
    (root / "sub" / "b.py").write_text("class Three: ...\n")
    eventually(root, "sub/b.py", ["Three"])
    (root / "a.py").write_text("def four(): ...\n")
    while "update_ms" not in (said := worker.wait_for("ready")):  # a pass over everything has none
        pass
    assert said["message"] == "1 changed files read"
    (root / "a.py").unlink()
    eventually(root, "a.py", [])
    (root / ".midfillignore").write_text("sub/\n")
    eventually(root, "sub/b.py", [])
    assert worker.leave() == 0


def test_names_that_are_no_utf_8_end_neither_the_pass_nor_the_watch(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    (root / name).write_text("def open_late(): ...\n")
    worker = WorkerProcess(root)
    worker.wait_for("ready")
    assert (names(root, "caf\\xe9.py"), names(root, "a.py")) == (["open_late"], ["one"])
    (root / name).write_text("def open_early(): ...\n")
    eventually(root, "caf\\xe9.py", ["open_early"])
    (root / "a.py").write_text("def two(): ...\n")
    eventually(root, "a.py", ["two"])
    assert worker.leave() == 0


def test_a_workspace_whose_name_is_no_utf_8_is_indexed(root: Path) -> None:
    inner = root / os.fsdecode(b"caf\xe9")
    inner.mkdir()
    (inner / "b.py").write_text("def inside(): ...\n")
    worker = WorkerProcess(inner)
    worker.wait_for("ready")
    assert names(inner, "b.py") == ["inside"]
    assert worker.leave() == 0


@pytest.mark.parametrize("n_files", [2, 60])
def test_after_many_files_of_a_pass_their_memory_is_given_back(
    root: Path, n_files: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A child that has parsed a repository keeps its last trees, and a heap, for texts that nobody looks at."""
    for number in range(n_files - 1):
        (root / f"z{number}.py").write_text(f"def f{number}(): ...\n")
    given: list[str] = []
    leave = threading.Event()

    def orders() -> Iterator[str]:
        leave.wait(TIMEOUT_S)
        yield from ()

    worker = Worker(root, lambda: given.append(capsys.readouterr().out))
    running = threading.Thread(target=worker.run, args=(orders(),))
    running.start()
    said = ""
    while '"ready"' not in said and running.is_alive():
        said += capsys.readouterr().out
        time.sleep(0.01)
    leave.set()
    running.join(TIMEOUT_S)
    assert not running.is_alive()
    assert len(given) == (n_files >= 50)  # before it says that it is ready
    assert '"ready"' not in "".join(given)


def test_a_second_worker_leaves_the_index_to_the_first(root: Path, worker: WorkerProcess) -> None:
    worker.wait_for("ready")
    second = WorkerProcess(root)
    second.wait_for("shared")
    assert second.process.wait(TIMEOUT_S) == 0
    assert worker.leave() == 0


def test_it_waits_while_a_completion_is_computed(root: Path, worker: WorkerProcess) -> None:
    worker.wait_for("ready")
    worker.order("pause")
    time.sleep(0.3)
    for n in range(3):
        (root / f"new{n}").mkdir()  # a folder: a pass over the workspace
        (root / f"new{n}" / "c.py").write_text("x = 1\n")
    time.sleep(1.0)
    assert names(root, "new0/c.py") == []
    worker.order("resume")
    eventually(root, "new0/c.py", ["x"])


def test_a_workspace_that_is_deleted_is_an_outcome(root: Path, worker: WorkerProcess) -> None:
    worker.wait_for("ready")
    (root / "a.py").unlink()
    root.rmdir()
    time.sleep(0.5)
    assert worker.leave() == 0


def test_an_index_that_cannot_be_written_is_told_in_words(root: Path) -> None:
    folder_of(root).parent.mkdir(parents=True)
    folder_of(root).write_text("a file where the folder should be")
    started = subprocess.run(
        [sys.executable, "-P", "-m", "lsp_server.index.worker", "--root", str(root)],
        input="", capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert "Traceback" not in started.stderr
    assert json.loads(started.stdout.splitlines()[-1])["phase"] == "failed"


# A worker whose database may have so many pages: SQLite's error is that of a full disk.
SMALL_DISK = """
import sys
from lsp_server.index import schema, worker
connect = schema._connect
def connect_small(file):
    connection = connect(file)
    connection.execute("PRAGMA max_page_count = 35")
    return connection
schema._connect = connect_small
sys.exit(worker.main())
"""


def test_a_full_disk_is_told_and_what_was_committed_stays(root: Path) -> None:
    for number in range(400):
        (root / f"z{number:03}.py").write_text(f"def function_{number}(a, b): ...\n\n\nclass Class{number}: ...\n")
    worker = WorkerProcess(root, "-c", SMALL_DISK)
    assert "make room" in worker.wait_for("failed")["message"]
    assert worker.process.wait(TIMEOUT_S) == 0
    assert names(root, "a.py") == ["one"]
    reader = IndexReader.open(root)
    assert reader is not None
    assert not reader.is_complete()
    paths = [path for (path,) in reader._db.execute("SELECT path FROM files")]
    assert 0 < len(paths) < 401
    for path in paths:  # no file is there in part
        assert reader.defined_in(path)
        assert reader.lines(path, 0, 0).startswith("def ")
    reader.close()
    after = WorkerProcess(root)  # there is room now
    after.wait_for("ready")
    assert names(root, "z399.py") == ["function_399", "Class399"]
    assert after.leave() == 0


def test_a_disk_that_fails_again_and_again_is_told(root: Path) -> None:
    broken = SMALL_DISK.replace(
        'connection.execute("PRAGMA max_page_count = 35")',
        'raise schema.sqlite3.OperationalError("disk I/O error")',
    )
    worker = WorkerProcess(root, "-c", broken)
    assert "disk I/O error" in worker.wait_for("failed")["message"]
    assert worker.process.wait(TIMEOUT_S) == 0


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_indexed_as_if_it_were_empty(root: Path) -> None:
    (root / "closed.py").write_text("def closed(): ...\n")
    (root / "closed.py").chmod(0)
    worker = WorkerProcess(root)
    worker.wait_for("ready")
    assert (names(root, "closed.py"), names(root, "a.py")) == ([], ["one"])
    assert worker.leave() == 0


def test_a_damaged_index_is_built_anew_by_itself(root: Path) -> None:
    folder_of(root).mkdir(parents=True)
    database_of(root).write_bytes(b"nonsense" * 1000)
    worker = WorkerProcess(root)
    worker.wait_for("ready")
    assert names(root, "a.py") == ["one"]
    assert worker.leave() == 0
