"""midfill in a replay: its server over stdio, driven as VS Code does. Used by `replay`, `soak` and `index_bench`."""

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from evals.replay.keystrokes import Action, Kind, play
from evals.replay.run import Press, Run, Size
from evals.report import EvalError
from lsp_server.cli.editor import Editor
from model.link.client import EngineClient
from model.link.spawn import EngineSettings, socket_path
from parsers.languages import for_document

# A name of its own for every run: blocks that an earlier run left on disk have seen another header, and do not count.
REPO = f"replay-{os.getpid()}"
_READY_S, _SETTLE_S = 600.0, 120.0
INVOKED, AUTOMATIC = 1, 2  # InlineCompletionTriggerKind
_BETWEEN_PRESSES_S = 3.0  # longer than what is compared behind an answer takes


def options_of(size: Size, model: str) -> dict[str, Any]:
    """The initializationOptions of a replay: lines only, as the peer completes them."""
    return {
        "mode": "line",
        "model": model,
        "maxPromptTokens": size.max_prompt_tokens,
        "maxFileTokens": size.max_file_tokens,
        "maxLineTokens": size.vim.n_predict,
    }


class Ours:
    """midfill over stdio, driven as VS Code does: a change and a request per keystroke, the older one cancelled."""

    def __init__(self, editor: Editor, run: Run, root: str) -> None:
        self.run, self.editor, self._root = run, editor, root
        self.pids = [editor.pid]
        self.originals: dict[str, str] = {}  # texts as they were opened
        self._versions: dict[str, int] = {}
        self.asks_next_edits = False  # behind every change, as an editor does that shows them
        self._request: asyncio.Task[None] | None = None
        self._next_edit: asyncio.Task[Any] | None = None
        self._before: dict[str, Any] = {}

    @staticmethod
    async def start(options: dict[str, Any], run: Run, root: str = f"file:///{REPO}") -> "Ours":
        """Start a server for a window on the folder of this URI, with these initializationOptions, and its daemon."""
        return await Ours.over(await Editor.start(lambda method, params: None, subprocess.DEVNULL), options, run, root)

    @staticmethod
    async def over(editor: Editor, options: dict[str, Any], run: Run, root: str) -> "Ours":
        """The same over a connection to a server that was just started."""
        await editor.request(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": {},
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": root.rpartition("/")[2]}],
                "initializationOptions": {"statistics": False, **options},
            },
        )
        editor.notify("initialized", {})
        return Ours(editor, run, root)

    async def status(self) -> dict[str, Any]:
        """The server's `midfill/status`."""
        answer: dict[str, Any] = await self.editor.request("midfill/status", {})
        return answer

    async def ready(self) -> None:
        """Wait until the model is loaded; EvalError when it cannot be."""
        deadline = time.monotonic() + _READY_S
        while (status := await self.status())["phase"] != "ready":
            if status["phase"] == "failed" or time.monotonic() > deadline:
                raise EvalError(status["message"])
            await asyncio.sleep(0.1)
        daemon = status["daemon"]  # none where a server answers
        self.pids = [self.editor.pid, *([daemon["pid"]] if daemon else [])]

    async def complete(self, patience_s: float = _READY_S) -> None:
        """Wait until no session's window has anything to come, which is never while other programs are busy."""
        deadline = time.monotonic() + patience_s
        quiet = 0
        while quiet < 3 and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            daemon = (await self.status())["daemon"]
            quiet = 0 if daemon and daemon["n_incomplete"] else quiet + 1

    async def warm_up(self, files: dict[str, str], path: str, patience_s: float = _READY_S) -> None:
        await self.ready()
        for other, text in files.items():
            if other != path:
                self.open(other, text)
        await asyncio.sleep(1.0)
        self.open(path, files[path])
        started = time.perf_counter()
        await self.ask(path, files[path], len(files[path]))
        await asyncio.sleep(2.0)  # a pause: time for the context to be chosen
        await self.complete(patience_s)
        self.run.warm_up_s = time.perf_counter() - started
        self._before = (await self.status())["daemon"]

    def open(self, path: str, text: str) -> None:
        """didOpen."""
        self._versions[path] = 1
        self.originals[path] = text
        item = {"uri": f"{self._root}/{path}", "languageId": for_document(path).id, "version": 1, "text": text}
        self.editor.notify("textDocument/didOpen", {"textDocument": item})

    def move(self, path: str, text: str, offset: int) -> None:
        """midfill/didMove: the cursor came to an offset."""
        params = {"textDocument": {"uri": f"{self._root}/{path}"}, "position": _position(text, offset)}
        self.editor.notify("midfill/didMove", params)

    async def press(self, path: str, text: str, places: Sequence[tuple[int, int]]) -> None:
        """Go to places of a text, take so many characters out behind each, pause, ask by key; note the times."""
        for at, n_missing in places:
            missing = text[at : at + n_missing]
            without = play(text, gone := Action(Kind.DELETE, path, at, missing, "", 0.0))
            self.change(gone, without)
            self.move(path, without, at)
            await asyncio.sleep(_BETWEEN_PRESSES_S)
            began = time.perf_counter()
            answer = await self.ask(path, without, at, INVOKED)
            ms = (time.perf_counter() - began) * 1e3
            last = (await self.status())["last"]
            self.run.pressed.append(Press(ms, bool(answer and answer["items"]), bool(missing), last))
            self.change(Action(Kind.KEY, path, at, "", missing, 0.0), text)

    async def ask(self, path: str, text: str, offset: int, kind: int = AUTOMATIC) -> Any:
        """textDocument/inlineCompletion at an offset."""
        return await self.editor.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": f"{self._root}/{path}"},
                "position": _position(text, offset),
                "context": {"triggerKind": kind},
            },
        )

    def act(self, index: int, action: Action, text: str) -> None:
        if action.kind in (Kind.JUMP, Kind.SWITCH):
            return
        self.change(action, text)
        self._request = asyncio.create_task(self._follow(index, action, text))
        if self.asks_next_edits:
            self._next_edit = asyncio.create_task(self._ask_next_edit(action, text))

    def change(self, action: Action, text: str) -> None:
        """didChange; the requests under way are cancelled."""
        for request in (self._request, self._next_edit):
            if request is not None:
                request.cancel()
        self._versions[action.path] += 1
        identifier = {"uri": f"{self._root}/{action.path}", "version": self._versions[action.path]}
        self.editor.notify(
            "textDocument/didChange",
            {"textDocument": identifier, "contentChanges": [_change(action, text)]},
        )

    async def _follow(self, index: int, action: Action, text: str) -> None:
        await self.ask(action.path, text, action.cursor)
        now = time.perf_counter()
        last = (await self.status())["last"] or {}
        if last.get("outcome") == "skipped":
            self.run.skipped.add(index)
            return
        self.run.shown.append((now, index, bool(last.get("reused"))))

    async def _ask_next_edit(self, action: Action, text: str) -> Any:
        document = {"uri": f"{self._root}/{action.path}", "version": self._versions[action.path]}
        params = {"textDocument": document, "position": _position(text, action.cursor)}
        return await self.editor.request("midfill/nextEdit", params)

    async def rest(self) -> None:
        """Wait for the request under way."""
        if self._request is not None:
            await asyncio.wait([self._request], timeout=_SETTLE_S)

    async def settle(self) -> None:
        await self.rest()
        after = (await self.status())["daemon"]
        self.run.n_computed = after["n_computed_tokens"] - self._before["n_computed_tokens"]
        self.run.n_ahead = after["n_idle_tokens"] - self._before["n_idle_tokens"]


def _position(text: str, offset: int) -> dict[str, int]:
    return {"line": text.count("\n", 0, offset), "character": offset - (text.rfind("\n", 0, offset) + 1)}


def _change(action: Action, after: str) -> dict[str, Any]:
    """The content change of an action; its range is in the text before, whose beginning is that of the text after."""
    begin_line = after.count("\n", 0, action.begin)
    begin_character = action.begin - (after.rfind("\n", 0, action.begin) + 1)
    start = {"line": begin_line, "character": begin_character}
    removed = action.removed
    end_line = begin_line + removed.count("\n")
    end_character = len(removed) - (removed.rfind("\n") + 1) + (0 if "\n" in removed else begin_character)
    return {"range": {"start": start, "end": {"line": end_line, "character": end_character}}, "text": action.text}


async def stop_daemon(model: str) -> None:
    """End the model's daemon: the next server starts a fresh one."""
    await EngineClient.stop_daemon(socket_path(EngineSettings(model=model)))
