"""Shows the engine's preparation (fetching, quantizing, loading) as work-done progress in the editor.

Rules: nothing is sent to a client that did not say it can show progress. Every `begin` gets its `end`.
"""

import asyncio
import logging
import uuid

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from model.client import EngineState, Phase

log = logging.getLogger(__name__)

_BUSY = (Phase.FETCHING, Phase.QUANTIZING, Phase.LOADING)
# Editors redraw at every report: whole per cents are enough.
_TITLE = "midfill: preparing the model"


class ProgressReporter:
    """Follows engine states with one progress token at a time."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._token: str | None = None
        self._creating: asyncio.Task[None] | None = None
        self._state: EngineState | None = None
        self._shown: tuple[str, int | None] | None = None

    def follow(self, state: EngineState) -> None:
        """Begin, report or end, as the new state asks for."""
        self._state = state
        if state.phase in _BUSY:
            if self._token is not None:
                self._report(state)
            elif self._creating is None and self._supported():
                self._creating = asyncio.get_running_loop().create_task(self._begin())
        elif self._token is not None:
            self._server.work_done_progress.end(self._token, t.WorkDoneProgressEnd(message=state.message))
            self._token = None

    def stop(self) -> None:
        """End what is shown: nobody follows the engine any more."""
        self._state = None
        if self._token is not None:
            self._server.work_done_progress.end(self._token, t.WorkDoneProgressEnd())
            self._token = None

    def _supported(self) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and window.work_done_progress)

    async def _begin(self) -> None:
        token = uuid.uuid4().hex
        try:
            await self._server.work_done_progress.create_async(token)
        except JsonRpcException as error:
            log.info("the editor declined to show progress: %s", error)
            return
        finally:
            self._creating = None
        state = self._state
        if state is None or state.phase not in _BUSY:
            return  # ready before the editor had answered: nothing to show
        self._token, self._shown = token, None
        self._server.work_done_progress.begin(
            token, t.WorkDoneProgressBegin(title=_TITLE, percentage=0, message=state.message, cancellable=False)
        )
        self._report(state)

    def _report(self, state: EngineState) -> None:
        percentage = None if state.fraction is None else int(100 * state.fraction)
        if self._token is not None and (state.message, percentage) != self._shown:
            self._shown = (state.message, percentage)
            self._server.work_done_progress.report(
                self._token, t.WorkDoneProgressReport(message=state.message, percentage=percentage)
            )
