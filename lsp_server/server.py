"""The server object: what it holds, how it is put together, and how it follows the configuration.

Rules: one asyncio thread owns everything here. Parsing happens in worker threads on immutable texts; the
model lives in another process. No handler waits for the model to become ready.
"""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.lsp.server import LanguageServer

from completion.pipeline import Deps
from completion.types import Completion, CompletionRequest, DocumentSnapshot, Snippet, Trigger
from lsp_server import ablation, convert
from lsp_server.config import Config, load
from lsp_server.documents.notebooks import OpenDocuments
from lsp_server.documents.snapshots import Snapshots
from lsp_server.engine.larger import LargerModel
from lsp_server.engine.link import EngineLink
from lsp_server.index.state import IndexPhase, IndexState
from lsp_server.popup import PopupMethod
from lsp_server.progress import ProgressReporter
from lsp_server.protocol import Protocol
from lsp_server.stalls import StallMonitor
from lsp_server.status import Journal
from lsp_server.usage.next_edits import NextEdits
from lsp_server.usage.recorder import Recorder
from lsp_server.workspace.epochs import Epochs
from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.workspaces import Workspaces

log = logging.getLogger(__name__)

# Tells an editor of a longer suggestion than the one it was given last. Others may ignore what begins with "$/".
GROWN = "$/midfill/grown"


