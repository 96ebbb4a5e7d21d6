"""Between the protocol's types and ours."""

from typing import Any

import pytest
from lsprotocol import types as t

from completion.types import Completion, Mode, Outcome, Trigger
from lsp_server.convert import converter_factory, inline_list, place_of, shown_path, trigger_of
from lsp_server.documents.store import Document

UTF16 = t.PositionEncodingKind.Utf16
ENCODINGS = [(t.PositionEncodingKind.Utf8, 4), (t.PositionEncodingKind.Utf16, 2), (t.PositionEncodingKind.Utf32, 1)]


def params(line: int, character: int, selected: tuple[int, int, str] | None = None) -> t.InlineCompletionParams:
    info = None
    if selected is not None:
        begin, end, text = selected
        info = t.SelectedCompletionInfo(range=t.Range(t.Position(line, begin), t.Position(line, end)), text=text)
    return t.InlineCompletionParams(
        context=t.InlineCompletionContext(
            trigger_kind=t.InlineCompletionTriggerKind.Invoked, selected_completion_info=info
        ),
        text_document=t.TextDocumentIdentifier(uri="file:///a"),
        position=t.Position(line, character),
    )


def completion(text: str, replace_right: int = 0) -> Completion:
    return Completion(text=text, outcome=Outcome.OK, mode=Mode.LINE, replace_right=replace_right)


def check_inserted(
    before: str, request: t.InlineCompletionParams, answer: Completion, after: str, encoding: Any = UTF16
) -> None:
    """An editor that applies the item to `before` has `after`."""
    document = Document("file:///a", "python", 1, before)
    place = place_of(document, request, encoding)
    assert place is not None
    (item,) = inline_list(answer, place, "w-1", encoding).items
    assert item.range is not None
    assert item.range.start.line == item.range.end.line
    assert isinstance(item.insert_text, str)
    document.apply(t.TextDocumentContentChangePartial(range=item.range, text=item.insert_text), encoding)
    assert document.text == after


def test_an_item_covers_what_is_typed_of_the_line() -> None:
    check_inserted("def f():\n    ret\n", params(1, 7), completion("urn 1"), "def f():\n    return 1\n")


def test_a_block_goes_in_on_a_range_of_one_line() -> None:
    check_inserted("a\n  b\r\nc", params(1, 2), completion("x\n  y"), "a\n  x\n  yb\r\nc")


def test_characters_after_the_cursor_are_replaced_when_the_answer_says_so() -> None:
    check_inserted("print()\n", params(0, 6), completion('"hi")', replace_right=1), 'print("hi")\n')


@pytest.mark.parametrize(("encoding", "emoji_units"), ENCODINGS)
def test_emoji_before_and_after_the_cursor_keep_their_places(encoding: Any, emoji_units: int) -> None:
    request = params(0, 1 + emoji_units)
    check_inserted("a😀😀b", request, completion("!", replace_right=1), "a😀!b", encoding)


def test_an_answer_goes_on_from_the_item_that_is_selected_in_the_editors_popup() -> None:
    request = params(0, 5, selected=(3, 5, "path"))
    document = Document("file:///a", "python", 1, "os.pa\n")
    place = place_of(document, request, UTF16)
    assert place is not None
    assert place.text == "os.path\n"
    assert place.text[: place.cursor] == "os.path"
    check_inserted("os.pa\n", request, completion(".join(a)"), "os.path.join(a)\n")


def test_a_selected_item_that_replaces_text_after_the_cursor_replaces_it() -> None:
    check_inserted("os.paXX + 1", params(0, 5, selected=(3, 7, "path")), completion("()"), "os.path() + 1")


def test_an_item_that_goes_on_from_a_selected_one_begins_with_it_and_where_it_begins() -> None:
    """Editors show it beside the popup on this condition only."""
    place = place_of(Document("file:///a", "python", 1, "x = os.pa"), params(0, 9, selected=(7, 9, "path")), UTF16)
    assert place is not None
    (item,) = inline_list(completion(".join(a)"), place, "w-1", UTF16).items
    assert item.insert_text == "path.join(a)"
    assert item.range == t.Range(t.Position(0, 7), t.Position(0, 9))


