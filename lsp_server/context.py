"""What the window's user works with: open documents cut into passages, those edited last, each document's snippets.

`Workbench` follows the documents: those visited last come first, closed ones stay known for a while. Cutting and
ranking run in a thread.

Rules: a document's set changes at an epoch alone (its first request, a pause, a save), as `completion.context` says.
Nothing here waits for the engine.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from completion.context import ContextKeeper, Source, near_text, open_items
from completion.sources import Item, item_of_passage, passages_of
from completion.types import Passage, Snippet
from parsers.languages import for_document
from parsers.parse import SyntaxTree, parse

# Files that snippets may come from, the present one not counted.
_MAX_SOURCES = 24
# Of generated files and data there may be megabytes.
_MAX_CHARACTERS = 400_000
# Of the open documents' passages.
_MAX_OPEN = 60
# Passages that were changed last, and are still as they were changed.
_MAX_EDITED = 12


@dataclass(frozen=True, slots=True)
class _Known:
    """A document's passages as of one version of it."""

    version: int
    source: Source
    tree: SyntaxTree


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
        # By document and text; the last edited last.
        self._edited: OrderedDict[tuple[str, str], Passage] = OrderedDict()
        self._turn = asyncio.Lock()

    async def read(self, pages: list[Page]) -> None:
        """Cut the pages that are new or have changed."""
        async with self._turn:
            for page in pages:
                known = self._known.get(page.uri)
                if (known is None or known.version != page.version) and len(page.text) <= _MAX_CHARACTERS:
                    cut, tree = await asyncio.to_thread(_cut, page, known.tree if known is not None else None)
                    if known is not None:
                        self._note_edits(page.uri, known.source.passages, cut)
                    self._known[page.uri] = _Known(page.version, Source(page.path, cut), tree)

    def visit(self, uri: str) -> None:
        """Note that the user is in this document now."""
        if uri in self._known:
            self._known.move_to_end(uri)
        while len(self._known) > _MAX_SOURCES + 1:
            self._known.popitem(last=False)

    def present(self, uri: str) -> tuple[Snippet, ...] | None:
        """The document's snippets, best first; None before its first epoch."""
        return self._keeper.present(uri)

    def candidates(self, uri: str, text: str, cursor: int) -> dict[str, list[Item]]:
        """What the other documents offer to a cursor in this one: passages edited last, and the most alike. Slow."""
        sources = [known.source for other, known in list(self._known.items())[::-1] if other != uri]
        edited = [passage for (other, _), passage in list(self._edited.items())[::-1] if other != uri]
        return {
            "edited": [item_of_passage(passage, "edited") for passage in edited],
            "open": open_items(near_text(text, cursor), sources)[:_MAX_OPEN],
        }

    def offer(self, uri: str, ranked: list[tuple[float, Snippet]]) -> bool:
        """An epoch: take a new set of snippets if it is worth it; True when the document's set changed."""
        return self._keeper.epoch(uri, ranked)

    def forget(self, uri: str) -> None:
        """Drop a closed document's own set; its text stays a source."""
        self._keeper.forget(uri)

    def _note_edits(self, uri: str, old: tuple[Passage, ...], new: tuple[Passage, ...]) -> None:
        """Remember what is new in a document; what was changed again, or taken back, is forgotten."""
        texts = {passage.text for passage in new}
        for key in [key for key in self._edited if key[0] == uri and key[1] not in texts]:
            del self._edited[key]
        before = {passage.text for passage in old}
        for passage in new:
            if passage.text not in before:
                self._edited[uri, passage.text] = passage
        while len(self._edited) > _MAX_EDITED:
            self._edited.popitem(last=False)


def _cut(page: Page, old: SyntaxTree | None) -> tuple[tuple[Passage, ...], SyntaxTree]:
    """A page's passages, and its tree for the next time: a text that was refused stays so."""
    tree = parse(for_document(page.uri, page.language_id).id, page.text, old)
    return passages_of(page.path, tree), tree
