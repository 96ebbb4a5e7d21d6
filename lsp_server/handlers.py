"""The request that all others are for: `textDocument/inlineCompletion`. It reads: find the document, ask the core,
translate the answer.

Rules: requests are `async def`, so that the editor can cancel them. Exactly one answer per request on every
path, an empty one when something is wrong; a newer request for a document ends the older one, since some
editors never cancel. The guard in `answer` is the only broad `except` of the requests.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types as t

from completion.pipeline import complete
from completion.types import Completion, Mode, Outcome, Trigger
from lsp_server import convert
from lsp_server.convert import Place
from lsp_server.documents.store import Document
from lsp_server.server import Midfill
from lsp_server.status import summary
from lsp_server.usage.explain import Spot
from lsp_server.workspace.epochs import PAUSE_S
from model.link.client import Phase
from parsers.languages import for_document

log = logging.getLogger(__name__)

_EMPTY = t.InlineCompletionList(items=[])


@dataclass(frozen=True, slots=True)
class Answered:
    """A completion that goes out, and where."""

    completion: Completion
    place: Place
    suggestion_id: str


async def inline_completion(ls: Midfill, params: t.InlineCompletionParams) -> t.InlineCompletionList:
    """The suggestion as ghost text."""
    answered = await answer(ls, params)
    if answered is None:
        return _EMPTY
    return convert.inline_list(answered.completion, answered.place, answered.suggestion_id, ls.encoding)


async def answer(ls: Midfill, params: t.InlineCompletionParams) -> Answered | None:
    """Answer a request; None when nothing can be said at all, which a bug is, too."""
    ls.stalls.watch()
    if int(params.context.trigger_kind) == 0:
        ls.zero_based_triggers = True
    try:
        return await _respond(ls, params)
    except Exception:
        log.exception("inline completion failed")
        return None


async def _respond(ls: Midfill, params: t.InlineCompletionParams) -> Answered | None:
    """Answer, and leave a trace of the answer in the journal, the log and the history."""
    began_at, began = time.time(), time.perf_counter()
    document, completion = ls.documents.get(params.text_document.uri), None
    if document is None:
        _record(ls, _nothing(Outcome.SKIPPED, "the document is not open"), "unknown")
        return None
    whole, number = ls.documents.whole(document), document.n_edits
    place = convert.place_of(document, params, ls.encoding, ls.documents.around(document))
    language = for_document(document.uri, document.language_id).id
    line, column = document.locate(params.position, ls.encoding)
    try:
        if place is None:
            completion = _nothing(Outcome.SKIPPED, "the popup's selected item is not at the cursor")
        else:
            completion = await _latest(ls, whole.uri, _complete(ls, document, place, params.context, language))
    except asyncio.CancelledError:
        _record(ls, _nothing(Outcome.CANCELLED, "the editor cancelled the request"), language)
        raise
    if document.n_edits != number or ls.documents.get(document.uri) is not document:
        completion = replace(completion, text="", outcome=Outcome.STALE, reason="the document changed meanwhile")
    _record(ls, completion, language)
    spot = Spot(
        at=began_at,
        uri=document.uri,
        path=ls.snapshots.shown_path(whole.uri),
        line=line + 1,
        column=column + 1,
        language=language,
        latency_ms=(time.perf_counter() - began) * 1e3,
    )
    suggestion = convert.suggestion_of(completion, place, document) if place and completion.text else None
    is_private = ls.privacy.is_private(whole.uri)
    suggestion_id = ls.recorder.answered(
        completion, spot, suggestion, ls.epochs.origins(whole.uri), is_private=is_private
    )
    return Answered(completion, place, suggestion_id) if place else None


async def _latest(ls: Midfill, uri: str, answer: Coroutine[Any, Any, Completion]) -> Completion:
    """Run a request as its document's only one. A cancel from the editor goes through to the engine."""
    if older := ls.running.get(uri):
        older.cancel()
    task = ls.running[uri] = asyncio.create_task(answer)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled():  # superseded: this request still gets its answer
            return _nothing(Outcome.STALE, "a newer request for the same document came in")
        task.cancel()
        raise
    finally:
        if ls.running.get(uri) is task:
            del ls.running[uri]


