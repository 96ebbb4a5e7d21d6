"""Places in a text, over the real stdio server with the real default model: what accepting makes of the document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parsers.parse import parse
from parsers.scope import error_count
from tests.lsp_server.session import Session
from tests.test_complaints import Window, accepted_into

pytestmark = [pytest.mark.e2e, pytest.mark.model]


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("places")
    # Each document alone, and all of it: what a busy machine has time for must not decide what is answered.
    options = {"quietness": 0, "maxWaitMs": 0, "deadlineMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


def test_beside_the_popups_selected_item_a_suggestion_goes_on_from_it_over_its_range(window: Window) -> None:
    document = window.open("import os\n\nhere = os.pa▮\nprint(here)\n")
    span = {"start": {"line": 2, "character": 10}, "end": {"line": 2, "character": 12}}
    params = window.session.complete_params(document.uri, *document.place, kind=2)
    params["context"]["selectedCompletionInfo"] = {"range": span, "text": "path"}
    (item, *_) = window.session.request("textDocument/inlineCompletion", params)["items"]
    assert item["range"] == span
    assert item["insertText"].startswith("path.")
    assert error_count(parse("python", accepted_into(document.text, item))) == 0


def test_a_popups_selected_item_that_is_not_at_the_cursor_gets_nothing(window: Window) -> None:
    document = window.open("import os\n\nhere = os.pa▮\nprint(here)\n")
    params = window.session.complete_params(document.uri, *document.place, kind=2)
    span = {"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 9}}
    params["context"]["selectedCompletionInfo"] = {"range": span, "text": "os"}
    assert window.session.request("textDocument/inlineCompletion", params)["items"] == []


@pytest.mark.parametrize("typed", ["", "    "])
def test_a_document_of_windows_line_ends_keeps_them(window: Window, typed: str) -> None:
    lines = ["def mean(values):", f"{typed}▮", "", "", "print(mean([1, 2]))", ""]
    document = window.open("\r\n".join(lines))
    items = [*document.ask(), *document.ask()]  # the next press has others beside the first
    assert any("\n" in item["insertText"] for item in items)
    for item in items:
        text = document.accepted(item)
        assert text.replace("\r\n", "").count("\n") == text.replace("\r\n", "").count("\r") == 0, repr(text)
        assert text.split("\r\n")[1].startswith("    ")


@pytest.mark.parametrize(
    "marked",
    [
        'print("Hello, ▮")\n',
        'ages = {"Ada": 36}\nprint(ages["A▮"])\n',
        "import os\n\nprint(os.path.join(▮))\n",
        "words = [word for word in (▮)]\n",
    ],
)
def test_closers_behind_the_cursor_stand_there_once(window: Window, marked: str) -> None:
    document = window.open(marked)
    items = document.ask()
    assert items
    for item in items:
        text = document.accepted(item)
        assert error_count(parse("python", text)) == 0, text
        assert [text.count("("), text.count("["), text.count('"') % 2] == [text.count(")"), text.count("]"), 0], text


@pytest.mark.parametrize(
    ("marked", "begins"),
    [
        ("def area(width, height):\n    # The area is ▮\n    return width * height\n", "    # The area is "),
        ('def area(width, height):\n    """Return the ▮\n    """\n    return width * height\n', '    """Return the '),
        ("// Returns the ▮\nfunction area(w, h) {\n  return w * h;\n}\n", "// Returns the "),
    ],
)
def test_comments_and_docstrings_are_completed_by_the_line(window: Window, marked: str, begins: str) -> None:
    language, suffix = ("javascript", ".js") if marked.startswith("//") else ("python", ".py")
    document = window.open(marked, suffix, language)
    items = document.ask()
    assert items
    for item in items:
        assert "\n" not in item["insertText"]
        assert item["insertText"].startswith(begins)
        assert error_count(parse(language, document.accepted(item))) == 0
