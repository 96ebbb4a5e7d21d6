"""The workspace folders of an editor window: each with its index worker and its repository.

Rules: the editor's folders and the configuration say which there are; nothing is indexed outside of them. A folder that
is a home folder or a whole disk is left alone: a single file was opened there.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlparse

from pygls.uris import to_fs_path

from lsp_server.documents.file_names import shown
from lsp_server.index.client import IndexClient
from lsp_server.index.state import IndexPhase, IndexState
from lsp_server.workspace.repository import Repository

log = logging.getLogger(__name__)


class Workspaces:
    """All indexed folders of a window."""

    def __init__(self, on_state: Callable[[Path, IndexState], None]) -> None:
        self._on_state = on_state
        self._clients: dict[Path, IndexClient] = {}
        self._repositories: dict[Path, Repository] = {}
        self._turn = asyncio.Lock()
        self._n_running = 0  # completions being computed

    async def follow(self, uris: Iterable[str]) -> None:
        """Index these folders, and no others any more."""
        async with self._turn:
            roots = {root for uri in uris if (root := _root_of(uri)) is not None}
            async with contextlib.AsyncExitStack() as leaving:  # one that cannot be closed keeps none of the others
                for root in self._clients.keys() - roots:
                    leaving.callback(self._repositories.pop(root).close)
                    leaving.push_async_callback(self._clients.pop(root).close)
            for root in roots - self._clients.keys():
                self._clients[root] = IndexClient(root, lambda state, root=root: self._on_state(root, state))  # type: ignore[misc]
                self._repositories[root] = Repository.open(root)

    def of(self, uri: str) -> Repository | None:
        """The repository that a document belongs to: that of the innermost folder."""
        path = path_of(uri)
        if path is None:
            return None
        file = Path(path).resolve()  # as the roots are
        inside = [root for root in self._repositories if file.is_relative_to(root)]
        return self._repositories[max(inside, key=lambda root: len(root.parts))] if inside else None

    def busy(self, change: int) -> None:
        """A completion began (+1) or ended (-1): the workers wait while there is one."""
        self._n_running += change
        for client in self._clients.values():
            client.pause(self._n_running > 0)

    def states(self) -> dict[str, IndexState]:
        """What each folder's worker does, by the folder's path."""
        return {shown(str(root)): client.state for root, client in self._clients.items()}

    def indexing(self) -> IndexState | None:
        """A pass that is under way, for the editor's progress."""
        states = [client.state for client in self._clients.values()]
        return next((s for s in states if s.phase is IndexPhase.INDEXING and s.fraction is not None), None)


def path_of(uri: str) -> str | None:
    """The system's path of a URI; None when it has none."""
    path = to_fs_path(uri)
    is_damaged = path is not None and "\ufffd" in path  # perhaps a name that is no UTF-8
    return os.fsdecode(unquote_to_bytes(urlparse(uri).path)) if is_damaged else path


def _root_of(uri: str) -> Path | None:
    path = path_of(uri)
    if path is None or not (root := Path(path)).is_dir():
        return None
    if root == Path.home() or root == Path(root.anchor):
        log.info("%s is not indexed: open the project's own folder for context from its files", root)
        return None
    return root.resolve()
