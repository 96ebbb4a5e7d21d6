"""llama.cpp's server with llama.vim's client in a replay. Used by `replay`."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from evals.peers.llama_vim import LlamaVim
from evals.replay.keystrokes import Action, Kind
from evals.replay.run import TYPING, Run
from evals.report import EvalError

_SETTLE_S = 120.0


class Peer:
    """llama.cpp's server with llama.vim's client."""

    def __init__(self, vim: LlamaVim, run: Run, server_pid: int) -> None:
        self.run, self._vim = run, vim
        self.pids = [server_pid]
        self._index = -1
        self._counted = (0, 0)
        self._ring: asyncio.Task[None] | None = None
        vim.on_shown = self._shown
        vim.on_skipped = lambda: self.run.skipped.add(self._index)

    async def warm_up(self, files: dict[str, str], path: str) -> None:
        started, vim = time.perf_counter(), self._vim
        await visit(vim, files, path)
        self.run.warm_up_s = time.perf_counter() - started
        self._counted = (vim.n_prompt_tokens, vim.n_ahead_tokens)
        self._ring = asyncio.create_task(vim.run_ring())

    def act(self, index: int, action: Action, text: str) -> None:
        offset = action.cursor
        if action.kind is Kind.SWITCH:
            self._vim.enter(action.path, text, offset)
        elif action.kind in TYPING:
            self._index = index
            self._vim.move(text, offset)

    def _shown(self, at_once: bool) -> None:
        if self._index >= 0:
            self.run.shown.append((time.perf_counter(), self._index, at_once))

    async def settle(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._vim.settle(), _SETTLE_S)
        if self._ring is not None:
            self._ring.cancel()
        self._vim.close()
        self.run.n_computed = self._vim.n_prompt_tokens - self._counted[0]
        self.run.n_ahead = self._vim.n_ahead_tokens - self._counted[1]


async def visit(vim: LlamaVim, files: dict[str, str], path: str) -> None:
    """Visit the other files until the ring is full, and then the end of one, everything computed that can be."""
    others = [other for other in files if other != path]
    for _ in range(8):  # rounds of visits
        for other in others:
            if vim.ring_missing:
                vim.pick_whole(other, files[other], 1)
        await vim.fill_ring()
    vim.enter(path, files[path], len(files[path]))
    vim.move(files[path], len(files[path]))
    await vim.settle()


@contextlib.contextmanager
def llama_server(gguf: Path, n_ctx: int) -> Iterator[tuple[str, int]]:
    """llama.cpp's server in a process: its address and process id; EvalError when it does not start."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "evals.peers.llama_server", str(gguf), str(n_ctx)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("{")), "{}")
        reply = json.loads(line)
        if "address" not in reply:
            raise EvalError(reply.get("error", "llama.cpp's server did not start"))
        yield reply["address"], process.pid
    finally:
        process.kill()
        process.wait()
