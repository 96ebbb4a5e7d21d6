"""Types into a long document of a server of its own, as an editor does, and asks how long its event loop was blocked.

Used by `midfill doctor`. The server is started the way editors start it; the model process is the user's, and stays.
"""

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from lsp_server.cli.editor import Editor, ServerFailed

N_LINES = 10_000
# A frame of a screen takes 16 ms: what waits less than a third of it nobody sees.
MOST_MS = 5.0
_URI = "untitled:midfill-doctor.py"
_TYPING_S, _KEY_S = 5.0, 0.1
_READY_S = 60.0
_TYPED = "total = scale_17(value) + "
_FUNCTION = "def scale_{0}(value: int) -> int:\n    # By {0}.\n    factor = {0}\n    return value * factor\n\n"


async def stalls_while_typing(model: str) -> dict[str, float]:
    """The status's `stalls`, in milliseconds, after some seconds of typing. ServerFailed when there is no model.

    With "idle", the 99.9 % of a process that did nothing meanwhile.
    """
    async with await Editor.start(lambda method, params: None, subprocess.DEVNULL) as editor:
        options = {"model": model, "statistics": False}  # nobody's typing
        await editor.request("initialize", {"capabilities": {}, "initializationOptions": options})
        editor.notify("initialized", {})
        await _ready(editor)
        item = {"uri": _URI, "languageId": "python", "version": 1, "text": _long_text()}
        editor.notify("textDocument/didOpen", {"textDocument": item})
        idle = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "lsp_server.stalls", str(_TYPING_S), stdout=subprocess.PIPE, cwd=os.sep
        )
        await _type(editor, N_LINES // 2 + 4)  # the empty line behind a function
        stalls: dict[str, float] = (await editor.request("midfill/status", {}))["stalls"]
        said, _ = await idle.communicate()
        return {**stalls, "idle": json.loads(said)["p999"]}


def in_words(stalls: Mapping[str, float]) -> str:
    """One line about the waits; it says so when they are too long."""
    told = (
        f"99.9 % of waits below {stalls['p999']:.1f} ms, the longest {stalls['max']:.1f} ms "
        f"({stalls['n']:,.0f} samples while typing into {N_LINES:,} lines)"
    )
    if "idle" in stalls:  # what the machine does to any process that wants a turn
        told += f"; meanwhile a process that does nothing waits {stalls['idle']:.1f} ms"
    if stalls["p999"] > max(MOST_MS, stalls.get("idle", 0.0)):
        told += f"; TOO LONG, more than {MOST_MS:.0f} ms: is another program using the processor?"
    return told


async def _ready(editor: Editor) -> None:
    deadline = time.monotonic() + _READY_S
    while (status := await editor.request("midfill/status", {}))["phase"] != "ready":
        if status["phase"] == "failed" or time.monotonic() > deadline:
            raise ServerFailed(status["message"])
        await asyncio.sleep(0.1)


async def _type(editor: Editor, line: int) -> None:
    """A key and a request every tenth of a second; the request before is cancelled, as editors do."""
    request: asyncio.Task[Any] | None = None
    keys = itertools.cycle(_TYPED)
    for number in range(round(_TYPING_S / _KEY_S)):
        if request is not None:
            request.cancel()
        place = {"line": line, "character": number}
        change = {"range": {"start": place, "end": place}, "text": next(keys)}
        editor.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": _URI, "version": number + 2}, "contentChanges": [change]},
        )
        request = asyncio.create_task(editor.request("textDocument/inlineCompletion", _asked(line, number + 1)))
        await asyncio.sleep(_KEY_S)
    if request is not None:
        request.cancel()
        with contextlib.suppress(asyncio.CancelledError, ServerFailed):
            await request


def _asked(line: int, character: int) -> dict[str, Any]:
    position = {"line": line, "character": character}
    return {"textDocument": {"uri": _URI}, "position": position, "context": {"triggerKind": 2}}


def _long_text() -> str:
    n_functions = N_LINES // _FUNCTION.count("\n")
    return "".join(_FUNCTION.format(number) for number in range(n_functions))
