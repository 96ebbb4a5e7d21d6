"""A person types real edits in a real Neovim with the plugin, the real server and model: what she was shown, to read.

usage: PYTHONPATH=. MIDFILL_TEST_NVIMS=... MIDFILL_TEST_SERVER=... python -m neovim.tests.evening
           --history ./tool==v1..HEAD [--keystrokes N] [--speed S] [--patience S] --shown FILE

The person is that of `midfill bench typing`; her keys go through Neovim's own input, and what she sees is what the
plugin has drawn. Of Neovim's own help only 'autoindent' is on: her keys are those of the text. Where the buffer is not
what she wrote in the end, the difference is printed, and put right.
"""

import argparse
import asyncio
import contextlib
import difflib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
from rich.console import Console

from evals.replay.histories import named
from evals.replay.history import read_history
from evals.report import open_results
from evals.typing import typing_bench
from evals.typing.ours import first_line, first_word
from evals.typing.person import TextChange
from evals.typing.screen import Clock, Ghost, Screen
from evals.typing.shown import ShownLog
from evals.typing.wish import wish_of
from model.library.catalog import DEFAULT_MODEL
from neovim.tests.terminal import INIT, PLUGIN

_LOOK_S = 0.03
_READY_S = 300.0
_SETTLE_S = 5.0
_ASKED_S = 0.4  # after a key: by then the plugin has asked
_KEYS = {"all": "<Tab>", "line": "<M-l>", "word": "<M-w>"}
_OPTIONS = "vim.cmd('setlocal autoindent indentexpr= nocindent nosmartindent formatoptions= textwidth=0')"

# Where the cursor is (line and bytes, from 0), the line's tail, and what the plugin has drawn.
_LOOK = """
local row, col = unpack(vim.api.nvim_win_get_cursor(0))
local space, text, covered = vim.api.nvim_get_namespaces().midfill, '', 0
if space and #vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) > 0 then
  local _, rest = require('midfill.session').current()
  if rest then text, covered = rest.text, rest.covered end
end
local is_asking = false
for _, client in ipairs(vim.lsp.get_clients()) do
  for _, request in pairs(client.requests) do
    is_asking = is_asking or (request.type == 'pending' and request.method == 'textDocument/inlineCompletion')
  end
end
return { row - 1, col, vim.api.nvim_get_current_line():sub(col + 1, col + covered), text, is_asking }
"""
_ENTER = (
    """
local path, row, col = ...
vim.cmd.stopinsert()
if vim.fn.expand('%:p') ~= path then vim.cmd.edit(vim.fn.fnameescape(path)) end
"""
    + _OPTIONS
)
_PLACE = """
local row, col = ...
vim.api.nvim_win_set_cursor(0, { row + 1, col })
vim.cmd(col >= #vim.api.nvim_get_current_line() and 'startinsert!' or 'startinsert')
"""
_PUT = "local lines = ...; vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)"
_PUT_TEXT = """
local r1, c1, r2, c2, lines = ...
vim.api.nvim_buf_set_text(0, r1, c1, r2, c2, lines)
"""
_INDENT = """
local row, blanks = ...
local line = vim.api.nvim_get_current_line()
local there = #line:match('^[ \\t]*')
vim.api.nvim_buf_set_text(0, row, 0, row, there, { blanks })
vim.api.nvim_win_set_cursor(0, { row + 1, #blanks })
"""