class Midfill(LanguageServer):
    """The language server of one editor window."""

    def __init__(self, answer_popup: Callable[[], None]) -> None:
        """`answer_popup` has `textDocument/completion` answered from then on."""
        super().__init__(
            "midfill", version("midfill"), protocol_cls=Protocol, converter_factory=convert.converter_factory
        )
        self.editor_window = uuid.uuid4().hex[:12]
        self.without = ablation.without()
        self.config = Config()
        self.options: dict[str, Any] = {}  # initializationOptions: what every later configuration is laid over
        self.zero_based_triggers = False
        self.snoozed_until = 0.0  # on the monotonic clock
        self.was_shut_down = False
        self.running: dict[str, asyncio.Task[Completion]] = {}  # the one request of each document
        self._told_problems = ""
        self.popup = PopupMethod(self, answer_popup)
        self.journal = Journal()
        self.stalls = StallMonitor()
        self.documents = OpenDocuments()
        self.snapshots = Snapshots(self.documents, self.folders)
        self.recorder = Recorder(self.documents, self.editor_window, self._on_outcome)
        self.next_edits = NextEdits(self.editor_window, self.recorder.write)
        self.privacy = Privacy(self.folders)
        self.workspaces = Workspaces(self._on_index)
        self._index_progress = ProgressReporter(self, "midfill: reading the workspace")
        self.engine = EngineLink(
            config=lambda: self.config,
            progress=ProgressReporter(self, "midfill: preparing the model"),
            show_message=self.show_message,
            names_of=self.workspaces.of,
            on_whole=self._on_whole,
            on_measured=lambda: self.larger.consider(),
        )
        self.larger = LargerModel(
            self, config=lambda: self.config, show_message=self.show_message, use=self._begin_anew
        )
        self.epochs = Epochs(
            config=lambda: self.config,
            documents=self.documents,
            snapshots=self.snapshots,
            engine=self.engine,
            workspaces=self.workspaces,
            privacy=self.privacy,
            next_request=lambda snapshot, cursor, snippets: self.request(snapshot, cursor, snippets, Trigger.AUTOMATIC),
        )

    # -- the editor ----------------------------------------------------------------------------------------

    @property
    def encoding(self) -> t.PositionEncodingKind | str:
        """The negotiated position encoding."""
        return self.server_capabilities.position_encoding or t.PositionEncodingKind.Utf16

    def folders(self) -> list[str]:
        """URIs of the workspace folders."""
        return [folder.uri for folder in self.workspace.folders.values()]

    def show_message(self, kind: t.MessageType, message: str) -> None:
        """Show the user a pop-up."""
        self.window_show_message(t.ShowMessageParams(type=kind, message=message))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log; an internal error is never a pop-up."""
        if not isinstance(error, JsonRpcMethodNotFound):  # pygls has logged that one, in a line
            log.error("%s: %s", source, error, exc_info=error)

    def _on_outcome(self, promised: float, was_kept: bool) -> None:
        self.engine.trust.learn(promised, was_kept)

    def _on_whole(self, deps: Deps, request: CompletionRequest, whole: Completion) -> None:
        """There is more of what was shown in part: editors that draw their ghost themselves ask for it."""
        if not self.was_shut_down:
            self.protocol.notify(GROWN, {"uri": request.snapshot.uri})
            if request.trigger is Trigger.AUTOMATIC:
                self.engine.look_ahead(deps, request, whole)

    # -- configuration and workspace -----------------------------------------------------------------------

    async def configure(self, raw: object) -> None:
        """Take over a configuration; problems are told once, and the engine follows when its settings changed."""
        config, problems = load(raw)
        if problems:
            message = "midfill configuration: " + "; ".join(problems)
            log.warning(message)
            if message != self._told_problems:  # a pop-up once, not at every change of another setting
                self.show_message(t.MessageType.Warning, message)
            self._told_problems = message
        changed = (config.engine_settings(), config.engine) != (self.config.engine_settings(), self.config.engine)
        self.config = config
        self.engine.renew_deps()
        self.recorder.configure(config.statistics and config.enabled and not self.was_shut_down)
        if config.enabled and (self.engine.client is None or changed):
            await self.engine.start()
        elif not config.enabled:
            await self.engine.stop()
        await self.follow_workspace()

    async def _begin_anew(self) -> None:
        """Another model is there by now."""
        if self.config.enabled and not self.was_shut_down:
            await self.engine.start()

    def silence(self) -> str:
        """Why automatic requests are answered empty right now, in words; "" when they are not."""
        if not self.config.automatic:
            return "midfill suggests only when asked (midfill.automatic)"
        return self.snoozed()

    def snoozed(self) -> str:
        """For how long the user wants to be left alone, in words; "" when not."""
        left_s = self.snoozed_until - time.monotonic()
        return f"midfill is snoozed for {math.ceil(left_s / 60)} more minutes" if left_s > 0 else ""

    def snooze(self, minutes: float) -> None:
        """Answer automatic requests empty for so long; 0 ends it."""
        self.snoozed_until = time.monotonic() + 60 * minutes if minutes > 0 else 0.0

    async def follow_workspace(self) -> None:
        """Index the editor's present folders, when the configuration wants it."""
        wanted = self.config.enabled and self.config.context.index and not self.was_shut_down
        await self.workspaces.follow(self.folders() if wanted else [])
        if self.workspaces.indexing() is None:
            self._index_progress.end()

    def _on_index(self, root: Path, state: IndexState) -> None:
        log.debug("index of %s: %s %s", root, state.phase, state.message)
        if state.phase is IndexPhase.FAILED:
            log.warning("index of %s: %s", root, state.message)
        if state.phase is IndexPhase.READY:  # files have changed
            self.epochs.look_again(self.epochs.touched)
        if (indexing := self.workspaces.indexing()) is not None:
            self._index_progress.show(indexing.message, indexing.fraction)
        else:
            self._index_progress.end()

    # -- requests ------------------------------------------------------------------------------------------

    def request(
        self, snapshot: DocumentSnapshot, cursor: int, snippets: tuple[Snippet, ...], trigger: Trigger
    ) -> CompletionRequest:
        """A request at an offset of a snapshot, as the configuration has it."""
        return CompletionRequest(
            snapshot=snapshot,
            cursor=cursor,
            mode=self.config.forced_mode(),
            trigger=trigger,
            session=self.session_of(snapshot.uri),
            snippets=snippets,
            without=self.without,
        )

    def session_of(self, uri: str) -> str:
        """The name of a document's KV session: one per editor window and document."""
        return f"{self.editor_window}:{uri}"

    def stop_choosing(self) -> None:
        """No more epochs, and nothing is computed any more."""
        self.epochs.stop()
        self.engine.cancel_all()

    def forget(self, uri: str) -> None:
        """Drop what is kept of a closed document; its text stays a source of context for a while."""
        self.snapshots.forget(uri)
        self.epochs.forget(uri)
        self.privacy.forget(uri)
        if task := self.running.pop(uri, None):
            task.cancel()
        self.engine.cancel(self.session_of(uri))
