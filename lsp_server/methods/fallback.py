"""`textDocument/completion`: the same suggestion as an item of the completion popup.

For editors without inline completion; off by default, so that nobody sees a suggestion twice (see `popup`).

Rules: answered with an empty list while the configuration says no.
"""

from lsprotocol import types as t

from completion.code.words import is_word_character
from lsp_server import convert
from lsp_server.handlers import Answered, answer
from lsp_server.server import Midfill

_MAX_LABEL_CHARACTERS = 60
# Behind every item of a language's own server, which sort by their labels.
_LAST = "\U0010fffd"


async def completion(ls: Midfill, params: t.CompletionParams) -> t.CompletionList:
    """The suggestion, if there is one."""
    if not ls.config.completion_fallback:
        return t.CompletionList(is_incomplete=False, items=[])
    # Editors ask for every letter, and call that "invoked", too.
    context = t.InlineCompletionContext(trigger_kind=t.InlineCompletionTriggerKind.Automatic)
    asked = t.InlineCompletionParams(context=context, text_document=params.text_document, position=params.position)
    answered = await answer(ls, asked)
    items = [] if answered is None or not answered.completion.text else [item_of(answered, ls.encoding)]
    return t.CompletionList(is_incomplete=True, items=items)  # it is another one after the next key


def item_of(answered: Answered, encoding: t.PositionEncodingKind | str) -> t.CompletionItem:
    """The suggestion with the word it begins with: popups filter by that word."""
    completion, place = answered.completion, answered.place
    begin = place.column
    while begin > 0 and is_word_character(place.line[begin - 1]):
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