async def _complete(
    ls: Midfill, document: Document, place: Place, context: t.InlineCompletionContext, language: str
) -> Completion:
    if not ls.config.enabled:
        return _nothing(Outcome.SKIPPED, "midfill is switched off (midfill.enabled)")
    if language in ls.config.disabled_languages:
        return _nothing(Outcome.SKIPPED, f"{language} is in midfill.disabledLanguages")
    trigger = convert.trigger_of(context, ls.zero_based_triggers)
    silence = ls.silence() or document.deletions.silence(place.line_number, place.column)
    if trigger is Trigger.AUTOMATIC and silence:
        return _nothing(Outcome.SKIPPED, silence)
    deps, state = ls.engine.deps(), ls.engine.state
    if deps is None or state.phase is not Phase.READY:
        if ls.engine.client is not None:
            ls.engine.client.wake()
        down = state.phase in (Phase.DOWN, Phase.FAILED)
        return _nothing(Outcome.ENGINE_DOWN if down else Outcome.NOT_READY, state.message)
    number, whole = document.n_edits, ls.documents.whole(document)
    private = await ls.privacy.of(whole.uri, place.text)
    if private and trigger is Trigger.AUTOMATIC:
        return _nothing(Outcome.SKIPPED, private)
    if private and ls.engine.host:  # also where it is asked for: a key is pressed sooner than that is thought of
        return _nothing(Outcome.SKIPPED, f"{private}; it is not sent to {ls.engine.host}")
    snapshot = await ls.snapshots.of(whole, place.text)
    if document.n_edits != number:
        return _nothing(Outcome.STALE, "the document changed while it was being parsed")
    snippets = () if private else await ls.epochs.snippets(snapshot, place.cursor)
    ls.epochs.touch(snapshot.uri, PAUSE_S)
    request = ls.request(snapshot, place.cursor, snippets, trigger)
    ls.workspaces.busy(+1)
    try:
        completion = await complete(deps, request)
    finally:
        ls.workspaces.busy(-1)
    completion = _without_deleted(completion, document, place, trigger)
    is_whole = completion.outcome is Outcome.OK and not completion.is_partial
    if trigger is Trigger.AUTOMATIC and is_whole:  # else once it is
        ls.engine.look_ahead(deps, request, completion)
    return completion


def _without_deleted(completion: Completion, document: Document, place: Place, trigger: Trigger) -> Completion:
    """An answer that does not put back what was just deleted there; an invoked request gets it rather than nothing."""
    if not completion.text:
        return completion
    number, deletions = place.line_number, document.deletions
    above = [document.line(other) for other in range(max(0, number + 1 - deletions.n_lines(number)), number)]
    above.append(place.line[: place.column] + place.selected)

    def is_new(text: str) -> bool:
        return not deletions.is_offered_again(number, above, text)

    if is_new(completion.text):
        return replace(completion, alternatives=tuple(each for each in completion.alternatives if is_new(each.text)))
    if trigger is Trigger.AUTOMATIC:
        reason = "what the model suggests was just deleted here"
        return replace(completion, text="", replace_right=0, outcome=Outcome.FILTERED, reason=reason)
    others = [each for each in completion.alternatives if is_new(each.text)]
    if not others:
        return completion
    first, *more = others
    return replace(completion, text=first.text, replace_right=first.replace_right, alternatives=tuple(more))


def _record(ls: Midfill, completion: Completion, language: str) -> None:
    """Count an answer, and log one line about it; never source text."""
    ls.journal.record(completion)
    facts = " ".join(f"{key}={value}" for key, value in summary(completion).items())
    log.info("completion id=%s language=%s %s", ls.protocol.msg_id, language, facts)


def _nothing(outcome: Outcome, reason: str) -> Completion:
    return Completion(text="", outcome=outcome, mode=Mode.LINE, reason=reason)
