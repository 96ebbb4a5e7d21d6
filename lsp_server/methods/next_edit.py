"""The change that follows from the last one: `midfill/nextEdit`, and Copilot's `textDocument/copilotInlineEdit`.

`midfill/nextEdit` answers `{edits, reason}`: the edits in order, each with its document, its range, the new text, the
place to jump to, and an id to accept or dismiss it by. Copilot's request, which other plugins speak (sidekick.nvim asks
any client whose name holds "copilot"), gets the first of them. When nothing is left to do in the document itself, what
it renamed is looked for in the other open documents and in the repository; then the model is asked (`rewriting`).

Named in `table`. Rules: exactly one answer per request, an empty one for another version than the document's, and
where it changed meanwhile. A private document is not looked into for another, nor are its edits. Nothing is computed
for who does not ask.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from completion.code.lines import same_ends
from completion.next_edit.edits import LineEdit, Proposal
from completion.next_edit.elsewhere import renamed, uses
from completion.next_edit.judge import Judged, asks_model, judge
from completion.next_edit.layer_one import looked, with_imports
from lsp_server.documents.store import Document, split_lines, units_of
from lsp_server.methods.rewriting import Question, rewritten
from lsp_server.server import Midfill
from lsp_server.usage.explain import Spot
from lsp_server.usage.next_edits import OFFERED, Considered
from parsers.languages import for_document
from parsers.parse import SyntaxTree, parse

log = logging.getLogger(__name__)

# The command that an editor runs when the user takes an edit; its argument is the id.
ACCEPTED = "midfill.nextEditAccepted"
# Files of the repository that a renamed name is looked for in; files and edits of an answer, and characters that are
# looked through when there is something to offer: when that is taken, what is left is asked for again.
_MAX_FILES, _MAX_CHANGED, _MAX_EDITS, _MAX_LOOKED = 12, 3, 24, 40_000


@dataclass(frozen=True, slots=True)
class _Offer:
    """An edit of a document; `version` None: of a file that is not open."""

    uri: str
    version: int | None
    lines: tuple[str, ...]  # of the whole document, with their ends
    judged: Judged


@dataclass(slots=True)
class _Answer:
    """What is offered or, in words, why nothing is; and what else was thought of, after which edits."""

    offers: list[_Offer] = field(default_factory=list)
    reason: str = ""
    edits: tuple[LineEdit, ...] = ()
    others: list[Considered] = field(default_factory=list)
    id: str = ""


async def next_edit(ls: Midfill, params: Any) -> dict[str, Any]:
    """The edits that follow, in order."""
    answer = await _guarded(ls, params)
    return {"edits": [_as_edit(ls, offer, answer.id) for offer in answer.offers], "reason": answer.reason}


async def copilot_inline_edit(ls: Midfill, params: Any) -> dict[str, Any]:
    """The first of them in this document, as Copilot's server answers."""
    answer = await _guarded(ls, params)
    here = [offer for offer in answer.offers if offer.uri == _uri(params)][:1]
    edits = [_as_edit(ls, offer, answer.id) for offer in here]
    return {"edits": [{key: edit[key] for key in ("text", "range", "textDocument", "command")} for edit in edits]}


def did_show(ls: Midfill, params: Any) -> None:
    """The editor shows one; nothing follows from it."""
    log.debug("a next edit is shown")


def did_focus(ls: Midfill, params: Any) -> None:
    """The user came to a document, as Copilot's clients tell; nothing follows from it."""
    log.debug("a document has the focus")


def did_dismiss(ls: Midfill, params: Any) -> None:
    """The user does not want one."""
    ls.next_edits.dismiss(str(getattr(params, "id", "")))


def accepted(ls: Midfill, *arguments: Any) -> None:
    """The user took one."""
    if arguments:
        ls.next_edits.accepted(str(arguments[0]))


async def _guarded(ls: Midfill, params: Any) -> _Answer:
    """Answer a request, and have it remembered; with nothing where there is a bug of ours."""
    at, began = time.time(), time.perf_counter()
    try:
        answer = await _respond(ls, params)
    except Exception:
        log.exception("next edit failed")
        return _Answer(reason="it failed: see the log")
    ms = (time.perf_counter() - began) * 1e3
    log.info("next edit n=%d ms=%.1f %s", len(answer.offers), ms, f"reason={answer.reason!r}" if answer.reason else "")
    if (document := ls.documents.get(_uri(params))) is not None:
        answer.id = _remember(ls, document, answer, _spot(ls, document, params, at, ms))
    return answer


def _spot(ls: Midfill, document: Document, params: Any, at: float, ms: float) -> Spot:
    position = getattr(params, "position", None)
    line, column = (getattr(position, name, None) for name in ("line", "character"))
    return Spot(
        at=at,
        uri=document.uri,
        path=ls.snapshots.shown_path(document.uri),
        line=1 + (line if isinstance(line, int) else 0),
        column=1 + (column if isinstance(column, int) else 0),
        language=for_document(document.uri, document.language_id).id,
        latency_ms=ms,
    )


