"""What the user works with: open documents cut into passages, those edited last, each document's snippets.

`Workbench` follows the documents: those visited last come first, closed ones stay known for a while. Cutting and
ranking run in a thread.

Rules: a document's set changes at an epoch alone (its first request, a pause, a save), as
`completion.context.selection` says. Of an open document the editor's text counts, of a closed one the disk's: what
was never saved, or is gone, is offered to nobody, and so is what is private (see `privacy`). Nothing here waits for
the engine.
"""

import asyncio
import stat
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlparse

from completion.context.selection import ContextKeeper, Source, near_text, open_items
from completion.context.sources import Item, item_of_passage, passages_of
from completion.types import DocumentSnapshot, Passage, Snippet
from lsp_server.documents.decoding import decoded
from lsp_server.index.regular import read_regular
from lsp_server.workspace.privacy import Privacy
from lsp_server.workspace.repository import Repository
from lsp_server.workspace.workspaces import path_of
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

# What tells a file's present text from others.
Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A document as the workbench needs it: what it is called, and its text after so many edits."""

    uri: str
    path: str
    language_id: str
    n_edits: int  # as `documents.Document` counts them
    text: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A document's passages, and the page (without its text) that was cut into them."""

    page: Page
    source: Source
    tree: SyntaxTree
    stamp: Stamp  # of the text
    on_disk: Stamp | None = None  # of the file that a closed document's text is from; None: nobody has looked


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What was found for a document's next epoch, beside the ranking."""

    gone: frozenset[Snippet] = frozenset()  # of its present set, what no file says any more
    edited: frozenset[Snippet] = frozenset()  # what was changed last in other documents
    stamps: Mapping[str, Stamp] = field(default_factory=dict)  # of the files that were looked at, by path


