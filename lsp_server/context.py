"""What other files the window's user works with, cut into snippets, and when a document gets a new set of them.

`Workbench` follows the documents: those visited last come first, closed ones stay known for a while. Cutting and
ranking run in a thread; `snippets` only looks up what is there.

Rules: a document's set changes at an epoch alone (its first request, a pause, a save), as `completion.context` says.
Nothing here waits for the engine.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from completion.context import ContextKeeper, Source, near_text, rank_snippets
from completion.types import Snippet
from parsers.chunks import chunks
from parsers.languages import for_document
from parsers.parse import parse

# Files that snippets may come from, the present one not counted.
_MAX_SOURCES = 24
# Of generated files and data there may be megabytes.
_MAX_CHARACTERS = 400_000
# Characters of a token of code, rather too many: what does not fit in the end the prompt leaves out.
_CHARACTERS_PER_TOKEN = 4.5


@dataclass(frozen=True, slots=True)
class _Known:
    """A document's chunks as of one version of it."""

    version: int
    source: Source


@dataclass(frozen=True, slots=True)
class Page:
    """A document as the workbench needs it: what it is called, and its text at a version."""

    uri: str
    path: str
    language_id: str
    version: int
    text: str


class Workbench:
    """The documents of one editor window as sources of snippets."""

    def __init__(self) -> None:
        self._keeper = ContextKeeper()
        self._known: OrderedDict[str, _Known] = OrderedDict()  # visited longest ago first
        self._turn = asyncio.Lock()

    async def read(self, pages: list[Page]) -> None:
        """Cut the pages that are new or have changed."""
        async with self._turn:
            for page in pages:
                known = self._known.get(page.uri)
                if (known is None or known.version != page.version) and len(page.text) <= _MAX_CHARACTERS:
                    cut = await asyncio.to_thread(_cut, page)
                    self._known[page.uri] = _Known(page.version, Source(page.path, cut))

    def visit(self, uri: str) -> None:
        """Note that the user is in this document now."""
        if uri in self._known:
            self._known.move_to_end(uri)
        while len(self._known) > _MAX_SOURCES + 1:
            self._known.popitem(last=False)

    def present(self, uri: str) -> tuple[Snippet, ...] | None:
        """The document's snippets, best first; None before its first epoch."""
        return self._keeper.present(uri)

    async def epoch(self, uri: str, text: str, cursor: int, room: int) -> bool:
        """Rank for a cursor, and take the new set of at most `room` tokens if it is worth it; True when it changed."""
        sources = [known.source for other, known in reversed(self._known.items()) if other != uri]
        if not sources or room <= 0:
            return False
        offered = await asyncio.to_thread(_offer, near_text(text, cursor), sources, room)
        return self._keeper.epoch(uri, offered)

    def forget(self, uri: str) -> None:
        """Drop a closed document's own set; its text stays a source."""
        self._keeper.forget(uri)


def _cut(page: Page) -> tuple[str, ...]:
    tree = parse(for_document(page.uri, page.language_id).id, page.text)
    return tuple(chunk.text for chunk in chunks(tree))


def _offer(near: str, sources: list[Source], room: int) -> list[tuple[float, Snippet]]:
    """The best snippets that fit into `room` tokens."""
    offered, characters = [], room * _CHARACTERS_PER_TOKEN
    for score, snippet in rank_snippets(near, sources):
        if len(snippet.text) > characters:
            break
        characters -= len(snippet.text) + len(snippet.path)
        offered.append((score, snippet))
    return offered
