"""After a deletion or an undo, over the real stdio server with the real default model: silence, and no deleted text."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lsp_server.session import Session
from tests.test_complaints import Open, Window

pytestmark = [pytest.mark.e2e, pytest.mark.model]
_ASKED, _TYPING = 1, 2


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("deletions")
    options = {"quietness": 0, "maxWaitMs": 0, "deadlineMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


_PLACES = [
    ("def add(first, second):\n    return ▮\n", ".py", "python"),
    ("function area(width, height) {\n  return ▮\n}\n", ".js", "javascript"),
    ("package a\n\nfunc double(value int) int {\n\treturn ▮\n}\n", ".go", "go"),
]


def _accept(document: Open, item: dict[str, object]) -> str:
    """Insert what an item brings; that text."""
    brought = document.accepted(item)[document.cursor :].removesuffix(document.text[document.cursor :])
    document.type(brought)
    return brought


@pytest.mark.parametrize(("marked", "suffix", "language"), _PLACES)
@pytest.mark.parametrize("how", ["keys", "undo", "whole document"])
def test_what_was_accepted_and_taken_back_is_not_offered_again(
    window: Window, marked: str, suffix: str, language: str, how: str
) -> None:
    document = window.open(marked, suffix, language)
    (item, *_) = document.ask(_TYPING)
    brought = _accept(document, item)
    assert brought.strip()
    if how == "keys":
        for _ in brought:
            document.delete()
    elif how == "undo":
        document.delete(len(brought))
    else:
        document.cursor -= len(brought)
        document.text = marked.replace("▮", "")
        window.session.change(document.uri, 50, [{"text": document.text}])
    assert document.text == marked.replace("▮", "")
    assert document.ask(_TYPING) == []
    assert "right after a deletion" in window.session.status()["message"]
    (told,) = window.session.request("midfill/why", {"last": 1})["explanations"]
    assert "right after a deletion" in told["sentence"]
    document.type(brought[0])
    wanted = document.text[: document.cursor] + brought[1:]
    assert not any(document.accepted(item).startswith(wanted) for item in document.ask(_TYPING))
    assert "right after a deletion" not in window.session.status()["message"]


def test_an_invoked_request_gets_something_else_first(window: Window) -> None:
    document = window.open("def add(first, second):\n    return ▮\n")
    items = document.ask(_ASKED)
    brought = _accept(document, items[0])
    document.delete(len(brought))
    again = document.ask(_ASKED)
    texts = [document.accepted(item) for item in again]
    assert again
    if len(texts) > 1:
        assert not texts[0].startswith(document.text[: document.cursor] + brought)


def test_blanks_that_an_editor_trims_on_other_lines_silence_nothing(window: Window) -> None:
    document = window.open("one = 1   \n\n\ndef add(first, second):\n    return ▮\n")
    span = {"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 10}}
    window.session.change(document.uri, 2, [{"range": span, "text": ""}])
    assert window.session.complete(document.uri, 4, 11, _TYPING)
