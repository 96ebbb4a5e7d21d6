"""Between the protocol's types and ours. With `documents`, the only place that knows position encodings.

Rules: pure functions. Our offsets are code points into the snapshot's text.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlparse

import cattrs
from lsprotocol import types as t
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, default_converter

from completion.types import Alternative, Completion, Outcome, Trigger
from lsp_server.documents.file_names import unquoted
from lsp_server.documents.store import Document, units_of
from lsp_server.usage.acceptance import Suggestion

# The command of an item, which an editor has the server run when the user accepts it.
ACCEPTED = "midfill.accepted"
# What the protocol's integers can be.
_MAX_VERSION = 2**31 - 1


def shown_path(uri: str, folders: list[str]) -> tuple[str, str]:
    """(path, repository) that the model is shown: relative to the innermost folder that holds the file.

    A document outside of every folder, or one that was never saved, has its name only, and no repository.
    """
    path = PurePosixPath(unquoted(urlparse(uri).path or uri))
    inside = [f for f in (PurePosixPath(unquoted(urlparse(uri_).path)) for uri_ in folders) if path.is_relative_to(f)]
    if uri.startswith("file:") and inside:
        folder = max(inside, key=lambda candidate: len(candidate.parts))
        return str(path.relative_to(folder)), folder.name
    return path.name or "untitled", ""


def trigger_of(context: t.InlineCompletionContext | None, zero_based: bool) -> Trigger:
    """Invoked or automatic. The protocol says 1 and 2; older VS Code clients send 0 and 1 (see the hook below)."""
    kind = 2 if context is None else int(context.trigger_kind)
    return Trigger.INVOKED if kind == (0 if zero_based else 1) else Trigger.AUTOMATIC


class LooseTriggerKind(int):
    """A trigger kind of any number, where lsprotocol would refuse 0 and with it the whole request."""


def converter_factory() -> cattrs.Converter:
    """pygls's converter, tolerant of what editors send beside the protocol.

    Of trigger kind 0 and a missing context, of versions that are none, and of custom methods without `params`.
    """
    converter: cattrs.Converter = default_converter()
    _tolerate_versions(converter)
    strict = converter.get_structure_hook(t.InlineCompletionParams)

    def structure_params(raw: Any, kind: type) -> t.InlineCompletionParams:
        raw = dict(raw)
        context = dict(raw.get("context") or {"triggerKind": 2})
        number = context.get("triggerKind", 2)
        raw["context"] = {**context, "triggerKind": 2}
        params: t.InlineCompletionParams = strict(raw, kind)
        params.context.trigger_kind = LooseTriggerKind(number if isinstance(number, int) else 2)  # type: ignore[assignment]
        return params

    def structure_request(raw: Any, _: type) -> t.InlineCompletionRequest:
        return t.InlineCompletionRequest(id=raw["id"], params=structure_params(raw["params"], t.InlineCompletionParams))

    converter.register_structure_hook(t.InlineCompletionParams, structure_params)
    converter.register_structure_hook(t.InlineCompletionRequest, structure_request)
    for custom in (JsonRPCRequestMessage, JsonRPCNotification):
        strict_custom = converter.get_structure_hook(custom)
        converter.register_structure_hook(
            custom, lambda raw, kind, strict=strict_custom: strict({"params": None, **raw}, kind)
        )
    return converter


def _tolerate_versions(converter: cattrs.Converter) -> None:
    """Take documents and edits whatever is said of versions (null, nothing, a time of day): nothing depends on them.

    Likewise a language that is not named, and the range null of a change that means the whole text.
    """
    for kind, defaults in (
        (t.TextDocumentItem, {"languageId": ""}),
        (t.VersionedTextDocumentIdentifier, {}),
        (t.NotebookDocument, {}),
        (t.VersionedNotebookDocumentIdentifier, {}),
    ):
        strict = converter.get_structure_hook(kind)
        converter.register_structure_hook(
            kind,
            lambda raw, kind, strict=strict, defaults=defaults: strict(
                {**defaults, **_without_nulls(raw), "version": _version(raw.get("version"))}, kind
            ),
        )

    def structure_cell(raw: Any, _: type) -> t.NotebookCell:
        """Without what a kernel said of it, which is of no use here."""
        is_prose = raw.get("kind") == t.NotebookCellKind.Markup.value
        kind = t.NotebookCellKind.Markup if is_prose else t.NotebookCellKind.Code
        return t.NotebookCell(kind=kind, document=str(raw["document"]))

    def structure_change(raw: Any, _: type) -> t.TextDocumentContentChangeEvent:
        if raw.get("range") is None:
            return converter.structure({"text": raw["text"]}, t.TextDocumentContentChangeWholeDocument)
        return converter.structure(raw, t.TextDocumentContentChangePartial)

    converter.register_structure_hook(t.NotebookCell, structure_cell)
    converter.register_structure_hook(
        t.TextDocumentContentChangePartial | t.TextDocumentContentChangeWholeDocument, structure_change
    )


def _version(said: object) -> int:
    return int(said) if isinstance(said, int | float) and abs(said) <= _MAX_VERSION else 0


def _without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to complete, taken from the live document at the moment of the request.

    `text` and `cursor` are those of the whole that a notebook's cell is part of; all else is about the cell. When an
    item of the editor's own popup is selected, `text` is what the whole would be with it: the protocol wants
    suggestions that begin with it, over its range, and go on from there.
    """

    text: str
    cursor: int  # offset in `text`
    line_number: int
    line: str  # as it is in the editor, without its end
    column: int  # where the suggestion goes in
    selected: str = ""  # the popup's item, which stands for the characters column..covered of `line`
    covered: int

    @property
    def item_column(self) -> int:
        """Where the item of the answer begins: with the line, or with the range of the popup's item."""
        return self.column if self.selected else 0

    @property
    def lead(self) -> str:
        """What of the line the item says again before the suggestion."""
        return self.line[self.item_column : self.column]


