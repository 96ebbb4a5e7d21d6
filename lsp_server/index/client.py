"""Starts a workspace's index worker and follows what it says; one per workspace folder of an editor window.

Rules: the event loop never waits for the worker. A worker that dies, or cannot be started, is started again, less and
less often, and the state says why; when another window's worker keeps the index, this one looks again now and then
whether that is still so. Nothing but `close` ends that.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from lsp_server.index.schema import folder_of
from lsp_server.index.state import IndexPhase, IndexState
from model.link import tasks

log = logging.getLogger(__name__)

_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 60.0
_SHARED_RETRY_S = 10.0
_LEAVE_S = 2.0


class IndexClient:
    """One workspace's worker process."""

    def __init__(self, root: Path, on_state: Callable[[IndexState], None]) -> None:
        self.root = root
        self.state = IndexState(IndexPhase.INDEXING, "not started yet")
        self._on_state = on_state
        self._process: asyncio.subprocess.Process | None = None
        self._paused = False
        self._task = tasks.start(self._run(), f"index of {root}")
        self._retry_s = _FIRST_RETRY_S

    def pause(self, paused: bool) -> None:
        """Have the worker wait while a completion is computed."""
        if paused != self._paused:
            self._paused = paused
            self._order("pause" if paused else "resume")

    async def close(self) -> None:
        """End the worker; what it has written stays."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        def on_failure(error: Exception) -> None:
            self._set(IndexState(IndexPhase.FAILED, f"internal error with the index worker: {error}"))

        await tasks.again_and_again(self._step, on_failure, _FIRST_RETRY_S)

    async def _step(self) -> None:
        """One worker, and the wait for the next one."""
        try:
            await self._run_once()
        except OSError as error:
            self._set(IndexState(IndexPhase.FAILED, f"the index worker cannot be run: {error}"))
        if self.state.phase is IndexPhase.SHARED:
            self._retry_s = _FIRST_RETRY_S
            await asyncio.sleep(_SHARED_RETRY_S)
            return
        log.info("the index worker of %s ended; again in %.0f s", self.root, self._retry_s)
        await asyncio.sleep(self._retry_s)
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)

    async def _run_once(self) -> None:
        """One worker from its start to its end."""
        folder, before = folder_of(self.root), self.state
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            log_file = (folder / "worker.log").open("w")
        except OSError as error:
            self._set(IndexState(IndexPhase.FAILED, f"{folder} cannot be written: {error.strerror}"))
            return
        with log_file:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", "lsp_server.index.worker", "--root", str(self.root),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log_file, cwd="/",
            )  # fmt: skip
        try:
            if self._paused:
                self._order("pause")
            assert process.stdout is not None
            async for line in process.stdout:
                self._read(line)
            code, has_said = await process.wait(), self.state is not before and self.state.phase is IndexPhase.FAILED
            if code and not has_said:
                where = folder / "worker.log"
                self._set(IndexState(IndexPhase.FAILED, f"the index worker ended with code {code}; see {where}"))
        finally:
            self._process = None
            await _end(process)

    def _read(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            fraction = said["n_done"] / max(1, said["n_files"]) if "n_done" in said else None
            update_ms = float(said["update_ms"]) if "update_ms" in said else self.state.update_ms
            self._set(IndexState(IndexPhase(said["phase"]), said["message"], fraction, update_ms))
        except (ValueError, KeyError, TypeError):
            log.warning("the index worker said %r", line[:200])

    def _set(self, state: IndexState) -> None:
        self.state = state
        try:
            self._on_state(state)
        except Exception:
            log.exception("the state of the index of %s could not be told", self.root)

    def _order(self, order: str) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            try:
                process.stdin.write(f"{order}\n".encode())
            except OSError as error:  # it would wait for ever for a "resume" that it never got
                log.warning("the index worker of %s cannot be told %r: %s", self.root, order, error)
                with contextlib.suppress(OSError):
                    process.kill()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, which it takes as the order to leave; after a while it is killed. Waits until it is gone.

    What it still says is read to its end: a loop that closes earlier complains on standard error.
    """
    try:
        if process.stdin is not None:
            process.stdin.close()
        await asyncio.wait_for(process.communicate(), _LEAVE_S)
    except OSError:  # a TimeoutError is one
        with contextlib.suppress(OSError):
            process.kill()
            await asyncio.wait_for(process.communicate(), _LEAVE_S)