def tell(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Nvim:
    """A Neovim that is talked to by msgpack-RPC over its standard input and output, with a screen attached."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._n = process, 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, nvim: str, configuration: Path, folder: Path) -> "Nvim":
        """Start it in a folder with a configuration."""
        process = await asyncio.create_subprocess_exec(
            nvim, "--clean", "--embed", "-u", str(configuration), cwd=folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        started = cls(process)
        await started.call("nvim_ui_attach", 100, 40, {"rgb": True})
        return started

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of an API function."""
        self._n += 1
        future = self._waiting[self._n] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(msgpack.packb([0, self._n, method, list(arguments)]))
        return await future

    async def lua(self, code: str, *arguments: Any) -> Any:
        """What a chunk of Lua returns."""
        return await self.call("nvim_exec_lua", code, list(arguments))

    async def stop(self) -> None:
        """Leave without saving."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.call("nvim_command", "stopinsert | qall!"), 5)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 10)
        if self._process.returncode is None:
            self._process.kill()
        self._reading.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", ext_hook=lambda code, data: code)
        while data := await self._process.stdout.read(1 << 16):
            unpacker.feed(data)
            for message in unpacker:
                if message[0] == 1 and (future := self._waiting.pop(message[1], None)) is not None:
                    if message[2]:
                        future.set_exception(RuntimeError(str(message[2])))
                    else:
                        future.set_result(message[3])
        for future in self._waiting.values():
            future.set_result(None)  # it has ended


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and bytes, from 0."""
    begin = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset), len(text[begin:offset].encode())