def test_nothing_goes_on_from_a_selected_item_that_is_not_at_the_cursor() -> None:
    document = Document("file:///a", "python", 1, "ab cd\nef")
    assert place_of(document, params(0, 5, selected=(0, 2, "zz")), UTF16) is None
    below = params(0, 5, selected=(0, 2, "zz"))
    below.position = t.Position(1, 1)
    assert place_of(document, below, UTF16) is None


def test_an_item_has_a_command_that_tells_the_server_which_one_was_accepted() -> None:
    place = place_of(Document("file:///a", "python", 1, "x"), params(0, 1), UTF16)
    assert place is not None
    (item,) = inline_list(completion(" = 1"), place, "w-7", UTF16).items
    assert item.command is not None
    assert (item.command.command, item.command.arguments) == ("midfill.accepted", ["w-7"])


def test_a_completion_that_is_not_shown_has_no_items() -> None:
    place = place_of(Document("file:///a", "python", 1, "x"), params(0, 1), UTF16)
    assert place is not None
    nothing = Completion(text="", outcome=Outcome.EMPTY, mode=Mode.LINE)
    assert inline_list(nothing, place, "w-1", UTF16).items == []


@pytest.mark.parametrize(
    ("uri", "folders", "expected"),
    [
        ("file:///w/app/src/a.py", ["file:///w/app"], ("src/a.py", "app")),
        ("file:///w/app/lib/a.py", ["file:///w", "file:///w/app/lib"], ("a.py", "lib")),
        ("file:///w/app2/a.py", ["file:///w/app"], ("a.py", "")),
        ("file:///w/my%20app/a%23b.py", ["file:///w/my%20app"], ("a#b.py", "my app")),
        ("untitled:Untitled-1", ["file:///w"], ("Untitled-1", "")),
        ("file:///w/a.py", [], ("a.py", "")),
    ],
)
def test_the_model_is_shown_a_path_inside_the_innermost_folder(
    uri: str, folders: list[str], expected: tuple[str, str]
) -> None:
    assert shown_path(uri, folders) == expected


def structured(context: Any) -> t.InlineCompletionParams:
    raw: dict[str, Any] = {"textDocument": {"uri": "file:///a"}, "position": {"line": 0, "character": 0}}
    if context is not None:
        raw["context"] = context
    message = {"jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion", "params": raw}
    request: t.InlineCompletionRequest = converter_factory().structure(message, t.InlineCompletionRequest)
    return request.params


@pytest.mark.parametrize(
    ("kind", "zero_based", "expected"),
    [
        (1, False, Trigger.INVOKED),
        (2, False, Trigger.AUTOMATIC),
        (0, True, Trigger.INVOKED),
        (1, True, Trigger.AUTOMATIC),
    ],
)
def test_trigger_kinds_of_the_protocol_and_of_older_clients_are_told_apart(
    kind: int, zero_based: bool, expected: Trigger
) -> None:
    assert trigger_of(structured({"triggerKind": kind}).context, zero_based) is expected


@pytest.mark.parametrize("context", [None, {}, {"triggerKind": None}, {"triggerKind": 9}])
def test_a_context_that_says_nothing_is_an_automatic_request(context: Any) -> None:
    assert trigger_of(structured(context).context, zero_based=False) is Trigger.AUTOMATIC


@pytest.mark.parametrize("version", [{"version": None}, {}, {"version": 1_790_000_000_000}, {"version": "7"}])
def test_documents_and_edits_are_taken_whatever_is_said_of_versions(version: dict[str, Any]) -> None:
    converter = converter_factory()
    opened = {"textDocument": {"uri": "file:///a.py", "text": "x = 1\n", **version}}
    changed = {
        "textDocument": {"uri": "file:///a.py", **version},
        "contentChanges": [{"range": None, "rangeLength": None, "text": "y"}],
    }
    item = converter.structure(opened, t.DidOpenTextDocumentParams).text_document
    assert (item.text, item.version) == ("x = 1\n", 0)
    (change,) = converter.structure(changed, t.DidChangeTextDocumentParams).content_changes
    assert change == t.TextDocumentContentChangeWholeDocument(text="y")


def test_a_version_that_is_one_stays() -> None:
    told = {"textDocument": {"uri": "file:///a.py", "languageId": "python", "text": "", "version": 7.0}}
    assert converter_factory().structure(told, t.DidOpenTextDocumentParams).text_document.version == 7
