"""What is copied from the text around, or made up, over the real stdio server with the real default model."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lsp_server.session import Session
from tests.test_complaints import Window

pytestmark = [pytest.mark.e2e, pytest.mark.model]
_ASKED, _TYPING = 1, 2


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("clean")
    options = {"quietness": 0, "maxWaitMs": 0, "deadlineMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


@pytest.mark.parametrize("kind", [_ASKED, _TYPING])
@pytest.mark.parametrize("odd", ["\u200b", "\u2060", "\ufeff", "\ufffd", "\u202e"])
def test_what_is_not_seen_is_not_copied_into_code(window: Window, odd: str, kind: int) -> None:
    lines = [f"const total{n}{odd} = price\u00a0* {n};" for n in range(1, 6)]
    document = window.open("const price = 2;\n" + "\n".join(lines) + "\nconst ▮\n", ".js", "javascript")
    items = document.ask(kind)
    assert items
    for item in items:
        brought = document.accepted(item)[document.cursor :]
        assert not [c for c in brought if c not in "\n " and unicodedata.category(c)[0] in "CZ"], repr(brought)
        assert "\ufffd" not in brought


@pytest.mark.parametrize("kind", [_ASKED, _TYPING])
def test_one_windows_line_end_makes_no_other(window: Window, kind: int) -> None:
    text = "import os\r\n" + "\n" * 3 + "class A:\n    def f(self):\n        return 1\n\n\ndef mean(values):\n    ▮\n"
    document = window.open(text)
    for item in document.ask(kind):
        assert "\r" not in document.accepted(item)[document.cursor :]


def test_in_a_part_of_windows_line_ends_new_lines_have_them(window: Window) -> None:
    text = "import os\n" + "a = 1\r\n" * 3 + "\r\ndef mean(values):▮\r\n\r\nprint(mean([1, 2]))\r\n"
    document = window.open(text)
    brought = [item["insertText"] for item in document.ask() if "\n" in item["insertText"]]
    assert brought
    assert all(text.count("\n") == text.count("\r\n") for text in brought)


@pytest.mark.parametrize(
    "marked", ["def f(big):\n    n = big(▮\n", "a = 100000000000000000000▮\n", "x = [0.000000000000000000000000▮\n"]
)
def test_no_automatic_suggestion_is_digits_without_end(window: Window, marked: str) -> None:
    document = window.open(marked)
    for item in document.ask(_TYPING):
        brought = document.accepted(item)[document.cursor :]
        assert re.search(r"(\d)\1{9,}|\d{25,}", brought) is None, brought


@pytest.mark.parametrize(
    ("marked", "suffix", "language"),
    [
        ("cat a.txt\necho done\n▮", ".sh", "shellscript"),
        ("#ifndef A_H\n#define A_H\nint f(void);\n#endif\n▮", ".h", "c"),
        ("int f(void);\nint g(void);\n▮", ".h", "c"),
        ("def f():\n    return 1\n\n\n▮", ".py", "python"),
    ],
)
def test_at_a_files_end_nothing_is_closed_that_is_not_open(
    window: Window, marked: str, suffix: str, language: str
) -> None:
    document = window.open(marked, suffix, language)
    for item in document.ask(_TYPING):
        brought = document.accepted(item)[document.cursor :]
        assert not re.search(r"^\s*(EOF|done|fi)\b", brought, re.MULTILINE), brought
        assert brought.count("#endif") <= brought.count("#if"), brought
