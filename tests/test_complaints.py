"""What users of other systems complain about, each as a test by its number in the list of what they ask for.

Over the real stdio server with the real default model, as a user meets it.
"""

import json
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from completion.candidate import Candidate
from completion.names import unknown_names
from lsp_server.index.build import bring_up_to_date
from lsp_server.repository import Repository
from parsers.parse import parse
from parsers.scope import error_count
from tests.conftest import daemons_of
from tests.fakes import request_at
from tests.lsp_server.session import Session

pytestmark = [pytest.mark.e2e, pytest.mark.model]
_ASKED, _TYPING = 1, 2
_CURSOR = "▮"


class Window:
    """An editor window: one server, documents with a cursor."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self._folder, self._n = session, folder, 0

    def open(self, marked: str, suffix: str = ".py", language: str = "python") -> "Open":
        self._n += 1
        return Open(self.session, (self._folder / f"file{self._n}{suffix}").as_uri(), marked, language)


class Open:
    """One document; `text` and `cursor` are what the editor has."""

    def __init__(self, session: Session, uri: str, marked: str, language: str) -> None:
        self.cursor, self.text = marked.index(_CURSOR), marked.replace(_CURSOR, "")
        self._session, self.uri, self._version, self.language = session, uri, 1, language
        session.open(uri, self.text, language)

    @property
    def place(self) -> tuple[int, int]:
        before = self.text[: self.cursor]
        return before.count("\n"), len(before) - before.rfind("\n") - 1

    @property
    def line(self) -> str:
        """The cursor's line up to the cursor."""
        return self.text[: self.cursor].rpartition("\n")[2]

    def ask(self, kind: int = _ASKED) -> list[dict[str, Any]]:
        return self._session.complete(self.uri, *self.place, kind=kind)

    def type(self, text: str) -> None:
        line, character = self.place
        at = {"line": line, "character": character}
        self._version += 1
        self._session.change(self.uri, self._version, [{"range": {"start": at, "end": at}, "text": text}])
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def accepted(self, item: dict[str, Any]) -> str:
        """The whole text after accepting an item, as an editor does it."""
        lines = self.text.split("\n")
        number = item["range"]["start"]["line"]
        first, last = item["range"]["start"]["character"], item["range"]["end"]["character"]
        lines[number] = lines[number][:first] + item["insertText"] + lines[number][last:]
        return "\n".join(lines)


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("workspace")
    # Each document alone, and all of it: what a busy machine has time for must not decide what is answered.
    options = {"quietness": 0, "maxWaitMs": 0, "deadlineMs": 0, "rankMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


def _session(folder: Path, cache: Path, **options: Any) -> Session:
    return Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(cache)}, options=options)


@pytest.mark.parametrize(
    ("options", "kind", "reason"),
    [
        ({"enabled": False}, _ASKED, "switched off"),
        ({"disabledLanguages": ["python"]}, _ASKED, "disabledLanguages"),
        ({"automatic": False}, _TYPING, "only when asked"),
        ({"quietness": 1.0}, _TYPING, "quietness"),
    ],
)
def test_3_why_is_nothing_shown(
    real_cache: Path, tmp_path: Path, options: dict[str, Any], kind: int, reason: str
) -> None:
    """3: "an answer to why nothing is shown". The status names the reason in words, and so does `midfill/why`."""
    with _session(tmp_path, real_cache, maxWaitMs=0, **options) as session:
        if options.get("enabled", True):
            session.wait_for_phase("ready")
        document = Window(session, tmp_path).open("def add(a, b):\n    ret▮")
        assert document.ask(kind) == []
        assert reason in session.status()["message"]


def test_5_typing_never_waits_for_the_model(window: Window) -> None:
    """5: "typing never lags". While the model works for seconds, edits are taken and requests are answered."""
    body = "".join(f"def helper_{n}(value):\n    return value * {n}\n\n\n" for n in range(150))
    document = window.open(f"{body}def last(value):\n    ▮")
    session = window.session
    params = session.complete_params(document.uri, *document.place)
    slow = session.start("textDocument/inlineCompletion", params)  # a cold file of thousands of tokens
    time.sleep(0.5)  # the model is at work by then
    document.type("r")
    status = session.status()  # after the edit and before the answer
    assert session._answers[slow].empty()
    assert status["phase"] == "ready"
    document.type("eturn")
    assert session.finish(slow)["result"]["items"] == []  # the text is another one by now


def test_7_fewer_suggestions_by_one_knob_and_silence_for_a_while(window: Window) -> None:
    """7: "show fewer, better". Snoozed, nothing is suggested while typing; who asks is answered all the same."""
    document = window.open("def fibonacci(n):\n    if n < 2:\n        return n\n    ret▮")
    window.session.request("workspace/executeCommand", {"command": "midfill.snooze", "arguments": [5]})
    assert document.ask(_TYPING) == []
    assert "snoozed" in window.session.status()["message"]
    assert document.ask(_ASKED)
    window.session.request("workspace/executeCommand", {"command": "midfill.snooze", "arguments": [0]})
    assert document.ask(_TYPING)


