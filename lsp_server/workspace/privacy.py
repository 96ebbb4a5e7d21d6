"""Which documents are private: no other file is shown their text, and automatic requests in them are answered empty.

A document is private when a rule of the user's or of git's ignores its file, when its name is that of a secret, or when
its text, saved or not, holds a key. One that lies in no folder of the workspace, or was never saved, goes by its name
and its text. What is built in about dependencies, builds and hidden folders makes nothing private: a user who opens
such a file means to work with it.

Rules: `reason` reads ignore files and long texts, and is for worker threads. Rules are read anew at every context
epoch; a request goes by what was read last, and by the text as it is.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlparse

from lsp_server.documents.file_names import unquoted
from lsp_server.index.ignore import Levels
from lsp_server.index.secrets import holds_secret, is_secret_name
from lsp_server.workspace.workspaces import path_of

_NAMED = "its name is that of a secret: nothing is suggested there unasked"
_IGNORED = "ignore rules leave this file out: nothing is suggested there unasked"
_HOLDS_KEY = "it holds a private key: nothing is suggested there unasked"


class Privacy:
    """What is private of one window's documents. `folders` are the URIs of its workspace folders."""

    def __init__(self, folders: Callable[[], Sequence[str]]) -> None:
        self._folders = folders
        self._rules: _Rules | None = None
        self._private: set[str] = set()

    def refresh(self) -> None:
        """Read the rules anew: they may have changed."""
        self._rules = None

    async def of(self, uri: str, text: str) -> str:
        """Why a document with this text is private; "" when it is not."""
        return await asyncio.to_thread(self.reason, uri, text)

    def reason(self, uri: str, text: str) -> str:
        """The same as `of`. Slow."""
        if (rules := self._rules) is None:
            rules = self._rules = _Rules(self._folders())
        reason = rules.say(uri) or (_HOLDS_KEY if holds_secret(text) else "")
        (self._private.add if reason else self._private.discard)(uri)
        return reason

    def is_private(self, uri: str) -> bool:
        """Whether a document was private when that was last asked."""
        return uri in self._private

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._private.discard(uri)


class _Rules:
    """What rules and names say of documents, as of one time. Each file that says something is read once."""

    def __init__(self, folders: Sequence[str]) -> None:
        roots = [Path(path) for folder in folders if (path := path_of(folder)) is not None]
        self._given = [root for root in roots if root not in (Path.home(), Path(root.anchor))]  # nobody's workspaces
        self._roots: list[Path] | None = None
        self._levels: dict[Path, Levels] = {}
        self._said: dict[str, str] = {}

    def say(self, uri: str) -> str:
        """Why a document is private whatever it holds; "" when it is not."""
        if (said := self._said.get(uri)) is None:
            said = self._said[uri] = self._look(uri)
        return said

    def _look(self, uri: str) -> str:
        if (path := path_of(uri)) is None:  # it has only a name, or is not on this machine
            return _NAMED if is_secret_name(unquoted(urlparse(uri).path)) else ""
        file = Path(path)
        names = {file, file.resolve()}  # a link is what it leads to, too
        inside = [(name, root) for name in names if (root := self._root_of(name)) is not None]
        if not inside:
            return _NAMED if any(is_secret_name(name.as_posix()) for name in names) else ""
        if any(is_secret_name("/".join(name.parts[-2:])) for name in names):
            return _NAMED
        sources = (self._levels_of(root).file(name.relative_to(root).as_posix()) for name, root in inside)
        return "" if all(sources) else _IGNORED

    def _root_of(self, file: Path) -> Path | None:
        """The innermost workspace folder around a file."""
        if self._roots is None:
            self._roots = [*self._given, *(root.resolve() for root in self._given)]
        around = [root for root in self._roots if file.is_relative_to(root)]
        return max(around, key=lambda root: len(root.parts), default=None)

    def _levels_of(self, root: Path) -> Levels:
        if (known := self._levels.get(root)) is None:
            known = self._levels[root] = Levels(root, built_in=False)
        return known
