"""The server object: what it holds, how it is put together, and how it follows the configuration.

Rules: one asyncio thread owns everything here. Parsing happens in worker threads on immutable texts; the
model lives in another process. No handler waits for the model to become ready.
"""

import asyncio
import logging
import math
import time
import uuid
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.lsp.server import LanguageServer

from completion.ahead import look_ahead, read_ahead
from completion.cache import ReuseCache
from completion.context.selection import Ranked, select
from completion.inflight import InFlight
from completion.pipeline import Deps, prompts_for
from completion.prompt.segments import SegmentCache
from completion.ranking.trust import Trust
from completion.types import Completion, CompletionRequest, DocumentSnapshot, Outcome, Snippet, Trigger
from lsp_server import ablation, convert, machine, memory
from lsp_server.config import Config, load
from lsp_server.documents.notebooks import OpenDocuments
from lsp_server.documents.store import Document
from lsp_server.index.state import IndexPhase, IndexState
from lsp_server.progress import ProgressReporter
from lsp_server.protocol import PAUSE_S, Protocol
from lsp_server.stalls import StallMonitor
from lsp_server.status import Journal
from lsp_server.usage.explain import Origin
from lsp_server.usage.recorder import Recorder
from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.workbench import Page, Workbench
from lsp_server.workspace.workspaces import Workspaces
from model.library.machine_fit import Machine
from model.link import tasks
from model.link.client import EngineClient, EngineState, Phase
from parsers.languages import for_document
from parsers.parse import SyntaxTree, parse

log = logging.getLogger(__name__)

# Tells an editor of a longer suggestion than the one it was given last. Others may ignore what begins with "$/".
GROWN = "$/midfill/grown"
# Of a document: what a few epochs choose. An answer under way was made with an older choice.
_MAX_ORIGINS = 500


