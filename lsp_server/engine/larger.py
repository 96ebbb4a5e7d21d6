"""Asks once whether a larger model is wanted where it fits the machine, and fetches it while the smaller one answers.

    the setting `model` is auto, this machine was measured, and a larger model fits (`auto`): in a pause the user is
    asked, where the editor says that it can without taking the keys (CAN_ASK), or told how to have it
    yes: `midfill model pull` in a process of its own, with progress; then the engine is started anew, with that model

Rules: once for each model and user, whatever the answer. What fails is said, and the smaller model goes on answering.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server.config import Config
from lsp_server.engine.auto import fit_here, is_here, larger_that_fit
from lsp_server.progress import ProgressReporter
from model.library.catalog import AUTO, ModelRow
from model.library.paths import state_dir
from model.library.records import read_record, write_record
from model.link import tasks

log = logging.getLogger(__name__)

# Of a client's experimental capabilities: its questions do not take the keys. Neovim's and Emacs's do.
CAN_ASK = "midfillCanAsk"
_NO = "No"
_COMMAND = (sys.executable, "-I", "-m", "lsp_server.cli", "model", "pull", "--progress")


class LargerModel:
    """What becomes of the one question, in one window."""

    def __init__(
        self,
        server: LanguageServer,
        *,
        config: Callable[[], Config],
        show_message: Callable[[t.MessageType, str], None],
        use: Callable[[], Awaitable[None]],
    ) -> None:
        """`use` has the engine begin anew with what is here by then."""
        self._server, self._config, self._show_message, self._use = server, config, show_message, use
        self._progress = ProgressReporter(server, "midfill: fetching a larger model")
        self._task: asyncio.Task[None] | None = None

    def consider(self) -> None:
        """This machine has been measured, and nobody types just now."""
        config = self._config()
        if self._task is None and config.enabled and config.model == AUTO and not config.engine.url.strip():
            self._task = tasks.start(self._offer(config.quantization), "larger model")

    async def stop(self) -> None:
        """End what is being fetched; `midfill model pull` goes on there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _offer(self, quantization: str) -> None:
        row = await asyncio.to_thread(wanted, quantization)
        if row is None:
            return
        about = await asyncio.to_thread(in_words, row, quantization)
        size = f"{row.size_bytes / 1e9:.1f} GB"
        if not _can_ask(self._server):
            self._show_message(t.MessageType.Info, f"{about}. `midfill model pull {row.name}` fetches it ({size})")
            return
        yes = t.MessageActionItem(title=f"Fetch {size}")
        try:
            answer = await self._server.window_show_message_request_async(
                t.ShowMessageRequestParams(
                    type=t.MessageType.Info,
                    message=f"{about}. Fetch it? Until it is there, all goes on as now.",
                    actions=[yes, t.MessageActionItem(title=_NO)],
                )
            )
        except JsonRpcException as error:
            log.info("the editor did not ask about %s: %s", row.name, error)
            return
        if answer is not None and answer.title == yes.title:
            await self._fetch(row)

    async def _fetch(self, row: ModelRow) -> None:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, row.name, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=os.sep
        )
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        try:
            async for line in process.stdout:
                step = json.loads(line)
                self._progress.show(step["message"], step["fraction"])
            code = await process.wait()
            last = ((await said).decode(errors="replace").strip().splitlines() or [f"it ended with {code}"])[-1]
        finally:
            said.cancel()
            self._progress.end()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if code == 0:
            await self._use()
            return
        log.warning("%s was not fetched: %s", row.name, last)
        self._show_message(
            t.MessageType.Warning, f"midfill: {row.name} was not fetched: {last.removeprefix('midfill: ')}"
        )


def wanted(quantization: str) -> ModelRow | None:
    """The model to offer, which counts as offered from now on; None when there is none."""
    offers = state_dir() / "offers.json"
    fitting = larger_that_fit(quantization)
    if not fitting or is_here(fitting[-1]) or read_record(offers, fitting[-1].name) is not None:
        return None
    try:
        write_record(offers, fitting[-1].name, {"at": round(time.time())})
    except OSError as error:  # it would be asked in each window
        log.warning("a larger model is not offered, since that could not be kept: %s", error)
        return None
    return fitting[-1]


def in_words(row: ModelRow, quantization: str) -> str:
    """Why it is offered."""
    there = fit_here(row, quantization)
    assert there is not None
    return (
        f"midfill: this machine is fast enough for {row.name}, which suggests better (a line in {there.line_s:.1f} s)"
    )


def _can_ask(server: LanguageServer) -> bool:
    experimental = server.client_capabilities.experimental
    return isinstance(experimental, dict) and bool(experimental.get(CAN_ASK))