class NeovimPlayer:
    """A player (`evals.typing.person.Player`): what is to be done is done in order, and between looks are taken."""

    name = "neovim"

    def __init__(self, nvim: Nvim, folder: Path, screen: Screen, tell: Callable[[str], None]) -> None:
        self.screen, self.pids = screen, list[int]()
        self.answers: list[dict[str, Any]] = []
        self._nvim, self._folder, self._tell = nvim, folder, tell
        self._todo: asyncio.Queue[Callable[[], Any]] = asyncio.Queue()
        self._place: tuple[int, int] | None = None  # where the cursor is once all is done; None: not typing
        self._last: TextChange | None = None
        self._changed = 0.0
        self._task = asyncio.create_task(self._work())

    def first_word(self, text: str) -> str:
        return first_word(text)

    def first_line(self, text: str) -> str:
        return first_line(text)

    def enter(self, path: str, text: str, cursor: int) -> None:
        self._place = None
        self._todo.put_nowait(partial(self._enter, path, text, cursor))

    def change(self, change: TextChange) -> None:
        self._last, self.screen.is_awaited, self._changed = change, change.is_asked, time.perf_counter()
        self._place = place_of(change.after, change.cursor) if change.is_asked else None
        self._todo.put_nowait(partial(self._type if change.is_asked else self._put, change))

    async def settle(self) -> None:
        """Leave insert mode, and see whether the buffer is what was written."""
        self._place = None
        self._todo.put_nowait(self._check)
        await self._todo.join()

    async def stop(self) -> None:
        self._task.cancel()

    async def _work(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    step = await self._todo.get()
            except TimeoutError:
                await self._look()
                continue
            await step()
            self._todo.task_done()

    async def _look(self) -> None:
        place = self._place
        if place is None:
            return
        row, col, covered, text, is_asking = await self._nvim.lua(_LOOK)
        if (row, col) != place or self._place != place or not self._todo.empty():
            return
        ghost = Ghost(text.removesuffix(covered), is_whole=not covered or text.endswith(covered))
        if ghost.text != (self.screen.ghost.text if self.screen.ghost else ""):
            self.screen.show(ghost)
        if not is_asking and self.screen.is_awaited and time.perf_counter() - self._changed > _ASKED_S:
            self.screen.answered()

    async def _enter(self, path: str, text: str, cursor: int) -> None:
        await self._nvim.lua(_ENTER, str(self._folder / path), *place_of(text, cursor))
        await self._nvim.lua(_PLACE, *place_of(text, cursor))

    async def _put(self, change: TextChange) -> None:
        """What goes or comes at once."""
        before = change.after[: change.begin] + change.removed + change.after[change.cursor :]
        begin, end = place_of(before, change.begin), place_of(before, change.begin + len(change.removed))
        await self._nvim.lua(_PUT_TEXT, *begin, *end, change.text.split("\n"))
        await self._nvim.lua(_PLACE, *place_of(change.after, change.cursor))

    async def _type(self, change: TextChange) -> None:
        if change.accepted:
            await self._nvim.call("nvim_input", _KEYS[change.accepted])
        elif change.text.startswith("\n"):
            await self._nvim.call("nvim_input", "<CR>")
            await self._arrived(place_of(change.after, change.begin + 1)[0])
            await self._nvim.lua(_INDENT, place_of(change.after, change.cursor)[0], change.text.rpartition("\n")[2])
        else:
            await self._nvim.call("nvim_input", change.text.replace("<", "<LT>").replace("\t", "<C-v><Tab>"))
        await self._arrived(place_of(change.after, change.cursor)[0])

    async def _arrived(self, row: int) -> None:
        """Wait until the cursor is in a line."""
        for _ in range(100):
            if (await self._nvim.lua(_LOOK))[0] == row:
                return
            await asyncio.sleep(0.01)

    async def _check(self) -> None:
        await self._nvim.call("nvim_input", "<Esc>")
        if self._last is None:
            return
        await asyncio.sleep(0.2)
        lines = await self._nvim.call("nvim_buf_get_lines", 0, 0, -1, False)
        wanted = self._last.after.removesuffix("\n").split("\n")
        if lines != wanted:
            for line in list(difflib.unified_diff(wanted, lines, "wanted", "buffer", n=1, lineterm=""))[2:14]:
                self._tell(f"{self._last.path}: {line}")
            await self._nvim.lua(_PUT, wanted)


@contextlib.asynccontextmanager
async def neovim_player(
    nvim: str, server: str, plan: typing_bench.Plan, part: typing_bench.Part, files: dict[str, str], path: str,
    clock: Clock,
) -> AsyncIterator[NeovimPlayer]:  # fmt: skip
    """A Neovim on a folder with the history's files, the model ready."""
    with tempfile.TemporaryDirectory() as parent:
        folder = typing_bench.write_files(part, Path(parent))
        (folder / ".git").mkdir()
        configuration = Path(parent) / "init.lua"
        command = f'{{ "{server}", "--stdio" }}'
        configuration.write_text(INIT.format(plugin=f"'{PLUGIN}'", command=command, settings="{}"))
        started = await Nvim.start(nvim, configuration, folder)
        await started.lua(_ENTER, str(folder / path), 0, 0)
        for _ in range(int(_READY_S)):
            said = await started.lua("return require('midfill').statusline()")
            if said.strip() == "midfill":
                break
            await asyncio.sleep(1.0)
        tell(f"the status line says {said!r}")
        await asyncio.sleep(_SETTLE_S)
        player = NeovimPlayer(started, folder, Screen(clock), tell)
        yield player
        await player.stop()
        tell(await started.lua("return vim.api.nvim_exec2('messages', { output = true }).output"))
        await started.stop()


async def main() -> int:
    """Type, and write what was shown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--history", required=True)
    parser.add_argument("--keystrokes", type=int, default=300)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--patience", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shown", type=Path, required=True)
    args = parser.parse_args()
    (one,) = named([args.history])
    history = read_history(one.spec)
    wish = wish_of(history, args.keystrokes, args.seed)
    plan = typing_bench.Plan(
        histories=(one,), n_keys=args.keystrokes, size=typing_bench.size_of("4k"), model=DEFAULT_MODEL, peer=False,
        seed=args.seed, speed=args.speed, quietness=None, without=(), transcript=False, patience=args.patience,
    )  # fmt: skip
    nvim, server = os.environ["MIDFILL_TEST_NVIMS"].split(":")[-1], os.environ["MIDFILL_TEST_SERVER"]
    start = typing_bench.Start(typing_bench.RealClock, partial(neovim_player, nvim, server))
    out = args.shown.with_suffix(".rows.jsonl")
    with open_results("typing", out) as results, ShownLog(args.shown) as shown:
        part = typing_bench.Part(one, history, wish, "neovim")
        rows = await typing_bench.play_part(plan, part, results, Console(), start, shown)
    tell(f"{len(rows)} edits, {sum(len(row['ghosts']) for row in rows)} ghosts")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