def _remember(ls: Midfill, document: Document, answer: _Answer, spot: Spot) -> str:
    """Have an answer remembered for `midfill why`; its id."""
    considered = [*(Considered(offer.uri, offer.judged, OFFERED) for offer in answer.offers), *answer.others]
    shown = [replace(each, path=ls.snapshots.shown_path(each.path)) for each in considered]
    edits = [replace(edit, path=ls.snapshots.shown_path(edit.path)) for edit in answer.edits]
    is_private = ls.privacy.is_private(document.uri)
    return ls.next_edits.answered(spot, edits, shown, answer.reason, is_private=is_private)


async def _respond(ls: Midfill, params: Any) -> _Answer:
    config, document = ls.config, ls.documents.get(_uri(params))
    if not (config.enabled and config.next_edit.enabled):
        return _Answer(reason="next edits are switched off (midfill.nextEdit.enabled)")
    if document is None:
        return _Answer(reason="the document is not open")
    if snoozed := ls.snoozed():
        return _Answer(reason=snoozed)
    asked = getattr(getattr(params, "textDocument", None), "version", None)
    if isinstance(asked, int) and asked != document.version:
        return _Answer(reason="the document is another one than the question is about")
    number, text = document.n_edits, document.text
    language = for_document(document.uri, document.language_id).id
    if language in config.disabled_languages:
        return _Answer(reason=f"{language} is in midfill.disabledLanguages")
    await ls.privacy.of(document.uri, text)
    edits = _edits(ls, document.uri)
    tree = (await ls.snapshots.of(document, text)).tree
    found = await asyncio.to_thread(_found, ls, document.uri, tree, edits)
    if document.n_edits != number:
        return _Answer(reason="the document changed meanwhile", edits=edits)
    threshold = 1.0 - config.next_edit.eagerness
    line = _line(params, edits)
    answer = judge(found, edits, line, threshold=threshold, dismissed=ls.next_edits.dismissed)
    lines = tuple(split_lines(text))
    offers = [_Offer(document.uri, document.version, lines, judged) for judged in answer.edits]
    others = [Considered.other(document.uri, judged, ls.next_edits.dismissed) for judged in answer.others]
    told = _Answer(offers, answer.reason, edits, others)
    ls.documents.edits.offer(document.uri, [judged.proposal for judged in answer.edits])
    if not offers and not ls.privacy.is_private(document.uri):
        await _look_elsewhere(ls, document, threshold, told)
    if not told.offers and asks_model(threshold):
        written = await rewritten(ls, Question(document.uri, tree, edits, line, lambda: document.n_edits == number))
        said = judge(written, edits, line, threshold=threshold, dismissed=ls.next_edits.dismissed)
        told.offers = [_Offer(document.uri, document.version, lines, judged) for judged in said.edits]
        told.others += [Considered.other(document.uri, judged, ls.next_edits.dismissed) for judged in said.others]
        told.reason = "" if told.offers else told.reason
        ls.documents.edits.offer(document.uri, [judged.proposal for judged in said.edits])
    if document.n_edits != number:
        return _Answer(reason="the document changed meanwhile", edits=edits)
    return told


def _edits(ls: Midfill, uri: str) -> tuple[LineEdit, ...]:
    """The last edits as a document may know them."""
    return tuple(
        edit for edit in ls.documents.edits.of(uri) if edit.path == uri or not ls.privacy.is_private(edit.path)
    )


def _found(ls: Midfill, uri: str, tree: SyntaxTree, edits: tuple[LineEdit, ...]) -> tuple[Proposal, ...]:
    """What may follow in the document itself. Slow."""
    look, repository = looked(tree, edits), ls.workspaces.of(uri)
    lines = repository.import_lines(look.missing, tree.language) if repository is not None and look.missing else {}
    return with_imports(tree, edits, look.proposals, tuple(lines.items()))


async def _look_elsewhere(ls: Midfill, document: Document, threshold: float, answer: _Answer) -> None:
    """Put into an answer what follows, in this file and in others, from what some open file renamed."""
    offers: list[_Offer] = []
    paths = dict.fromkeys(edit.path for edit in reversed(ls.documents.edits.of(document.uri)))
    for path in paths:
        source = ls.documents.get(path)
        if source is None or ls.privacy.is_private(path):
            continue
        edits = ls.documents.edits.of(path)
        if not any(edit.path == path and edit.old and edit.new for edit in edits):
            continue  # no name became another
        tree = (await ls.snapshots.of(source, source.text)).tree
        if names := await asyncio.to_thread(renamed, tree, edits):
            asked = _Search(ls, document.uri, path, tree.language, names, edits, threshold, answer)
            offers += await asyncio.to_thread(lambda: list(islice(asked.offers(), _MAX_EDITS)))  # noqa: B023 - awaited here
    for uri in {offer.uri for offer in offers}:
        ls.documents.edits.offer(uri, [offer.judged.proposal for offer in offers if offer.uri == uri])
    answer.offers = offers[:_MAX_EDITS]
    answer.reason = "" if offers else answer.reason