_PLACES = [
    ("print(sum(▮))\n", ".py", "python"),
    ("items = [1, 2, ▮]\nprint(items)\n", ".py", "python"),
    ("def area(r):\n    return (3.14 * ▮)\n", ".py", "python"),
    ('names = {"a": 1, "b▮}\nprint(names)\n', ".py", "python"),
    ("function f(a) {\n  if (a) {\n    ▮\n  }\n}\n", ".js", "javascript"),
    ("const xs = [1, 2].map((x) => ▮);\n", ".ts", "typescript"),
    ("int main(void) {\n    int total = add(▮);\n    return total;\n}\n", ".c", "c"),
    ('func main() {\n\tfmt.Println("sum", add(▮))\n}\n', ".go", "go"),
    ("def total(items)\n  items.each do |item|\n    ▮\n  end\nend\n", ".rb", "ruby"),
]


@pytest.mark.parametrize(("marked", "suffix", "language"), _PLACES)
def test_8_an_accepted_suggestion_breaks_nothing(window: Window, marked: str, suffix: str, language: str) -> None:
    """8: "adds no parse error and no duplicated bracket or line"."""
    document = window.open(marked, suffix, language)
    before = error_count(parse(language, document.text))
    below = [line for line in document.text[document.cursor :].split("\n")[1:] if len(line.strip()) > 3]
    items = document.ask()
    for item in items:
        text = document.accepted(item)
        assert error_count(parse(language, text)) <= before, text
        for line in below:
            assert text.split("\n").count(line) == document.text.split("\n").count(line), text


@pytest.mark.parametrize("typed", ["", "\t", "\t\t"])
def test_9_indentation_is_that_of_the_file(window: Window, typed: str) -> None:
    """9: "correct indentation always, including tabs and half-typed indentation"."""
    above = "def scaled(values, factor):\n\tresult = []\n\tfor value in values:\n\t\tscaled = value * factor\n"
    document = window.open(f"{above}{typed}▮\n\treturn result\n")
    items = document.ask()
    assert items
    for item in items:
        line = document.accepted(item).split("\n")[4]
        blanks = line[: len(line) - len(line.lstrip())]
        assert blanks in ("\t", "\t\t"), repr(line)


def test_9_half_typed_indentation_is_completed(window: Window) -> None:
    document = window.open("def double(value):\n  ▮\n\n\nprint(double(2))\n".replace("  ▮", "   ▮"))
    (item, *_) = document.ask()
    line = document.accepted(item).split("\n")[1]
    assert line.startswith("    ")
    assert not line.startswith("     ")


def test_10_names_that_nobody_knows_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10: "unknown identifiers are checked against the project's index". They are in the trace, for the gate."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "money.py").write_text("def convert_currency(amount):\n    return amount\n")
    bring_up_to_date(root, Console(quiet=True))
    repository = Repository(root)
    request = request_at("def pay(amount):\n    ▮\n", path="pay.py")
    assert unknown_names(Candidate("return convert_currency(amount)"), request, repository) == ()
    unknown = unknown_names(Candidate("return convert_money_now(amount)"), request, repository)
    assert unknown == ("convert_money_now",)


def test_15_fast_typing_never_gets_stale_text(window: Window) -> None:
    """15: "accept during fast typing never inserts stale text". Whatever is answered fits the text as it is."""
    document = window.open("def fibonacci(n):\n    if n < 2:\n        return n\n    ▮\n")
    dice, open_requests, n_answers = random.Random(0), [], 0
    for character in "return fibonacci(n - 1) + fibonaxi(n" * 2:
        document.type(character)
        params = window.session.complete_params(document.uri, *document.place, kind=_TYPING)
        open_requests.append((window.session.start("textDocument/inlineCompletion", params), document.line))
        time.sleep(dice.choice([0.0, 0.0, 0.02, 0.15]))
    for request, line in open_requests:
        for item in window.session.finish(request)["result"]["items"]:
            n_answers += 1
            typed = line[item["range"]["start"]["character"] :]
            assert item["insertText"].startswith(typed), (line, item)
    assert n_answers
    (last, *_) = document.ask(_TYPING) or [None]
    assert last is None or document.accepted(last).startswith(document.text[: document.cursor])


def test_16_statistics_are_private_and_local(real_cache: Path, tmp_path: Path) -> None:
    """16: "private local statistics; nothing leaves the machine". A private file, and no socket to anywhere."""
    with _session(tmp_path, real_cache, quietness=0) as session:
        session.wait_for_phase("ready")
        document = Window(session, tmp_path).open("def fibonacci(n):\n    if n < 2:\n        return n\n    ret▮")
        (item, *_) = document.ask()
        run = {key: item["command"][key] for key in ("command", "arguments")}
        document.type("urn")
        session.request("workspace/executeCommand", run)
        for pid in [session.pid, *daemons_of(real_cache)]:
            for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
                assert process.net_connections(kind="inet") == []
    state = real_cache / "state"
    assert {stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()} == {0o600}
    code = "import sys; from lsp_server.cli import main; sys.exit(main(['stats', '--json']))"
    environment = {**os.environ, "MIDFILL_CACHE": str(real_cache)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout)["languages"]["python"]["accepted"] >= 1


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("def fibonacci(n):\n    if n < 2:\n        return n\n    retu▮\n", "return"),
        ("import os\n\nprint(os.pat▮)\n", "path"),
        ("names = ['a']\nfor name in nam▮:\n    print(name)\n", "names"),
    ],
)
def test_19_in_the_middle_of_a_word(window: Window, marked: str, word: str) -> None:
    """19: "mid-word cursor done right". The word that was begun is completed as the model would have written it."""
    document = window.open(marked)
    (item, *_) = document.ask()
    line = document.accepted(item).split("\n")[document.place[0]]
    assert word in line, line
