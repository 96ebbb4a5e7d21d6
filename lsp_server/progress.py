"""Shows long work (preparing the model, reading a workspace) as work-done progress in the editor.

Rules: nothing is sent to a client that did not say it can show progress. Every `begin` gets its `end`.
"""

import asyncio
import logging
import uuid

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from model.link import tasks

log = logging.getLogger(__name__)


class ProgressReporter:
    """Shows one kind of work, with one progress token at a time."""

    def __init__(self, server: LanguageServer, title: str) -> None:
        self._server, self._title = server, title
        self._token: str | None = None
        self._creating: asyncio.Task[None] | None = None
        self._present: tuple[str, float | None] | None = None  # message and fraction of the work under way
        self._shown: tuple[str, int | None] | None = None

    def show(self, message: str, fraction: float | None) -> None:
        """Work is under way: begin or report."""
        self._present = (message, fraction)
        if self._token is not None:
            self._report(message, fraction)
        elif self._creating is None and self._supported():
            self._creating = tasks.start(self._begin(), self._title)

    def end(self, message: str | None = None) -> None:
        """The work is done, or nobody follows it any more."""
        self._present = None
        if self._token is not None:
            self._server.work_done_progress.end(self._token, t.WorkDoneProgressEnd(message=message))
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
        if self._present is None:
            return  # done before the editor had answered: nothing to show
        message, fraction = self._present
        self._token, self._shown = token, None
        self._server.work_done_progress.begin(
            token, t.WorkDoneProgressBegin(title=self._title, percentage=0, message=message, cancellable=False)
        )
        self._report(message, fraction)

    def _report(self, message: str, fraction: float | None) -> None:
        # Editors redraw at every report: whole per cents are enough.
        percentage = None if fraction is None else int(100 * fraction)
        if self._token is not None and (message, percentage) != self._shown:
            self._shown = (message, percentage)
            self._server.work_done_progress.report(
                self._token, t.WorkDoneProgressReport(message=message, percentage=percentage)
            )
