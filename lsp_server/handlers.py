"""The protocol's methods. Each reads: find the document, ask the core, translate the answer.

Rules: requests are `async def`, so that the editor can cancel them. Exactly one answer per request on every
path, an empty one when something is wrong; a newer request for a document ends the older one, since some
editors never cancel. The guard in `_guarded` is the only broad `except` of the requests.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException

from completion.pipeline import complete
from completion.types import Completion, Mode, Outcome, Trigger
from lsp_server import convert, machine
from lsp_server.config import flatten
from lsp_server.documents.store import Document
from lsp_server.methods import context_request, feedback, moves, next_edit
from lsp_server.methods.fallback import Answered, Fallback
from lsp_server.protocol import PAUSE_S
from lsp_server.server import Midfill
from lsp_server.status import status, summary
from lsp_server.usage.explain import Spot
from model.link.client import Phase
from parsers.languages import for_document

log = logging.getLogger(__name__)

_EMPTY = t.InlineCompletionList(items=[])
# An editor that says it can be asked for its configuration, but does not answer, gets the defaults after this.
_CONFIGURATION_WAIT_S = 5.0
_MAX_THREADS = 32


def build_server() -> Midfill:
    """A server with all its methods registered."""
    server = Midfill()
    fallback = Fallback(server, _guarded)
    feedback.register(server)
    context_request.register(server)
    moves.register(server)
    next_edit.register(server)

    @server.feature(t.INITIALIZE)
    def initialize(ls: Midfill, params: t.InitializeParams) -> None:
        # A thread waits for each text that is being parsed elsewhere: a hostile one must not take the last.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="work"))
        ls.options = _section(params.initialization_options)
        if not ls.workspace.folders and (root := ls.workspace.root_uri):  # of older editors: the first folder
            ls.workspace.add_folder(t.WorkspaceFolder(uri=root, name=""))
        fallback.initialize(ls.options.get("completionFallback"))

    @server.feature(t.INITIALIZED)
    async def initialized(ls: Midfill, params: t.InitializedParams) -> None:
        _ask_for_configuration_changes(ls)
        await ls.configure(_merged(ls.options, await _pull_configuration(ls)))
        fallback.configure(ls.config.completion_fallback)

    @server.feature(t.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(ls: Midfill, params: t.DidChangeConfigurationParams) -> None:
        await ls.configure(_merged(ls.options, await _pull_configuration(ls) or _section(params.settings)))
        fallback.configure(ls.config.completion_fallback)

    # The options object is required: without it pygls does not advertise the capability.
    @server.feature(t.TEXT_DOCUMENT_INLINE_COMPLETION, t.InlineCompletionOptions())
    async def inline_completion(ls: Midfill, params: t.InlineCompletionParams) -> t.InlineCompletionList:
        answered = await _guarded(ls, params)
        if answered is None:
            return _EMPTY
        return convert.inline_list(answered.completion, answered.place, answered.suggestion_id, ls.encoding)

    @server.feature("midfill/status")
    async def report_status(ls: Midfill, params: Any) -> dict[str, Any]:
        daemon = await ls.client.daemon_status() if ls.client is not None else None
        return status(
            ls.engine_state,
            ls.journal,
            flatten(ls.config),
            ls.config.enabled,
            daemon,
            ls.workspaces.states(),
            ls.stalls.summary(),
            machine.in_words(ls.config, ls.machine, ls.client),
        )

    @server.feature("midfill/document")
    async def report_document(ls: Midfill, params: Any) -> dict[str, Any] | None:
        """What the server takes a document for: tests and bug reports compare it with the editor's text."""
        document = ls.documents.get(str(getattr(params, "uri", "")))
        if document is None:
            return None
        digest = hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()
        return {"version": document.version, "characters": len(document.text), "sha256": digest}

    @server.feature(t.SHUTDOWN)
    async def shutdown(ls: Midfill, params: None) -> None:
        ls.was_shut_down = True
        async with (
            contextlib.AsyncExitStack() as leaving
        ):  # each is done, from the last one up, if another fails or not
            leaving.push_async_callback(ls.stop_engine)
            leaving.push_async_callback(ls.follow_workspace)
            leaving.callback(ls.recorder.close)
            leaving.callback(ls.stop_choosing)

    @server.feature(t.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_workspace_folders(ls: Midfill, params: t.DidChangeWorkspaceFoldersParams) -> None:
        removed = {folder.uri.rstrip("/") for folder in params.event.removed}
        for uri in [folder.uri for folder in ls.workspace.folders.values() if folder.uri.rstrip("/") in removed]:
            ls.workspace.remove_folder(uri)  # pygls has not, where a folder was named without its last slash
        await ls.follow_workspace()

    return server


async def _guarded(ls: Midfill, params: t.InlineCompletionParams) -> Answered | None:
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
            completion = await _latest(ls, whole.uri, _answer(ls, document, place, params.context, language))
    except asyncio.CancelledError:
        _record(ls, _nothing(Outcome.CANCELLED, "the editor cancelled the request"), language)
        raise
    if document.n_edits != number or ls.documents.get(document.uri) is not document:
        completion = replace(completion, text="", outcome=Outcome.STALE, reason="the document changed meanwhile")
    _record(ls, completion, language)
    spot = Spot(
        at=began_at,
        uri=document.uri,
        path=ls.shown_path(whole.uri),
        line=line + 1,
        column=column + 1,
        language=language,
        latency_ms=(time.perf_counter() - began) * 1e3,
    )
    suggestion = convert.suggestion_of(completion, place, document) if place and completion.text else None
    is_private = ls.privacy.is_private(whole.uri)
    suggestion_id = ls.recorder.answered(completion, spot, suggestion, ls.origins(whole.uri), is_private=is_private)
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


async def _answer(
    ls: Midfill, document: Document, place: convert.Place, context: t.InlineCompletionContext, language: str
) -> Completion:
    if not ls.config.enabled:
        return _nothing(Outcome.SKIPPED, "midfill is switched off (midfill.enabled)")
    if language in ls.config.disabled_languages:
        return _nothing(Outcome.SKIPPED, f"{language} is in midfill.disabledLanguages")
    trigger = convert.trigger_of(context, ls.zero_based_triggers)
    silence = ls.silence() or document.deletions.silence(place.line_number, place.column)
    if trigger is Trigger.AUTOMATIC and silence:
        return _nothing(Outcome.SKIPPED, silence)
    deps, state = ls.deps(), ls.engine_state
    if deps is None or state.phase is not Phase.READY:
        if ls.client is not None:
            ls.client.wake()
        down = state.phase in (Phase.DOWN, Phase.FAILED)
        return _nothing(Outcome.ENGINE_DOWN if down else Outcome.NOT_READY, state.message)
    number, whole = document.n_edits, ls.documents.whole(document)
    private = await ls.privacy.of(whole.uri, place.text)
    if private and trigger is Trigger.AUTOMATIC:
        return _nothing(Outcome.SKIPPED, private)
    snapshot = await ls.snapshot(whole, place.text)
    if document.n_edits != number:
        return _nothing(Outcome.STALE, "the document changed while it was being parsed")
    snippets = () if private else await ls.snippets(snapshot, place.cursor)
    ls.touch(snapshot.uri, PAUSE_S)
    request = convert.completion_request(
        snapshot, place.cursor, trigger, ls.config.forced_mode(), ls.window, snippets, ls.without
    )
    ls.workspaces.busy(+1)
    try:
        completion = await complete(deps, request)
    finally:
        ls.workspaces.busy(-1)
    completion = _without_deleted(completion, document, place, trigger)
    is_whole = completion.outcome is Outcome.OK and not completion.is_partial
    if trigger is Trigger.AUTOMATIC and is_whole:  # else once it is
        ls.look_ahead(deps, request, completion)
    return completion


def _without_deleted(completion: Completion, document: Document, place: convert.Place, trigger: Trigger) -> Completion:
    """An answer that does not put back what was just deleted there; to who asks, only where there is no other."""
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


async def _pull_configuration(ls: Midfill) -> dict[str, Any]:
    """The editor's "midfill" section, when it can be asked for; {} otherwise."""
    workspace = ls.client_capabilities.workspace
    if not (workspace and workspace.configuration):
        return {}
    items = [t.ConfigurationItem(section="midfill")]
    try:
        answer = await asyncio.wait_for(
            ls.workspace_configuration_async(t.ConfigurationParams(items=items)), _CONFIGURATION_WAIT_S
        )
    except (TimeoutError, JsonRpcException) as error:
        log.warning("the editor did not answer workspace/configuration: %s", error or "no answer in time")
        return {}
    return _section(answer[0] if answer else None)


def _section(settings: object) -> dict[str, Any]:
    """midfill's part of what an editor sent: some editors send the section, some the object that holds it."""
    section = settings.get("midfill", settings) if isinstance(settings, dict) else None
    return section if isinstance(section, dict) else {}


def _ask_for_configuration_changes(ls: Midfill) -> None:
    """Some editors send didChangeConfiguration only to servers that register for it."""
    workspace = ls.client_capabilities.workspace
    changes = workspace.did_change_configuration if workspace else None
    if changes and changes.dynamic_registration:
        method = t.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = t.DidChangeConfigurationRegistrationOptions(section="midfill")
        registration = t.Registration(id=method, method=method, register_options=options)
        ls.client_register_capability(t.RegistrationParams(registrations=[registration]))


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two configurations as one; the second one's keys win, nested objects are merged."""
    merged = dict(under)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged
