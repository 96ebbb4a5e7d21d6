"""Talks to a worker process: one JSON object per line each way. Used for the peers and by the bench.

Rules: a worker runs alone in its process, so that engines never share memory, threads or an OpenMP runtime.
A worker that dies or answers {"error": text} is a `WorkerError`, whose message is for users.
"""

import contextlib
import json
import subprocess
import sys
from typing import Any


class WorkerError(Exception):
    """The worker could not do what it was asked; the message says why."""


class Worker:
    """A child process running `python -m <module> <arguments>`; `ask` blocks until it has answered."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._module = module

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Run one operation and return its reply; WorkerError when it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has left, and its last line says why
            self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self._module} ended with code {self._process.wait()} during {op!r}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def close(self) -> None:
        """End the process: it leaves when its input ends, and is killed when it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