@dataclass(frozen=True, slots=True)
class _Search:
    """For the uses of names that the file `source` renamed, in other files; `uri` is looked into first."""

    ls: Midfill
    uri: str
    source: str
    language: str
    names: Mapping[str, str]
    edits: tuple[LineEdit, ...]
    threshold: float
    answer: _Answer  # gets what is not offered, and why

    def offers(self) -> Iterator[_Offer]:
        """The edits, file by file. Slow."""
        n_changed = n_looked = 0
        for old, new in self.names.items():
            texts = self._texts(old)
            for uri in sorted(texts, key=lambda each: (each != self.uri, each)):
                if n_changed >= _MAX_CHANGED or (n_changed and n_looked > _MAX_LOOKED):
                    return
                version, read = texts[uri]
                # The index may be behind: what was just changed is not parsed again.
                if (text := read()) is None or old not in text:
                    continue
                n_looked += len(text)
                found = uses(parse(self.language, text), old, new)
                dismissed = self.ls.next_edits.dismissed
                answer = judge(found, self.edits, 0, threshold=self.threshold, dismissed=dismissed)
                self.answer.others += [Considered.other(uri, judged, dismissed) for judged in answer.others]
                self.answer.reason = answer.reason if found else self.answer.reason
                lines = tuple(split_lines(text))
                n_changed += bool(answer.edits)
                for judged in sorted(answer.edits, key=lambda each: each.proposal.line):
                    yield _Offer(uri, version, lines, judged)

    def _texts(self, name: str) -> dict[str, tuple[int | None, Callable[[], str | None]]]:
        """The files in which a name may be used: their versions, and what reads them, since few are looked at."""
        found: dict[str, tuple[int | None, Callable[[], str | None]]] = {}
        is_open = {document.uri: document for document in list(self.ls.documents)}
        for uri, document in is_open.items():
            is_ours = for_document(uri, document.language_id).id == self.language
            text = document.text
            if uri != self.source and is_ours and name in text and not self.ls.privacy.reason(uri, text):
                found[uri] = (document.version, partial(str, text))
        if (repository := self.ls.workspaces.of(self.source)) is not None:
            for path in repository.files_with(name, self.language, _MAX_FILES):
                if (uri := repository.uri_of(path)) not in is_open:
                    found[uri] = (None, partial(repository.text_of, path))
        return found


def _uri(params: Any) -> str:
    return str(getattr(getattr(params, "textDocument", None), "uri", ""))


def _line(params: Any, edits: tuple[LineEdit, ...]) -> int:
    """Where the user is: at the last edit in this document, else at the cursor."""
    here = [edit.line for edit in edits if edit.line >= 0]
    line = getattr(getattr(params, "position", None), "line", None)
    return here[-1] if here else line if isinstance(line, int) else 0


def _as_edit(ls: Midfill, offer: _Offer, answer: str) -> dict[str, Any]:
    """An edit of an answer as editors take it: of its lines what differs, from the first character that does."""
    proposal = offer.judged.proposal
    first, text = _lines_of(offer, proposal)
    old = "".join(offer.lines[proposal.line : proposal.line + len(proposal.old)])
    head, tail = same_ends(old, text)
    begin, end = (_position(ls, offer.lines, first, offset) for offset in (head, len(old) - tail))
    name = ls.next_edits.offer(proposal, answer)
    return {
        "id": name,
        "text": text[head : len(text) - tail],
        "range": {"start": begin, "end": end},
        "position": begin,
        "textDocument": {"uri": offer.uri, "version": offer.version},
        "command": {"title": "Accepted", "command": ACCEPTED, "arguments": [name]},
        "layer": proposal.layer.value,
        "probability": round(offer.judged.probability, 3),
    }


def _lines_of(offer: _Offer, proposal: Proposal) -> tuple[int, str]:
    """The first line of a proposal, and its new lines with line ends as the document has them."""
    end = "\r\n" if any(line.endswith("\r\n") for line in offer.lines[:1]) else "\n"
    text = "".join(line + end for line in proposal.new)
    last = proposal.line + len(proposal.old)
    if proposal.old and proposal.new and not offer.lines[last - 1].endswith(("\n", "\r")):
        text = text.removesuffix(end)
    return proposal.line, text


def _position(ls: Midfill, lines: tuple[str, ...], line: int, offset: int) -> dict[str, int]:
    """The place at an offset from the beginning of a line."""
    while line < len(lines) - 1 and offset >= len(lines[line]):
        offset -= len(lines[line])
        line += 1
    units = units_of(lines[line][:offset], ls.encoding) if line < len(lines) else 0
    return {"line": line, "character": units}
