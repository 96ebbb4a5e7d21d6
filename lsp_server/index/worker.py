"""The process that keeps one workspace's index: `python -I -m lsp_server.index.worker --root DIR`.

It reads orders, one a line, on standard input ("pause", "resume"; its end ends the process) and writes what it does as
JSON lines on standard output: {"phase": ..., "message": ...}, during a pass with "n_done" and "n_files", after
a save with "update_ms".

Rules: one worker per workspace holds the lock; another one says so and leaves. It takes only processor time
that nobody else wants. A full disk, a workspace that is gone and a database that breaks are outcomes, not tracebacks.
"""

import argparse
import contextlib
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import watchfiles

from lsp_server.documents.file_names import shown
from lsp_server.grammars import kept_out
from lsp_server.index.ignore import IGNORE_FILES
from lsp_server.index.schema import database_of, folder_of, is_full, remove, writer_lock
from lsp_server.index.state import IndexPhase
from lsp_server.index.write import IndexWriter, Progress

log = logging.getLogger(__name__)

# A file is read when nothing has changed for a step, 50 to 100 ms after the write, or after 150 ms of changes. One that
# is read half-written is read again when the rest comes. A shorter step would save 30 ms of a save's 90, but
# `watchfiles` wakes once a step as long as the worker lives: 20 times a second is enough for an idle laptop.
_DEBOUNCE_MS, _STEP_MS = 150, 50
# Where the system cannot watch so many folders, they are looked through this often.
_LOOK_AGAIN_S = 30.0
_WATCH_AGAIN_S = 2.0
_FIRST_LOOK_MS = 500
_MANY_CHANGES = 200
# After so many files of a pass the memory that their trees took is given back: 150 MB after 340 files of Pygments.
_MUCH_READ = 50
_REPORT_EVERY_S = 0.2


class _Stop(Exception):
    """The process that started us is gone, or wants us to go."""


class Worker:
    """One workspace's index, from the first pass to the last change.

    `give_back` lets go of what was needed to read many files.
    """

    def __init__(self, root: Path, give_back: Callable[[], None] = lambda: None) -> None:
        self._root, self._give_back = root, give_back
        self._go, self._stop = threading.Event(), threading.Event()
        self._go.set()
        self._reported_at = 0.0

    def run(self, orders: Iterable[str]) -> None:
        """Index, then follow the workspace until `orders` ends."""
        threading.Thread(target=self._obey, args=(orders,), daemon=True).start()
        try:
            with writer_lock(folder_of(self._root)) as is_ours, contextlib.suppress(_Stop):
                if is_ours:
                    self._keep()
                else:
                    _report(IndexPhase.SHARED, "another window keeps this index")
        except OSError as error:
            _report(IndexPhase.FAILED, f"the index cannot be written: {error}")

    def _keep(self) -> None:
        for is_last_try in (False, True):
            try:
                self._follow()
                return
            except sqlite3.DatabaseError as error:
                if is_full(error):  # what has been committed stays, for readers and for the next worker
                    advice = "make room on the disk of the cache"
                elif is_last_try:
                    advice = "is there room on the disk of the cache, and is it sound?"
                else:
                    log.warning("the index of %s broke, and is built anew: %s", self._root, error)
                    remove(database_of(self._root))
                    continue
                _report(IndexPhase.FAILED, f"the index cannot be written ({error}): {advice}")
                return

    def _follow(self) -> None:
        writer = IndexWriter(self._root)
        try:
            self._sync(writer)
            for paths in self._changes():
                began = time.perf_counter()
                if self._needs_sync(paths):
                    self._sync(writer)
                elif n_changed := writer.update(sorted(paths)):
                    took_ms = 1e3 * (time.perf_counter() - began)
                    log.info("read %d changed files in %.0f ms", n_changed, took_ms)
                    _report(IndexPhase.READY, f"{n_changed} changed files read", {"update_ms": round(took_ms, 1)})
        finally:
            with contextlib.suppress(sqlite3.Error):
                writer.close()

    def _sync(self, writer: IndexWriter) -> None:
        if not self._root.is_dir():
            _report(IndexPhase.FAILED, f"{shown(str(self._root))} is not there any more; its index is kept")
            return
        began = time.perf_counter()
        n_read = writer.sync(self._before_file)
        if n_read >= _MUCH_READ:
            self._give_back()
        _report(IndexPhase.READY, f"{n_read} files read in {time.perf_counter() - began:.1f} s")

    def _before_file(self, progress: Progress) -> None:
        while not self._go.wait(1.0) and not self._stop.is_set():
            pass
        if self._stop.is_set():
            raise _Stop
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            counts = {"n_done": progress.n_done, "n_files": progress.n_files}
            _report(IndexPhase.INDEXING, f"{progress.n_done} of {progress.n_files} files", counts)

    def _changes(self) -> Iterator[set[str]]:
        """Paths that changed, relative to the workspace; an empty set means: look at everything."""
        wait_s = _WATCH_AGAIN_S
        while not self._stop.is_set():
            is_first = True
            try:
                for changes in watchfiles.watch(
                    self._root, watch_filter=_is_of_interest, debounce=_DEBOUNCE_MS, step=_STEP_MS,
                    stop_event=self._stop, raise_interrupt=False, ignore_permission_denied=True,
                    rust_timeout=_FIRST_LOOK_MS, yield_on_timeout=True,
                ):  # fmt: skip
                    if is_first:  # something may have changed after the pass and before the watch began
                        is_first = False
                        yield set()
                    elif changes:
                        yield {Path(path).relative_to(self._root).as_posix() for _, path in changes}
            except (OSError, ValueError, watchfiles._rust_notify.WatchfilesRustInternalError) as error:
                log.info("%s is not watched: %s", self._root, error)
            # A name that is no UTF-8 ends a watch, and does not keep the next from working; a folder that cannot be
            # watched at all is looked through, less and less often.
            wait_s = min(2 * wait_s, _LOOK_AGAIN_S) if is_first else _WATCH_AGAIN_S
            if self._stop.wait(wait_s):
                return
            if is_first:
                yield set()

    def _needs_sync(self, paths: set[str]) -> bool:
        if not paths or len(paths) > _MANY_CHANGES:
            return True
        if any(path.rsplit("/", 1)[-1] in IGNORE_FILES for path in paths):
            return True
        # A folder that came or went took its files with it, of which nobody tells.
        return any((self._root / path).is_dir() or not Path(path).suffix for path in paths)

    def _obey(self, orders: Iterable[str]) -> None:
        for order in orders:
            match order.strip():
                case "pause":
                    self._go.clear()
                case "resume":
                    self._go.set()
        self._stop.set()
        self._go.set()


def _is_of_interest(change: watchfiles.Change, path: str) -> bool:
    parts = Path(path).parts
    return not any(part in ("node_modules", "__pycache__", ".git", ".hg", ".svn") for part in parts)


def _report(phase: IndexPhase, message: str, numbers: Mapping[str, float] | None = None) -> None:
    sys.stdout.write(json.dumps({"phase": phase, "message": message, **(numbers or {})}) + "\n")
    sys.stdout.flush()


def _be_humble() -> None:
    """Run only when nobody else wants the processor; what the system does not offer is left out."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--root", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    _be_humble()
    with contextlib.suppress(BrokenPipeError), kept_out() as guard:
        Worker(args.root.absolute(), guard.renew).run(sys.stdin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
