"""What the server remembers of a session: fates, kept text, explanations; and what it never lets happen."""

import asyncio
from collections import namedtuple
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as t

from completion.ranking.trust import Trust
from lsp_server.server import Midfill
from lsp_server.usage.history import history_file, read_events, read_explanations
from tests.lsp_server.fake_engine import FakeClient
from tests.lsp_server.test_handlers import TEXT, URI, ask, run

Params = namedtuple("Params", ["item", "acceptedLength", "id", "last"], defaults=[None, None, "", None])


def remembered(tiny_cache: Path, scenario: Callable[[Midfill], Awaitable[None]], says: str = "urn 1\n") -> None:
    """Run a scenario with a model that answers at once, and statistics; the server is shut down at the end."""

    async def body(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        server.recorder.configure(True)
        await scenario(server)
        server.recorder.close()
        server.recorder.leave()
        server.stop_choosing()

    run(body, says)


def edit(server: Midfill, line: int, begin: int, end: int, text: str) -> None:
    """A change as an editor sends it."""
    document = server.documents.get(URI)
    assert document is not None
    where = t.Range(t.Position(line, begin), t.Position(line, end))
    server.protocol.fm.features[t.TEXT_DOCUMENT_DID_CHANGE](
        t.DidChangeTextDocumentParams(
            text_document=t.VersionedTextDocumentIdentifier(uri=URI, version=document.version + 1),
            content_changes=[t.TextDocumentContentChangePartial(range=where, text=text)],
        )
    )


def close(server: Midfill) -> None:
    identifier = t.TextDocumentIdentifier(uri=URI)
    server.protocol.fm.features[t.TEXT_DOCUMENT_DID_CLOSE](t.DidCloseTextDocumentParams(text_document=identifier))


def feature(server: Midfill, method: str, params: Any) -> Any:
    return server.protocol.fm.features[method](params)


def kinds() -> list[str]:
    return [event.kind for event in read_events(history_file(), 0)]


def test_an_accepted_suggestion_is_seen_in_the_text_and_looked_for_at_shutdown(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        edit(server, 1, 0, 7, item.insert_text)

    remembered(tiny_cache, scenario)
    shown, accepted, kept = read_events(history_file(), 0)
    assert [event.kind for event in (shown, accepted, kept)] == ["shown", "accepted", "kept"]
    assert shown.characters == accepted.characters == len("urn 1")
    assert (shown.language, shown.mode, shown.reused, shown.early, kept.early) == ("python", "line", False, False, True)
    assert shown.latency_ms > 0
    assert shown.probability is not None
    assert 0 < shown.probability < 1
    (told,) = read_explanations(history_file(), 9)
    assert (told["fate"], told["keptShare"], told["raw"], told["text"]) == ("accepted", 1.0, "urn 1", "urn 1")
    assert (told["path"], told["line"], told["column"]) == ("a.py", 2, 8)


def test_five_minutes_later_what_is_left_is_judged(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        server.recorder.kept_after_s = 0.05
        (item,) = (await ask(server)).items
        edit(server, 1, 0, 7, item.insert_text)
        edit(server, 0, 0, 0, "import os\n\n\n\n\n\n")
        edit(server, 7, 0, 12, "    raise ValueError")
        await asyncio.sleep(0.2)

    remembered(tiny_cache, scenario)
    last = read_events(history_file(), 0)[-1]
    assert (last.kind, last.early, last.share) == ("changed", False, 0.0)


def test_a_closed_document_is_judged_before_it_is_gone(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        edit(server, 1, 0, 7, item.insert_text)
        close(server)
        assert kinds_in_memory(server) == [("accepted", 1.0)]

    remembered(tiny_cache, scenario)
    assert kinds() == ["shown", "accepted", "kept"]


def kinds_in_memory(server: Midfill) -> list[tuple[str, float]]:
    return [(told["fate"], told["keptShare"]) for told in server.recorder.why(9)]


def test_a_suggestion_that_is_typed_through_is_one_and_not_accepted(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (first,) = (await ask(server)).items
        edit(server, 1, 7, 7, "u")
        (second,) = (await ask(server, character=8)).items
        assert second.command == first.command
        for number, character in enumerate("rn 1"):
            edit(server, 1, 8 + number, 8 + number, character)

    remembered(tiny_cache, scenario)
    assert kinds() == ["shown", "typed"]
    assert len(read_explanations(history_file(), 9)) == 1


def test_the_accept_command_of_an_editor_that_sends_it(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        server.protocol.fm.commands["midfill.accepted"](*item.command.arguments)
        server.protocol.fm.commands["midfill.accepted"]()  # nonsense
        server.protocol.fm.commands["midfill.accepted"]("no such id")

    remembered(tiny_cache, scenario)
    assert kinds() == ["shown", "accepted", "changed"]  # the text never came


def test_copilots_notifications(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        feature(server, "textDocument/didShowCompletion", Params(item=item))
        length = len("    return")
        feature(server, "textDocument/didPartiallyAcceptCompletion", Params(item=item, acceptedLength=length))
        await ask(server, line=0, character=8)  # not shown
        feature(server, "midfill/didDismissCompletion", None)

    remembered(tiny_cache, scenario)
    events = read_events(history_file(), 0)
    assert [(event.kind, event.characters) for event in events[:2]] == [("shown", 5), ("partial", 3)]
    assert [event.kind for event in events[2:]] == ["changed"]


def test_partial_lengths_are_utf_16_units(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        length = len("    return '".encode("utf-16-le")) // 2 + 2  # the emoji
        feature(server, "textDocument/didPartiallyAcceptCompletion", Params(item=item, acceptedLength=length))

    remembered(tiny_cache, scenario, says="urn '😀' + x\n")
    assert read_events(history_file(), 0)[1].characters == len("urn '😀")


def test_a_dismissal_by_item_or_id(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        for make in (lambda item: Params(item=item), lambda item: Params(id=item.command.arguments[0])):
            (item,) = (await ask(server)).items
            feature(server, "midfill/didDismissCompletion", make(item))

    remembered(tiny_cache, scenario)
    assert kinds() == ["shown", "dismissed", "shown", "dismissed"]


def test_silence_is_explained(tiny_cache: Path) -> None:
    async def scenario(server: Midfill) -> None:
        await ask(server, line=1, character=5, kind=2)
        server.config = replace(server.config, disabled_languages=("python",))
        await ask(server)

    remembered(tiny_cache, scenario)
    disabled, skipped = read_explanations(history_file(), 2)
    assert "disabledLanguages" in disabled["reason"]
    assert (skipped["outcome"], skipped["reason"]) == ("skipped", "a word stands right behind the cursor")
    assert kinds() == []


def test_editors_get_the_explanations_with_a_sentence_also_without_statistics(tiny_cache: Path) -> None:
    async def scenario(server: Midfill, client: FakeClient) -> None:
        client.go.set()
        await ask(server)
        await ask(server, line=1, character=5, kind=2)
        (newest,) = (await feature(server, "midfill/why", Params(last=1)))["explanations"]
        assert newest["sentence"] == "The model was not asked: a word stands right behind the cursor."
        both = (await feature(server, "midfill/why", None))["explanations"]
        assert [told["outcome"] for told in both] == ["skipped", "ok"]
        server.stop_choosing()

    run(scenario)
    assert not history_file().parent.exists()


def test_a_broken_history_does_not_disturb_a_completion(tiny_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    history_file().parent.mkdir(parents=True)
    history_file().write_bytes(b"no database" * 500)

    async def scenario(server: Midfill) -> None:
        (item,) = (await ask(server)).items
        edit(server, 1, 0, 7, item.insert_text)
        assert server.documents.get(URI).text == TEXT.replace("ret", "return 1")  # type: ignore[union-attr]

    remembered(tiny_cache, scenario)
    assert caplog.text.count("statistics pause") == 1


def test_what_is_said_in_a_private_document_is_not_written_down(tiny_cache: Path) -> None:
    secret = "file:///w/app/.env"

    async def scenario(server: Midfill) -> None:
        server.documents.open(t.TextDocumentItem(uri=secret, language_id="python", version=1, text=TEXT))
        assert (await ask(server, secret, kind=2)).items == []
        assert len((await ask(server, secret, kind=1)).items) == 1
        assert [told["path"] for told in server.recorder.why(9)] == [".env", ".env"]  # in memory, as long as it lives
        await ask(server)

    remembered(tiny_cache, scenario)
    assert [told["path"] for told in read_explanations(history_file(), 9)] == ["a.py"]


async def ask_automatically(server: Midfill, **place: int) -> Any:
    server.config = replace(server.config, quietness=0.0)
    server.engine.renew_deps()
    return await ask(server, kind=t.InlineCompletionTriggerKind.Automatic, **place)


async def _accepted(server: Midfill) -> None:
    (item,) = (await ask_automatically(server)).items
    edit(server, 1, 0, 7, item.insert_text)


async def _typed_to_its_end(server: Midfill) -> None:
    assert (await ask_automatically(server)).items
    for number, character in enumerate("urn 1x"):
        edit(server, 1, 7 + number, 7 + number, character)


async def _something_else_is_typed(server: Midfill) -> None:
    assert (await ask_automatically(server)).items
    edit(server, 1, 7, 7, "x")
    await ask_automatically(server, character=8)


async def _dismissed(server: Midfill) -> None:
    (item,) = (await ask_automatically(server)).items
    feature(server, "midfill/didDismissCompletion", Params(item=item))


async def _superseded(server: Midfill) -> None:
    assert (await ask_automatically(server)).items
    await ask(server, line=0, character=8)


async def _another_line_is_edited(server: Midfill) -> None:
    assert (await ask_automatically(server)).items
    edit(server, 0, 0, 0, "import os  # ")
    await ask(server, line=0, character=8)


async def _invoked_and_accepted(server: Midfill) -> None:
    (item,) = (await ask(server)).items
    edit(server, 1, 0, 7, item.insert_text)


@pytest.mark.parametrize(
    ("scenario", "sign"),
    [
        (_accepted, 1),
        (_typed_to_its_end, 1),
        (_something_else_is_typed, -1),
        (_dismissed, -1),
        (_superseded, 0),
        (_another_line_is_edited, 0),
        (_invoked_and_accepted, 0),
    ],
)
def test_what_became_of_an_automatic_suggestion_tells_how_far_to_trust_the_next(
    tiny_cache: Path, scenario: Callable[[Midfill], Awaitable[None]], sign: int
) -> None:
    async def learns(server: Midfill) -> None:
        await scenario(server)
        shift = server.engine.trust.shift - Trust().shift
        assert (shift > 0) - (shift < 0) == sign

    remembered(tiny_cache, learns)
