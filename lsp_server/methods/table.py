"""Every method and command that the server answers, with its handler: the protocol at one look.

docs/protocol.md tells authors of editors what is beyond LSP here. What pygls answers by itself is not in the table:
`exit`, `$/setTrace`, `$/cancelRequest`, `window/workDoneProgress/cancel`, and the beginnings and ends of `initialize`,
`shutdown` and `workspace/executeCommand`.

Rules: nothing else registers a method.
"""

from collections.abc import Callable
from typing import Any

from lsprotocol import types as t

from lsp_server import handlers, popup
from lsp_server.convert import ACCEPTED
from lsp_server.methods import context_request, documents, fallback, feedback, lifecycle, moves, next_edit, reports
from lsp_server.server import Midfill

METHODS: dict[str, Callable[..., Any]] = {
    # The suggestion.
    t.TEXT_DOCUMENT_INLINE_COMPLETION: handlers.inline_completion,
    # The beginning, the end, and what changes between.
    t.INITIALIZE: lifecycle.initialize,
    t.INITIALIZED: lifecycle.initialized,
    t.WORKSPACE_DID_CHANGE_CONFIGURATION: lifecycle.did_change_configuration,
    t.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: lifecycle.did_change_workspace_folders,
    t.SHUTDOWN: lifecycle.shutdown,
    # Documents and notebooks.
    t.TEXT_DOCUMENT_DID_OPEN: documents.did_open,
    t.TEXT_DOCUMENT_DID_CHANGE: documents.did_change,
    t.TEXT_DOCUMENT_DID_SAVE: documents.did_save,
    t.TEXT_DOCUMENT_DID_CLOSE: documents.did_close,
    t.NOTEBOOK_DOCUMENT_DID_OPEN: documents.did_open_notebook,
    t.NOTEBOOK_DOCUMENT_DID_CHANGE: documents.did_change_notebook,
    t.NOTEBOOK_DOCUMENT_DID_SAVE: documents.did_save_notebook,
    t.NOTEBOOK_DOCUMENT_DID_CLOSE: documents.did_close_notebook,
    # What the editor may report, in Copilot's names where it has them.
    "textDocument/didShowCompletion": feedback.did_show,
    "textDocument/didPartiallyAcceptCompletion": feedback.did_partially_accept,
    "midfill/didDismissCompletion": feedback.did_dismiss,
    "midfill/didMove": moves.did_move,
    # What it may ask.
    "midfill/status": reports.report_status,
    "midfill/context": context_request.context,
    "midfill/why": feedback.why,
    "midfill/document": reports.report_document,
    # The change that follows from the last one.
    "midfill/nextEdit": next_edit.next_edit,
    "textDocument/copilotInlineEdit": next_edit.copilot_inline_edit,
    "textDocument/didShowInlineEdit": next_edit.did_show,
    "textDocument/didFocus": next_edit.did_focus,
    "midfill/didDismissNextEdit": next_edit.did_dismiss,
}
# Answered where the configuration wants it: `popup` says when.
ON_DEMAND: dict[str, Callable[..., Any]] = {t.TEXT_DOCUMENT_COMPLETION: fallback.completion}
COMMANDS: dict[str, Callable[..., Any]] = {
    ACCEPTED: feedback.accepted,
    "midfill.snooze": feedback.snooze,
    next_edit.ACCEPTED: next_edit.accepted,
}
# What is advertised of a method. Without any, pygls does not advertise inline completion.
_OPTIONS: dict[str, Any] = {
    t.TEXT_DOCUMENT_INLINE_COMPLETION: t.InlineCompletionOptions(),
    t.TEXT_DOCUMENT_COMPLETION: popup.OPTIONS,
}


def build_server() -> Midfill:
    """A server with all its methods registered."""

    def add(method: str, handler: Callable[..., Any]) -> None:
        server.feature(method, _OPTIONS.get(method))(handler)

    def add_popup() -> None:
        add(t.TEXT_DOCUMENT_COMPLETION, ON_DEMAND[t.TEXT_DOCUMENT_COMPLETION])

    server = Midfill(answer_popup=add_popup)
    for method, handler in METHODS.items():
        add(method, handler)
    for name, command in COMMANDS.items():
        server.command(name)(command)
    return server