class Workbench:
    """The documents of one editor window as sources of snippets."""

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy
        self._keeper = ContextKeeper()
        self._known: OrderedDict[str, _Known] = OrderedDict()  # visited longest ago first
        self._closed: set[str] = set()
        # By document and text; the last edited last.
        self._edited: OrderedDict[tuple[str, str], Passage] = OrderedDict()
        self._stamps: dict[str, Mapping[str, Stamp]] = {}  # of the files of each document's set, as of its last epoch
        self._proposals: dict[str, _Proposal] = {}
        self._turn = asyncio.Lock()

    async def read(self, pages: list[Page]) -> None:
        """Cut the open documents that are new or have changed, and the closed ones whose files have."""
        self._closed -= {page.uri for page in pages}
        async with self._turn:
            self._privacy.refresh()
            private = await asyncio.to_thread(lambda: {p.uri for p in pages if self._privacy.reason(p.uri, p.text)})
            for page in pages:
                known = self._known.get(page.uri)
                if page.uri in private:
                    self._withdraw(page.uri)
                elif len(page.text) > _MAX_CHARACTERS:
                    self._drop(page.uri)
                elif known is None or known.on_disk is not None or known.page.n_edits != page.n_edits:
                    cut, tree = await asyncio.to_thread(_cut, page, known.tree if known is not None else None)
                    if known is not None:
                        self._note_edits(page.uri, known.source.passages, cut)
                    blank, stamp = replace(page, text=""), (hash(page.text),)
                    self._known[page.uri] = _Known(blank, Source(page.path, cut), tree, stamp)
            closed = [known for uri, known in self._known.items() if uri in self._closed]
            for uri, now in await asyncio.to_thread(lambda: [(k.page.uri, self._as_on_disk(k)) for k in closed]):
                if now is None:
                    self._withdraw(uri)
                elif uri in self._closed:
                    self._known[uri] = now
                    self._forget_edits(uri, now.source.passages)
            self._closed &= self._known.keys()

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
        others = {
            known.page.uri: known.source
            for known in list(self._known.values())[::-1]
            if known.page.uri != uri and self._is_true(known)
        }
        edited = [passage for (other, _), passage in list(self._edited.items())[::-1] if other in others]
        return {
            "edited": [item_of_passage(passage, "edited") for passage in edited],
            "open": open_items(near_text(text, cursor), list(others.values()))[:_MAX_OPEN],
        }

    def propose(
        self, snapshot: DocumentSnapshot, cursor: int, repository: Repository | None, pinned: Collection[str]
    ) -> dict[str, list[Item]]:
        """What all sources offer to a cursor, for the document's next epoch. Slow."""
        generation = repository.generation() if repository is not None else None
        sources = self.candidates(snapshot.uri, snapshot.text, cursor)
        if repository is not None:
            indexed = repository.candidates(snapshot.path, snapshot.text, cursor, snapshot.tree)
            sources |= self._as_edited(indexed | {"pinned": repository.pinned(pinned)})
        proposed, present = {i.snippet for items in sources.values() for i in items}, self.present(snapshot.uri) or ()
        paths = {snippet.path for snippet in (*proposed, *present)}
        stamps: dict[str, Stamp] = {}
        if repository is not None and generation is not None:
            stamps |= repository.stamps(paths, generation)
        for known in list(self._known.values()):
            stamps[known.source.path] = (*stamps.get(known.source.path, ()), *known.stamp)
        then = self._stamps.get(snapshot.uri, {})
        gone = (s for s in present if s not in proposed and stamps.get(s.path) != then.get(s.path))
        edited = frozenset(item.snippet for item in sources["edited"])
        self._proposals[snapshot.uri] = _Proposal(frozenset(gone), edited, stamps)
        return sources

    def offer(self, uri: str, ranked: list[tuple[float, Snippet]]) -> bool:
        """An epoch: take a new set of snippets if it is worth it; True when the document's set changed."""
        proposal = self._proposals.pop(uri, _Proposal())
        changed = self._keeper.epoch(uri, ranked, proposal.gone, proposal.edited)
        paths = {snippet.path for snippet in self._keeper.present(uri) or ()}
        self._stamps[uri] = {path: stamp for path, stamp in proposal.stamps.items() if path in paths}
        return changed

    def forget(self, uri: str) -> None:
        """Drop a closed document's own set; its text stays a source, as the disk has it."""
        self._keeper.forget(uri)
        self._stamps.pop(uri, None)
        self._proposals.pop(uri, None)
        self._closed.add(uri)

    def _is_true(self, known: _Known) -> bool:
        """Whether a document's text is as it is known: what was never saved goes with its document."""
        uri = known.page.uri
        return uri not in self._closed or (known.on_disk is not None and known.on_disk == _stamp(uri))

    def _as_edited(self, sources: Mapping[str, list[Item]]) -> dict[str, list[Item]]:
        """What is proposed of the disk's texts, without what the open documents do not say any more."""
        paths = {item.snippet.path for items in sources.values() for item in items}
        opened = [k for k in list(self._known.values()) if k.source.path in paths and k.page.uri not in self._closed]
        edited = {k.source.path: _words(k.source) for k in opened if not _is_saved(k)}
        return {
            source: [item for item in items if _says(edited.get(item.snippet.path), item)]
            for source, items in sources.items()
        }

    def _drop(self, uri: str) -> None:
        self._known.pop(uri, None)
        self._forget_edits(uri, ())

    def _withdraw(self, uri: str) -> None:
        """Drop a document, and what other documents are shown of it."""
        if (known := self._known.get(uri)) is not None:
            self._keeper.withdraw(known.source.path)
        self._drop(uri)

    def _as_on_disk(self, known: _Known) -> _Known | None:
        """A closed document as its file has it; None when there is no such file, or nothing to be shown of it."""
        uri = known.page.uri
        if (stamp := _stamp(uri)) is None or (path := _file_of(uri)) is None:
            return None
        if stamp == known.on_disk:
            return None if self._privacy.reason(uri, "") else known
        text = _text_of(path)
        if text is None or len(text) > _MAX_CHARACTERS or self._privacy.reason(uri, text):
            return None
        if known.stamp == (hash(text),):
            return replace(known, on_disk=stamp)
        cut, tree = _cut(replace(known.page, text=text), known.tree)
        return replace(known, source=Source(known.page.path, cut), tree=tree, stamp=(hash(text),), on_disk=stamp)

    def _note_edits(self, uri: str, old: tuple[Passage, ...], new: tuple[Passage, ...]) -> None:
        """Remember what is new in a document; what was changed again, or taken back, is forgotten."""
        self._forget_edits(uri, new)
        before = {passage.text for passage in old}
        for passage in new:
            if passage.text not in before:
                self._edited[uri, passage.text] = passage
        while len(self._edited) > _MAX_EDITED:
            self._edited.popitem(last=False)

    def _forget_edits(self, uri: str, new: tuple[Passage, ...]) -> None:
        """Forget the edited passages that a document does not have any more."""
        texts = {passage.text for passage in new}
        for key in [key for key in self._edited if key[0] == uri and key[1] not in texts]:
            del self._edited[key]


def _cut(page: Page, old: SyntaxTree | None) -> tuple[tuple[Passage, ...], SyntaxTree]:
    """A page's passages, and its tree for the next time: a text that was refused stays so."""
    tree = parse(for_document(page.uri, page.language_id).id, page.text, old)
    return passages_of(page.path, tree), tree


def _is_saved(known: _Known) -> bool:
    """Whether the disk has an open document's text."""
    path = _file_of(known.page.uri)
    text = None if path is None else _text_of(path)
    return text is not None and (hash(text),) == known.stamp


def _words(source: Source) -> str:
    """A file's text without its line ends and indentation."""
    return " ".join(" ".join(passage.text.split()) for passage in source.passages)


def _says(text: str | None, item: Item) -> bool:
    """Whether every line of a snippet stands in a file's text, as `_words` gives it; None: nobody has edited it."""
    if text is None:
        return True
    lines = (" ".join(line.split()).removesuffix("...") for line in item.snippet.text.splitlines())
    return all(line in text for line in lines)


def _stamp(uri: str) -> Stamp | None:
    """What tells a document's file from what it was; None when it has none."""
    if (path := _file_of(uri)) is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _file_of(uri: str) -> Path | None:
    """The file that holds a document's text: not one that was never saved, nor the cells of a notebook."""
    path = path_of(uri)
    return None if path is None or urlparse(uri).fragment else Path(path)


def _text_of(file: Path) -> str | None:
    """What a file holds; None for what is no text, or gone."""
    source = read_regular(file)
    found = None if source is None else decoded(source)
    return None if found is None else found.text