class Midfill(LanguageServer):
    """The language server of one editor window."""

    def __init__(self) -> None:
        super().__init__(
            "midfill", version("midfill"), protocol_cls=Protocol, converter_factory=convert.converter_factory
        )
        self.documents = OpenDocuments()
        self.config = Config()
        self.options: dict[str, Any] = {}  # initializationOptions: what every later configuration is laid over
        self.journal = Journal()
        self.stalls = StallMonitor()
        self.window = uuid.uuid4().hex[:12]
        self.without = ablation.without()
        self.trust = Trust()
        self.recorder = Recorder(self.documents, self.window, lambda promised, kept: self.trust.learn(promised, kept))
        self.zero_based_triggers = False
        self.snoozed_until = 0.0  # on the monotonic clock
        self.was_shut_down = False
        self.running: dict[str, asyncio.Task[Completion]] = {}
        self.client: EngineClient | None = None
        self._client_task: asyncio.Task[None] | None = None
        self.machine: Machine | None = None
        self._deps: Deps | None = None
        self._trees: dict[str, SyntaxTree] = {}
        self.privacy = Privacy(self._folders)
        self._workbench = Workbench(self.privacy)
        self._origins: dict[str, dict[Snippet, Origin]] = {}  # why each document's snippets are chosen
        self._cursors: dict[str, int] = {}  # where the last request of each document was
        self.touched = ""  # the document that something happened to last
        self._visited = ""  # the one that was asked about last
        self._pause: asyncio.TimerHandle | None = None
        self._choosing: set[asyncio.Task[None]] = set()
        self.workspaces = Workspaces(self._on_index)
        self._progress = ProgressReporter(self, "midfill: preparing the model")
        self._index_progress = ProgressReporter(self, "midfill: reading the workspace")
        self._told_problems = ""
        self._told_failure = ""
        self._told_down = False

    @property
    def encoding(self) -> t.PositionEncodingKind | str:
        """The negotiated position encoding."""
        return self.server_capabilities.position_encoding or t.PositionEncodingKind.Utf16

    @property
    def engine_state(self) -> EngineState:
        """Where the engine stands; also before there is one."""
        if self.client is not None:
            return self.client.state
        return EngineState(phase=Phase.STARTING, message="the model process has not been asked for yet", fraction=None)

    def silence(self) -> str:
        """Why nothing is suggested unasked right now, in words; "" when it is."""
        if not self.config.automatic:
            return "midfill suggests only when asked (midfill.automatic)"
        left_s = self.snoozed_until - time.monotonic()
        return f"midfill is snoozed for {math.ceil(left_s / 60)} more minutes" if left_s > 0 else ""

    def snooze(self, minutes: float) -> None:
        """Suggest nothing unasked for so long; 0 ends it."""
        self.snoozed_until = time.monotonic() + 60 * minutes if minutes > 0 else 0.0

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log; an internal error is never a pop-up."""
        if not isinstance(error, JsonRpcMethodNotFound):  # pygls has logged that one, in a line
            log.error("%s: %s", source, error, exc_info=error)

    # -- configuration and engine --------------------------------------------------------------------------

    async def configure(self, raw: object) -> None:
        """Take over a configuration; problems are told once, and the engine follows when its settings changed."""
        config, problems = load(raw)
        if problems:
            message = "midfill configuration: " + "; ".join(problems)
            log.warning(message)
            if message != self._told_problems:  # a pop-up once, not at every change of another setting
                self.window_show_message(t.ShowMessageParams(type=t.MessageType.Warning, message=message))
            self._told_problems = message
        changed = config.engine_settings() != self.config.engine_settings()
        self.config, self._deps = config, None
        self.recorder.configure(config.statistics and config.enabled and not self.was_shut_down)
        if config.enabled and (self.client is None or changed):
            await self.start_engine()
        elif not config.enabled:
            await self.stop_engine()
        await self.follow_workspace()

    async def start_engine(self) -> None:
        """Use the daemon of the present settings; how it gets on comes through the state."""
        self.machine = machine.remembered(self.config)
        self.trust = Trust()  # another model is sure in another way
        client = EngineClient(self.config.engine_settings(), self._on_state)
        await self._replace_engine(client, tasks.start(client.run(), "engine client"))

    async def stop_engine(self) -> None:
        """Let go of the daemon; it stays for other windows."""
        await self._replace_engine(None, None)

    async def follow_workspace(self) -> None:
        """Index the editor's present folders, when the configuration wants it."""
        wanted = self.config.enabled and self.config.context.index and not self.was_shut_down
        await self.workspaces.follow(self._folders() if wanted else [])
        if self.workspaces.indexing() is None:
            self._index_progress.end()

    def _on_index(self, root: Path, state: IndexState) -> None:
        log.debug("index of %s: %s %s", root, state.phase, state.message)
        if state.phase is IndexPhase.FAILED:
            log.warning("index of %s: %s", root, state.message)
        if state.phase is IndexPhase.READY:  # files have changed
            self.look_again(self.touched)
        if (indexing := self.workspaces.indexing()) is not None:
            self._index_progress.show(indexing.message, indexing.fraction)
        else:
            self._index_progress.end()

    async def _replace_engine(self, client: EngineClient | None, task: asyncio.Task[None] | None) -> None:
        # All is swapped before the first await: of two configurations in a row the later one's engine stays.
        old_client, old_task = self.client, self._client_task
        self.client, self._client_task, self._deps = client, task, None
        self._progress.end()
        if old_task is not None:
            old_task.cancel()
            await asyncio.wait([old_task])
        if old_client is not None:
            await old_client.close()

    def _on_state(self, state: EngineState) -> None:
        log.debug("engine %s: %s", state.phase, state.message)
        if state.phase in (Phase.FETCHING, Phase.QUANTIZING, Phase.LOADING):
            self._progress.show(state.message, state.fraction)
        else:
            self._progress.end(state.message)
        if state.phase is Phase.DOWN:
            log.warning("engine down: %s", state.message)
            if not self._told_down:  # once per window: it heals by itself, and `midfill/status` knows the rest
                self._told_down = True
                self.window_show_message(
                    t.ShowMessageParams(type=t.MessageType.Warning, message=f"midfill: {state.message}")
                )
        elif state.phase is Phase.FAILED:
            log.warning("engine failed: %s", state.message)
            if state.message != self._told_failure:  # a pop-up once, not at every attempt
                self.window_show_message(
                    t.ShowMessageParams(type=t.MessageType.Error, message=f"midfill: {state.message}")
                )
            self._told_failure = state.message
        elif state.phase is Phase.READY:
            log.info("engine ready: %s", state.message)
            self._told_failure = ""

    def deps(self) -> Deps | None:
        """What the completion core needs; None until a model has been loaded once."""
        if self._deps is None and self.client is not None and (loaded := self.client.loaded) is not None:
            limits = machine.limits(self.config, self.machine, self.client)
            room = loaded.context_tokens - limits.max_block_tokens
            self._deps = Deps(
                engine=self.client,
                tokenizer=loaded.tokenizer,
                spec=self.config.prompt_spec(loaded.spec),
                limits=replace(limits, max_prompt_tokens=min(limits.max_prompt_tokens, room)),
                cache=ReuseCache(),
                segments=SegmentCache(loaded.tokenizer),
                inflight=InFlight(self._on_whole),
                trust=self.trust,
                names_of=self.workspaces.of,
            )
        return self._deps

    async def _learn_machine(self, client: EngineClient) -> None:
        """In a pause: take what the model process has measured while it read, and keep it when it is news."""
        config, measured = self.config, await machine.seen(client)
        if self.client is client and measured is not None and measured.is_news(self.machine):
            before = machine.limits(config, self.machine, client)
            self.machine = measured
            if machine.limits(config, measured, client) != before:  # else what was suggested stays at hand
                self._deps = None
            await asyncio.to_thread(machine.remember, config, measured)
            log.info("machine: %s", machine.in_words(config, measured, client))

    # -- documents -----------------------------------------------------------------------------------------

    async def snapshot(self, document: Document, text: str) -> DocumentSnapshot:
        """An immutable copy of a document, with `text` as its text, and its syntax tree; parsed off the event loop."""
        uri, number = document.uri, document.n_edits
        language = for_document(uri, document.language_id)
        old = self._trees.get(uri)
        tree = await asyncio.to_thread(lambda: parse(language.id, text, old).settle())
        if self.documents.get(uri) is not None:
            self._trees[uri] = tree
        path, repo = convert.shown_path(uri, self._folders())
        return DocumentSnapshot(
            uri=uri, path=path, repo=repo, version=number, text=text, language=language.id, tree=tree
        )

    def _folders(self) -> list[str]:
        """URIs of the workspace folders."""
        return [folder.uri for folder in self.workspace.folders.values()]

    # -- context from other files --------------------------------------------------------------------------

    async def snippets(self, snapshot: DocumentSnapshot, cursor: int) -> tuple[Snippet, ...]:
        """What of other files a request is shown. Chosen at the document's first request, and then at epochs only."""
        uri = snapshot.uri
        self._cursors[uri] = cursor
        self._workbench.visit(uri)
        if self._workbench.present(uri) is None and self._room() > 0:
            await self._epoch(snapshot, cursor)
        elif uri != self._visited:  # what the user has seen to meanwhile may have changed
            self._choose(uri)
        self._visited = uri
        return self._workbench.present(uri) or ()

    async def _epoch(self, snapshot: DocumentSnapshot, cursor: int) -> bool:
        """Rank for a cursor, and take the new set of snippets if it is worth it; True when it changed."""
        ranked = await asyncio.to_thread(self._rank, snapshot, cursor)
        changed = self._workbench.offer(snapshot.uri, [(entry.score, entry.snippet) for entry in ranked])
        origins = {entry.snippet: Origin(about=entry.item.about, sources=entry.sources) for entry in ranked}
        known = {**origins, **self._origins.get(snapshot.uri, {}), **origins}  # the newest first, and told anew
        self._origins[snapshot.uri] = dict(list(known.items())[:_MAX_ORIGINS])
        return changed

    def origins(self, uri: str) -> dict[Snippet, Origin]:
        """Why each of a document's snippets, present and of late, is one of them."""
        return self._origins.get(uri, {})

    def _rank(self, snapshot: DocumentSnapshot, cursor: int) -> list[Ranked]:
        repository, pinned = self.workspaces.of(snapshot.uri), self.config.context.pinned
        sources = self._workbench.propose(snapshot, cursor, repository, pinned)
        ranked = select(sources, self._room(), self._workbench.present(snapshot.uri) or ())
        return [entry for entry in ranked if not entry.left_out]

    def look_ahead(self, deps: Deps, request: CompletionRequest, shown: Completion) -> None:
        """Have computed what comes when this suggestion is accepted, unless nothing is to be computed ahead."""
        if self.config.daemon.idle != "never" and (task := look_ahead(deps, request, shown)) is not None:
            task.add_done_callback(_log_end)

    def _on_whole(self, request: CompletionRequest, whole: Completion) -> None:
        """There is more of what was shown in part: editors that draw their ghost themselves ask for it."""
        if whole.outcome is Outcome.OK and self._deps is not None and not self.was_shut_down:
            self.protocol.notify(GROWN, {"uri": request.snapshot.uri})
            if request.trigger is Trigger.AUTOMATIC:
                self.look_ahead(self._deps, request, whole)

    def touch(self, uri: str, wait_s: float) -> None:
        """Something happened to a document: choose its context anew when nothing else happens for `wait_s`."""
        if self._pause is not None:
            self._pause.cancel()
        self.touched = uri
        self._pause = asyncio.get_running_loop().call_later(wait_s, self._choose, uri)

    def moved(self, uri: str, cursor: int, wait_s: float) -> None:
        """The cursor came to an offset of a document: have read what is there, unless it goes on within `wait_s`."""
        if self._cursors.get(uri) == cursor:  # a request told of it
            return
        self._cursors[uri] = cursor
        if self._deps is not None:  # what would have come behind the suggestion there: it is not wanted any more
            self._deps.inflight.cancel_ahead(convert.session_of(self.window, uri))
        self.touch(uri, wait_s)

    def look_again(self, uri: str) -> None:
        """Something may have happened elsewhere: choose a document's context anew, unless a choice is due anyway."""
        is_due = self._pause is not None and self._pause.when() > asyncio.get_running_loop().time()
        if uri and not is_due and not self.was_shut_down:
            self.touch(uri, PAUSE_S)

    def stop_choosing(self) -> None:
        """No more epochs: the threads that they need go away with the event loop."""
        if self._pause is not None:
            self._pause.cancel()
        for task in self._choosing:
            task.cancel()
        if self._deps is not None:
            self._deps.inflight.cancel_all()

    def _room(self) -> int:
        if not self.config.context.cross_file:
            return 0
        limits = machine.limits(self.config, self.machine, self.client)
        return limits.max_prompt_tokens - limits.max_file_tokens

    def _choose(self, uri: str) -> None:
        if self.config.enabled:
            task = asyncio.create_task(self._choose_context(uri), name="context")
            self._choosing.add(task)
            task.add_done_callback(self._choosing.discard)

    async def _choose_context(self, uri: str) -> None:
        """A context epoch: read what changed, rank, and have what the next request needs computed ahead."""
        try:
            await self._workbench.read([self._page(document) for document in self.documents])
            self._workbench.visit(uri)
            if (document := self.documents.get(uri)) is None or (deps := self.deps()) is None:
                return
            text = document.text
            if await self.privacy.of(uri, text):
                return
            cursor = min(self._cursors.get(uri, 0), len(text))
            snapshot = await self.snapshot(document, text)
            if self._room() > 0:
                await self._epoch(snapshot, cursor)
            snippets = self._workbench.present(uri) or ()
            request = convert.completion_request(
                snapshot, cursor, Trigger.AUTOMATIC, self.config.forced_mode(), self.window, snippets, self.without
            )
            for session, prompt in await prompts_for(deps, request):
                if self.config.daemon.idle != "never":  # what the next key needs, before all of the window
                    await read_ahead(deps.engine, prompt, session)
                if self.client is not None:
                    await self.client.warm(prompt, session=session)
            if self.client is not None:
                await self._learn_machine(self.client)
        except Exception:
            log.exception("choosing context failed")

    def _page(self, document: Document) -> Page:
        return Page(document.uri, self.shown_path(document.uri), document.language_id, document.n_edits, document.text)

    def shown_path(self, uri: str) -> str:
        """What a document is called to the model and the user: its path in its workspace folder, or its name."""
        return convert.shown_path(uri, self._folders())[0]

    def forget(self, uri: str) -> None:
        """Drop what is kept of a closed document; its text stays a source of context for a while."""
        self._origins.pop(uri, None)
        memory.give_back_later(self._trees.pop(uri, None))
        self._cursors.pop(uri, None)
        self._workbench.forget(uri)
        self.privacy.forget(uri)
        if task := self.running.pop(uri, None):
            task.cancel()
        if self._deps is not None:
            self._deps.inflight.cancel(convert.session_of(self.window, uri))


def _log_end(task: "asyncio.Task[None]") -> None:
    if task.cancelled():
        return
    if (error := task.exception()) is not None:
        log.error("looking ahead failed", exc_info=error)
    else:
        log.debug("looked ahead")
