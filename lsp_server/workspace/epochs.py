"""Context epochs: when what a document is shown of other files may change, and what is computed for its next request.

An epoch is a document's first request, a pause in its edits, or a save. It ranks what all sources propose, takes the
new set of snippets if that is worth it, and has the model read what the next request needs.

Rules: one asyncio thread owns it. Reading and ranking run in threads. Between two epochs a document's snippets stay as
they are: every change of them makes the model read them anew.
"""

import asyncio
import logging
from collections.abc import Callable

from completion.ahead import read_ahead
from completion.context.selection import Ranked, select
from completion.pipeline import Deps, prompts_for
from completion.types import CompletionRequest, DocumentSnapshot, EngineUnavailable, Snippet
from lsp_server.config import Config
from lsp_server.documents.notebooks import OpenDocuments
from lsp_server.documents.snapshots import Snapshots
from lsp_server.documents.store import Document
from lsp_server.engine.link import EngineLink
from lsp_server.usage.explain import Origin
from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.workbench import Page, Workbench
from lsp_server.workspace.workspaces import Workspaces

log = logging.getLogger(__name__)

# Without a keystroke for so long, the user is thinking: time for a new choice of context. A file that was just opened
# is looked at first.
PAUSE_S, OPEN_S = 1.5, 0.2
# Of a document: what a few epochs choose. An answer under way was made with an older choice.
_MAX_ORIGINS = 500

# The automatic request that the next key would be at a cursor, with these snippets.
NextRequest = Callable[[DocumentSnapshot, int, tuple[Snippet, ...]], CompletionRequest]


class Epochs:
    """The snippets of each document of one editor window."""

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        documents: OpenDocuments,
        snapshots: Snapshots,
        engine: EngineLink,
        workspaces: Workspaces,
        privacy: Privacy,
        next_request: NextRequest,
    ) -> None:
        self.touched = ""  # the document that something happened to last
        self._config, self._documents, self._snapshots = config, documents, snapshots
        self._engine, self._workspaces, self._privacy = engine, workspaces, privacy
        self._next_request = next_request
        self._workbench = Workbench(privacy)
        self._origins: dict[str, dict[Snippet, Origin]] = {}  # why each document's snippets are chosen
        self._cursors: dict[str, int] = {}  # where the last request of each document was
        self._visited = ""  # the document of the last request
        self._pause: asyncio.TimerHandle | None = None
        self._choosing: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def snippets(self, snapshot: DocumentSnapshot, cursor: int) -> tuple[Snippet, ...]:
        """What of other files a request is shown. Chosen at the document's first request, and then at epochs only."""
        uri = snapshot.uri
        self._cursors[uri] = cursor
        self._workbench.visit(uri)
        if self._workbench.present(uri) is None and self._room() > 0:
            await self._choose_snippets(snapshot, cursor)
        elif uri != self._visited:  # what the user has seen to meanwhile may have changed
            self._begin(uri)
        self._visited = uri
        return self._workbench.present(uri) or ()

    def origins(self, uri: str) -> dict[Snippet, Origin]:
        """Why each of a document's snippets, present and of late, is one of them."""
        return self._origins.get(uri, {})

    def touch(self, uri: str, wait_s: float) -> None:
        """Something happened to a document: an epoch comes when nothing else happens for `wait_s`."""
        if self._pause is not None:
            self._pause.cancel()
        self.touched = uri
        self._pause = asyncio.get_running_loop().call_later(wait_s, self._begin, uri)

    def moved(self, uri: str, session: str, text: str, cursor: int, wait_s: float) -> None:
        """The cursor came to an offset of a document: have read what is there, unless it goes on within `wait_s`."""
        if self._cursors.get(uri) == cursor:  # a request told of it
            return
        self._cursors[uri] = cursor
        self._engine.leave(session, text, cursor)
        self.touch(uri, wait_s)

    def look_again(self, uri: str) -> None:
        """Something may have happened elsewhere: an epoch comes in a pause, unless one is due anyway."""
        is_due = self._pause is not None and self._pause.when() > asyncio.get_running_loop().time()
        if uri and not is_due and not self._is_over:
            self.touch(uri, PAUSE_S)

    def stop(self) -> None:
        """No more epochs: the threads that they need go away with the event loop."""
        self._is_over = True
        if self._pause is not None:
            self._pause.cancel()
        for task in self._choosing:
            task.cancel()

    def forget(self, uri: str) -> None:
        """Drop what is kept of a closed document; its text stays a source of context for a while."""
        self._origins.pop(uri, None)
        self._cursors.pop(uri, None)
        self._workbench.forget(uri)

    def _room(self) -> int:
        """Tokens of the prompt that snippets may have."""
        if not self._config().context.cross_file:
            return 0
        limits = self._engine.limits()
        return limits.max_prompt_tokens - limits.max_file_tokens

    async def _choose_snippets(self, snapshot: DocumentSnapshot, cursor: int) -> None:
        """Rank for a cursor, and take the new set of snippets if it is worth it."""
        ranked = await asyncio.to_thread(self._rank, snapshot, cursor)
        self._workbench.offer(snapshot.uri, [(entry.score, entry.snippet) for entry in ranked])
        origins = {entry.snippet: Origin(about=entry.item.about, sources=entry.sources) for entry in ranked}
        known = {**origins, **self._origins.get(snapshot.uri, {}), **origins}  # the newest first, and told anew
        self._origins[snapshot.uri] = dict(list(known.items())[:_MAX_ORIGINS])

    def _rank(self, snapshot: DocumentSnapshot, cursor: int) -> list[Ranked]:
        repository, pinned = self._workspaces.of(snapshot.uri), self._config().context.pinned
        sources = self._workbench.propose(snapshot, cursor, repository, pinned)
        ranked = select(sources, self._room(), self._workbench.present(snapshot.uri) or ())
        return [entry for entry in ranked if not entry.left_out]

    def _begin(self, uri: str) -> None:
        if self._config().enabled:
            task = asyncio.create_task(self._epoch(uri), name="context")
            self._choosing.add(task)
            task.add_done_callback(self._choosing.discard)

    async def _epoch(self, uri: str) -> None:
        """Read what changed, rank, and have what the next request needs computed ahead."""
        try:
            await self._workbench.read([self._page(document) for document in self._documents])
            self._workbench.visit(uri)
            if (document := self._documents.get(uri)) is None or (deps := self._engine.deps()) is None:
                return
            text = document.text
            if await self._privacy.of(uri, text):
                return
            cursor = min(self._cursors.get(uri, 0), len(text))
            snapshot = await self._snapshots.of(document, text)
            if self._room() > 0:
                await self._choose_snippets(snapshot, cursor)
            await self._read_window(deps, snapshot, cursor)
            await self._engine.learn_machine()
        except EngineUnavailable as error:  # of a server, which also tokenizes: the next request says so
            log.debug("nothing is read ahead: %s", error)
        except Exception:
            log.exception("choosing context failed")

    async def _read_window(self, deps: Deps, snapshot: DocumentSnapshot, cursor: int) -> None:
        """Have the model read what the next requests there are asked with."""
        request = self._next_request(snapshot, cursor, self._workbench.present(snapshot.uri) or ())
        for session, prompt in await prompts_for(deps, request):
            if self._config().daemon.idle != "never":  # what the next key needs, before all of the prompt window
                await read_ahead(deps.engine, prompt, session)
            if self._engine.client is not None:
                await self._engine.client.warm(prompt, session=session)

    def _page(self, document: Document) -> Page:
        path = self._snapshots.shown_path(document.uri)
        return Page(document.uri, path, document.language_id, document.n_edits, document.text)