def place_of(
    document: Document,
    params: t.InlineCompletionParams,
    encoding: t.PositionEncodingKind | str,
    around: tuple[str, str] = ("", ""),
) -> Place | None:
    """The place a request asks about; None when the popup's selected item is not at the cursor.

    `around` stands before and after the document in the whole that it is part of.
    """
    number, index = document.locate(params.position, encoding)
    begin, end, inserted = index, index, ""
    if (selected := params.context.selected_completion_info) and selected.text:
        (first, from_index), (last, to_index) = (
            document.locate(position, encoding) for position in (selected.range.start, selected.range.end)
        )
        if not (first == last == number and from_index <= index <= to_index):
            return None
        begin, end, inserted = from_index, to_index, selected.text
    line_start = document.offset(t.Position(number, 0), encoding)
    text = document.text
    if inserted:
        text = text[: line_start + begin] + inserted + text[line_start + end :]
    return Place(
        text=around[0] + text + around[1],
        cursor=len(around[0]) + line_start + begin + len(inserted),
        line_number=number,
        line=document.line(number).rstrip("\r\n"),
        column=begin,
        selected=inserted,
        covered=end,
    )


def suggestion_of(completion: Completion, place: Place, document: Document) -> Suggestion:
    """What is offered, as `acceptance` follows it; the recorder gives it an id."""
    return Suggestion(
        id="",
        uri=document.uri,
        line=place.line_number,
        column=place.column,
        line_text=document.line(place.line_number),
        n_lines=document.n_lines,
        replaced=place.covered - place.column + completion.replace_right,
        text=place.selected + completion.text,
        n_given=len(place.selected),
        lead=place.lead,
        others=tuple(place.selected + other.text for other in completion.alternatives),
    )


def accept_command(suggestion_id: str, number: int = 0) -> t.Command:
    """What an editor runs when the user accepts the suggestion, or the `number`-th of the others beside it."""
    arguments = [suggestion_id, number] if number else [suggestion_id]
    return t.Command(title="Accepted", command=ACCEPTED, arguments=arguments)


def inline_list(
    completion: Completion, place: Place, suggestion_id: str, encoding: t.PositionEncodingKind | str
) -> t.InlineCompletionList:
    """What the editor shows: the whole line anew, over a range that covers what is typed of it.

    Editors that fix a suggestion to a range re-draw it without flicker as the user types or accepts a word.
    """
    if completion.outcome is not Outcome.OK:
        return t.InlineCompletionList(items=[])
    shown = Alternative(text=completion.text, replace_right=completion.replace_right)
    items = [_item(each, place, encoding) for each in (shown, *completion.alternatives)]
    for number, item in enumerate(items):
        item.command = accept_command(suggestion_id, number)
    return t.InlineCompletionList(items=items)


def _item(shown: Alternative, place: Place, encoding: t.PositionEncodingKind | str) -> t.InlineCompletionItem:
    return t.InlineCompletionItem(
        insert_text=place.lead + place.selected + shown.text,
        range=range_in_line(place, place.item_column, place.covered + shown.replace_right, encoding),
    )


def range_in_line(place: Place, begin: int, end: int, encoding: t.PositionEncodingKind | str) -> t.Range:
    """The characters begin..end of a place's line."""
    first, last = (t.Position(place.line_number, units_of(place.line[:column], encoding)) for column in (begin, end))
    return t.Range(start=first, end=last)
