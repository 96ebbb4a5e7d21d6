"""The protocol's methods. Each reads: find the document, ask the core, translate the answer.

Rules: requests are `async def`, so that the editor can cancel them. Exactly one answer per request on every
path, an empty one when something is wrong; a newer request for a document ends the older one, since some
editors never cancel. The guard in `inline_completion` is the only broad `except` of the server.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from lsprotocol import types as t

from completion.pipeline import complete
from completion.types import Completion, Mode, Outcome, Trigger
from lsp_server import convert
from lsp_server.config import defaults
from lsp_server.documents import Document
from lsp_server.server import Midfill
from lsp_server.status import status, summary
from model.client import Phase

log = logging.getLogger(__name__)

_EMPTY = t.InlineCompletionList(items=[])


def build_server() -> Midfill:
    """A server with all its methods registered."""
    server = Midfill()

    @server.feature(t.INITIALIZE)
    def initialize(ls: Midfill, params: t.InitializeParams) -> None:
        ls.raw_config = params.initialization_options if isinstance(params.initialization_options, dict) else {}

    @server.feature(t.INITIALIZED)
    async def initialized(ls: Midfill, params: t.InitializedParams) -> None:
        await ls.configure(_merged(ls.raw_config, await _pull_configuration(ls)))

    @server.feature(t.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(ls: Midfill, params: t.DidChangeConfigurationParams) -> None:
        pushed = params.settings.get("midfill", params.settings) if isinstance(params.settings, dict) else {}
        await ls.configure(_merged(ls.raw_config, await _pull_configuration(ls) or pushed))

    # The options object is required: without it pygls does not advertise the capability.
    @server.feature(t.TEXT_DOCUMENT_INLINE_COMPLETION, t.InlineCompletionOptions())
    async def inline_completion(ls: Midfill, params: t.InlineCompletionParams) -> t.InlineCompletionList:
        if int(params.context.trigger_kind) == 0:
            ls.zero_based_triggers = True
        document = ls.documents.get(params.text_document.uri)
        if document is None:
            return _EMPTY
        try:
            completion = await _latest(ls, document, params)
        except Exception:
            log.exception("inline completion failed")
            return _EMPTY
        ls.journal.record(completion)
        return convert.inline_list(completion, document, params.position, ls.encoding)

    @server.feature("midfill/status")
    async def report_status(ls: Midfill, params: Any) -> dict[str, Any]:
        assert ls.client is not None
        daemon = await ls.client.daemon_status()
        config = {**defaults(), **ls.raw_config}
        return status(ls.client.state, ls.journal, config, ls.config.enabled, daemon)

    @server.feature(t.SHUTDOWN)
    async def shutdown(ls: Midfill, params: None) -> None:
        await ls.stop_engine()

    return server


async def _latest(ls: Midfill, document: Document, params: t.InlineCompletionParams) -> Completion:
    """Run the request as its document's only one. A cancel from the editor goes through to the engine."""
    uri = document.uri
    if older := ls.running.get(uri):
        older.cancel()
    task = ls.running[uri] = asyncio.create_task(_answer(ls, document, params))
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


async def _answer(ls: Midfill, document: Document, params: t.InlineCompletionParams) -> Completion:
    if not ls.config.enabled:
        return _nothing(Outcome.SKIPPED, "midfill is switched off (midfill.enabled)")
    deps, client = ls.deps(), ls.client
    if deps is None or client is None or client.state.phase is not Phase.READY:
        if client is not None:
            client.wake()
        down = client is not None and client.state.phase in (Phase.DOWN, Phase.FAILED)
        return _nothing(
            Outcome.ENGINE_DOWN if down else Outcome.NOT_READY, client.state.message if client else "not initialized"
        )
    cursor, version = document.offset(params.position, ls.encoding), document.version
    snapshot = await ls.snapshot(document)
    if snapshot.language in ls.config.disabled_languages:
        return _nothing(Outcome.SKIPPED, f"{snapshot.language} is in midfill.disabledLanguages")
    if document.version != version:
        return _nothing(Outcome.STALE, "the document changed while it was being parsed")
    trigger = convert.trigger_of(params.context, ls.zero_based_triggers)
    request = convert.completion_request(snapshot, cursor, trigger, ls.config.forced_mode(), ls.window)
    completion = await complete(deps, request)
    _log(snapshot.language, trigger, completion)
    if document.version != version:
        return replace(completion, text="", outcome=Outcome.STALE, reason="the document changed meanwhile")
    return completion


def _log(language: str, trigger: Trigger, completion: Completion) -> None:
    """One line per request; never source text."""
    facts = " ".join(f"{key}={value}" for key, value in summary(completion).items())
    log.info("completion language=%s trigger=%s %s", language, trigger.value, facts)


def _nothing(outcome: Outcome, reason: str) -> Completion:
    return Completion(text="", outcome=outcome, mode=Mode.LINE, reason=reason)


async def _pull_configuration(ls: Midfill) -> dict[str, Any]:
    """The editor's "midfill" section, when it can be asked for; {} otherwise."""
    workspace = ls.client_capabilities.workspace
    if not (workspace and workspace.configuration):
        return {}
    items = [t.ConfigurationItem(section="midfill")]
    try:
        answer = await asyncio.wait_for(ls.workspace_configuration_async(t.ConfigurationParams(items=items)), 5.0)
    except TimeoutError:
        log.warning("the editor did not answer workspace/configuration")
        return {}
    section = answer[0] if answer else None
    return section if isinstance(section, dict) else {}


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two configurations as one; the second one's keys win, nested objects are merged."""
    merged = dict(under)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged
