"""Whether the editor knows that `textDocument/completion` is answered here: by default it is not.

Rules: advertised at the start when the initialization options ask for it, else registered and unregistered as the
configuration says, where the editor allows that.
"""

from collections.abc import Callable

from lsprotocol import types as t
from pygls.lsp.server import LanguageServer

# What begins something that can be completed, beside letters, for which editors ask by themselves.
_TRIGGERS = (".", "(", "[", "{", ",", ":", "=", " ", "\t", '"', "'", "/", ">", "@", "#")
OPTIONS = t.CompletionOptions(trigger_characters=_TRIGGERS)


class PopupMethod:
    """The method of one server."""

    def __init__(self, server: LanguageServer, handle: Callable[[], None]) -> None:
        """`handle` has the method answered from then on."""
        self._server, self._handle = server, handle
        self._is_handled = False
        self._is_static = False
        self._is_registered = False

    def initialize(self, wanted: object) -> None:
        """The initialization options are known, the capabilities not yet told."""
        if wanted is True:
            self._is_static = True
            self._handle_once()

    def configure(self, wanted: bool) -> None:
        """Register with the editor, or take that back."""
        document = self._server.client_capabilities.text_document
        completion = document.completion if document else None
        if self._is_static or wanted == self._is_registered or not (completion and completion.dynamic_registration):
            return
        self._is_registered = wanted
        method, number = t.TEXT_DOCUMENT_COMPLETION, "midfill-completion"
        if not wanted:
            gone = [t.Unregistration(id=number, method=method)]
            self._server.client_unregister_capability(t.UnregistrationParams(unregisterations=gone))
            return
        self._handle_once()
        options = t.CompletionRegistrationOptions(trigger_characters=_TRIGGERS)
        new = [t.Registration(id=number, method=method, register_options=options)]
        self._server.client_register_capability(t.RegistrationParams(registrations=new))

    def _handle_once(self) -> None:
        # pygls advertises what is registered before `initialize` has been answered, and no more after it.
        if not self._is_handled:
            self._is_handled = True
            self._handle()
