"""`textDocument/completion`: the same suggestion as an item of the completion popup.

Called by `handlers`. For editors without inline completion; off by default, so that nobody sees a suggestion twice.

Rules: advertised at the start when the initialization options ask for it, else registered and unregistered as the
configuration says, where the editor allows that; answered with an empty list while the configuration says no.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lsprotocol import types as t

from completion.types import Completion
from lsp_server import convert
from lsp_server.convert import Place
from lsp_server.server import Midfill

# What begins something that can be completed, beside letters, for which editors ask by themselves.
_TRIGGERS = (".", "(", "[", "{", ",", ":", "=", " ", "\t", '"', "'", "/", ">", "@", "#")
_MAX_LABEL_CHARACTERS = 60
# Behind every item of a language's own server, which sort by their labels.
_LAST = "\U0010fffd"


@dataclass(frozen=True, slots=True)
class Answered:
    """A completion that goes out, and where."""

    completion: Completion
    place: Place
    suggestion_id: str


Ask = Callable[[Midfill, t.InlineCompletionParams], Awaitable[Answered | None]]


class Fallback:
    """The method on one server."""

    def __init__(self, server: Midfill, ask: Ask) -> None:
        self._server, self._ask = server, ask
        self._is_handled = False
        self._is_static = False
        self._is_registered = False

    def initialize(self, wanted: object) -> None:
        """The initialization options are known, the capabilities not yet told."""
        if wanted is True:
            self._is_static = True
            self._handle()

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
        self._handle()
        options = t.CompletionRegistrationOptions(trigger_characters=_TRIGGERS)
        new = [t.Registration(id=number, method=method, register_options=options)]
        self._server.client_register_capability(t.RegistrationParams(registrations=new))

    def _handle(self) -> None:
        if self._is_handled:
            return
        self._is_handled = True

        # pygls advertises what is registered before `initialize` has been answered, and no more after it.
        @self._server.feature(t.TEXT_DOCUMENT_COMPLETION, t.CompletionOptions(trigger_characters=_TRIGGERS))
        async def completion(ls: Midfill, params: t.CompletionParams) -> t.CompletionList:
            return await self._answer(params)

    async def _answer(self, params: t.CompletionParams) -> t.CompletionList:
        if not self._server.config.completion_fallback:
            return t.CompletionList(is_incomplete=False, items=[])
        # Editors ask for every letter, and call that "invoked", too.
        context = t.InlineCompletionContext(trigger_kind=t.InlineCompletionTriggerKind.Automatic)
        answered = await self._ask(
            self._server,
            t.InlineCompletionParams(context=context, text_document=params.text_document, position=params.position),
        )
        items = [] if answered is None or not answered.completion.text else [item_of(answered, self._server.encoding)]
        return t.CompletionList(is_incomplete=True, items=items)  # it is another one after the next key


def item_of(answered: Answered, encoding: t.PositionEncodingKind | str) -> t.CompletionItem:
    """The suggestion with the word it begins with: popups filter by that word."""
    completion, place = answered.completion, answered.place
    begin = place.column
    while begin > 0 and (place.line[begin - 1].isalnum() or place.line[begin - 1] == "_"):
        begin -= 1
    text = place.line[begin : place.column] + completion.text
    first, *more = text.strip().split("\n")
    is_cut = bool(more) or len(first) > _MAX_LABEL_CHARACTERS
    return t.CompletionItem(
        label=first.rstrip()[:_MAX_LABEL_CHARACTERS] + (" …" if is_cut else ""),
        kind=t.CompletionItemKind.Text,
        detail="midfill",
        documentation=t.MarkupContent(kind=t.MarkupKind.PlainText, value=text) if is_cut else None,
        preselect=True,
        sort_text=_LAST,
        filter_text=text,
        insert_text_format=t.InsertTextFormat.PlainText,
        insert_text_mode=t.InsertTextMode.AsIs,
        text_edit=t.TextEdit(
            range=convert.range_in_line(place, begin, place.covered + completion.replace_right, encoding), new_text=text
        ),
        command=convert.accept_command(answered.suggestion_id),
    )
