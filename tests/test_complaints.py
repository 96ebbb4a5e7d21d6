"""What users of other systems ask for and none gives them, as tests by their numbers in our list of these requests.

Over the real stdio server with the real default model, as a user meets it. Each docstring quotes the request, and says
what midfill promises.
"""

import hashlib
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

from parsers.parse import parse
from parsers.scope import error_count
from tests.conftest import daemons_of
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

    def delete(self, n: int = 1) -> None:
        """Delete characters before the cursor."""
        (line, character), n = self.place, min(n, len(self.line))
        span = {"start": {"line": line, "character": character - n}, "end": {"line": line, "character": character}}
        self._version += 1
        self._session.change(self.uri, self._version, [{"range": span, "text": ""}])
        self.text = self.text[: self.cursor - n] + self.text[self.cursor :]
        self.cursor -= n

    def accepted(self, item: dict[str, Any]) -> str:
        """The whole text after accepting an item, as an editor does it."""
        return accepted_into(self.text, item)


def accepted_into(text: str, item: dict[str, Any]) -> str:
    """A text with an item in place of its range."""
    lines = text.split("\n")
    number = item["range"]["start"]["line"]
    first, last = item["range"]["start"]["character"], item["range"]["end"]["character"]
    lines[number] = lines[number][:first] + item["insertText"] + lines[number][last:]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def window(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("workspace")
    # Each document alone, and all of it: what a busy machine has time for must not decide what is answered.
    options = {"quietness": 0, "maxWaitMs": 0, "deadlineMs": 0, "context": {"crossFile": False}}
    with Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(real_cache)}, options=options) as session:
        session.wait_for_phase("ready")
        yield Window(session, folder)


def _session(folder: Path, cache: Path, **options: Any) -> Session:
    return Session(folder, folders=[folder], environment={"MIDFILL_CACHE": str(cache)}, options=options)


def test_3_why_is_nothing_shown(real_cache: Path, tmp_path: Path) -> None:
    """3: "An answer to why nothing is shown". The status and `midfill/why` both name the reason in words."""
    with _session(tmp_path, real_cache, maxWaitMs=0) as session:
        session.wait_for_phase("ready")
        window = Window(session, tmp_path)
        for settings, kind, reason in (
            ({"enabled": False}, _ASKED, "switched off"),
            ({"disabledLanguages": ["python"]}, _ASKED, "disabledLanguages"),
            ({"automatic": False}, _TYPING, "only when asked"),
            ({"quietness": 1.0}, _TYPING, "quietness"),
        ):
            session.notify("workspace/didChangeConfiguration", {"settings": {"midfill": settings}})
            assert window.open("def add(a, b):\n    ret▮").ask(kind) == []
            assert reason in session.status()["message"]
            (told,) = session.request("midfill/why", {"last": 1})["explanations"]
            assert reason in told["sentence"]


def test_5_typing_never_waits_for_the_model(window: Window) -> None:
    """5: "Hard promise that typing never lags". While the model works for seconds, edits are taken, and other requests
    are answered; and what it was asked for does not come when it does not fit any more.
    """
    body = "".join(f"def helper_{n}(value):\n    return value * {n}\n\n\n" for n in range(150))
    document = window.open(f"{body}def last(value):\n    ▮")
    session = window.session
    n_asked = session.status()["daemon"]["n_requests"]
    params = session.complete_params(document.uri, *document.place)
    slow = session.start("textDocument/inlineCompletion", params)  # a cold file of thousands of tokens
    while (status := session.status())["daemon"]["n_requests"] == n_asked:
        pass
    for character in "return":
        document.type(character)
        known = session.request("midfill/document", {"uri": document.uri})
        assert known["characters"] == len(document.text)
        assert session._answers[slow].empty()  # the model works on
    assert status["phase"] == "ready"
    assert session.finish(slow)["result"]["items"] == []


def test_7_silence_for_a_while(window: Window) -> None:
    """7: "snooze, on-demand". Snoozed, nothing is suggested while typing; an invoked request is answered."""
    document = window.open("def fibonacci(n):\n    if n < 2:\n        return n\n    ret▮")
    window.session.request("workspace/executeCommand", {"command": "midfill.snooze", "arguments": [5]})
    assert document.ask(_TYPING) == []
    assert "snoozed" in window.session.status()["message"]
    assert document.ask(_ASKED)
    window.session.request("workspace/executeCommand", {"command": "midfill.snooze", "arguments": [0]})
    assert document.ask(_TYPING)


def test_7_what_would_hardly_be_kept_is_shown_to_invoked_requests_only(real_cache: Path, tmp_path: Path) -> None:
    """7: "Show fewer, better: a calibrated gate with a single knob". What is less probable to be kept than `quietness`
    is not shown while typing, what is more probable is; an invoked request gets it all the same.
    """
    marked = [
        "def fibonacci(n):\n    if n < 2:\n        return n\n    ret▮\n",
        "import os\n\nprint(os.pat▮\n",
        "zq = 17\nxw = ▮\n",
        "    # the way in which ▮\n",
        "def f(a, b):\n    ▮\n",
        "words = ['a', 'b']\nfor word in ▮\n",
    ]
    knob, shown = 0.6, []
    with _session(tmp_path, real_cache, maxWaitMs=0, quietness=knob) as session:
        session.wait_for_phase("ready")
        for text in marked:
            document = Window(session, tmp_path / str(len(shown))).open(text)
            items = document.ask(_TYPING)
            (told,) = session.request("midfill/why", {"last": 1})["explanations"]
            if told["probability"] is not None:
                assert bool(items) == (told["probability"] >= knob), told
            assert bool(items) or "quietness" in told["reason"], told
            assert document.ask(_ASKED)
            shown.append(bool(items))
    assert set(shown) == {True, False}


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
    """8: "Guarantee: an accepted suggestion adds no parse error and no duplicated bracket/line". Any of the items."""
    document = window.open(marked, suffix, language)
    before = error_count(parse(language, document.text))
    below = [line for line in document.text[document.cursor :].split("\n")[1:] if len(line.strip()) > 3]
    items = document.ask()
    assert items
    for item in items:
        text = document.accepted(item)
        assert error_count(parse(language, text)) <= before, text
        for line in below:
            assert text.split("\n").count(line) == document.text.split("\n").count(line), text


@pytest.mark.parametrize("typed", ["", "\t", "\t\t"])
def test_9_indentation_is_that_of_the_file(window: Window, typed: str) -> None:
    """9: "Correct indentation always, including tabs and half-typed indentation". Tabs, none, one or both typed."""
    above = "def scaled(values, factor):\n\tresult = []\n\tfor value in values:\n\t\tscaled = value * factor\n"
    document = window.open(f"{above}{typed}▮\n\treturn result\n")
    items = document.ask()
    assert items
    for item in items:
        line = document.accepted(item).split("\n")[4]
        blanks = line[: len(line) - len(line.lstrip())]
        assert blanks in ("\t", "\t\t"), repr(line)


@pytest.mark.parametrize("typed", ["", " ", "   ", "    "])
def test_9_half_typed_indentation_is_completed(window: Window, typed: str) -> None:
    """9: "... half-typed indentation". However much of it is typed, the line comes out at its body's indentation."""
    document = window.open(f"def double(value):\n{typed}▮\n\n\nprint(double(2))\n")
    (item, *_) = document.ask()
    line = document.accepted(item).split("\n")[1]
    assert line.startswith("    ")
    assert not line.startswith("     ")


def test_10_names_that_nobody_knows_are_noticed(real_cache: Path, tmp_path: Path) -> None:
    """10: "Unknown-identifier check against the project's symbol index before showing". A name that neither the file
    nor the repository knows is told in `midfill/why`; one that another file defines is not. (It hides nothing by
    itself: no data gave it weight.)
    """
    (tmp_path / "money.py").write_text("def convert_currency(amount):\n    return amount\n")
    with _session(tmp_path, real_cache, maxWaitMs=0, mode="line") as session:
        session.wait_for_phase("ready")
        while session.status()["indexes"][str(tmp_path)]["phase"] != "ready":
            time.sleep(0.05)
        window = Window(session, tmp_path)
        for begun, is_known in (("return convert_curr", True), ("total = sum_up_quantum_", False)):
            assert window.open(f"def pay(amount):\n    {begun}▮").ask()
            (told,) = session.request("midfill/why", {"last": 1})["explanations"]
            written = begun.split()[-1] + told["text"]
            if is_known:
                assert written.startswith("convert_currency(")
                assert told["unknownNames"] == []
            else:
                assert told["unknownNames"]
                assert written.startswith(told["unknownNames"][0])


def test_15_fast_typing_never_gets_stale_text(window: Window) -> None:
    """15: "Accept during fast typing never inserts stale text". Typing and deleting at any speed: once the server has
    an edit, nothing comes that was made for the text before it; and accepting what comes keeps all that was typed. So
    an editor that finds other text in the item's range than its beginning knows that it must not put it in.
    """
    document = window.open("def fibonacci(n):\n    if n < 2:\n        return n\n    ▮\n\n\nprint(fibonacci(9))\n")
    session, dice = window.session, random.Random(0)
    asked: list[tuple[int, str, int, int | None]] = []  # request, text, cursor; a request behind an edit that came next
    for character in "return fibonacci(n - 1) + fibonaxi(n" * 2:
        if dice.random() < 0.2:
            document.delete(dice.randrange(1, 9))
        document.type(character)
        before, cursor, behind = document.text, document.cursor, None
        params = session.complete_params(document.uri, *document.place, kind=_TYPING)
        with session.burst():
            request = session.start("textDocument/inlineCompletion", params)
            if dice.random() < 0.3:
                document.type(dice.choice("ab("))
                behind = session.start("midfill/document", {"uri": document.uri})
        asked.append((request, before, cursor, behind))
        time.sleep(dice.choice([0.0, 0.0, 0.02, 0.15, 0.4]))
    answers = [session.finish(request)["result"]["items"] for request, *_ in asked]
    n_outrun = 0
    for (request, before, cursor, behind), items in zip(asked, answers, strict=True):
        if behind is not None:
            session.finish(behind)
            if session.answered.index(behind) < session.answered.index(request):  # it has the edit
                n_outrun += 1
                assert not items, (before, items)
        for item in items:
            end = item["range"]["end"]["character"] - item["range"]["start"]["character"]
            below = before[before.rfind("\n", 0, cursor) + 1 + end :]  # what stands behind the range
            text = accepted_into(before, item)
            assert text.startswith(before[:cursor]), (before, item)
            assert text.endswith(below), (before, item)
            assert text != before
    assert any(answers)
    assert n_outrun
    known = session.request("midfill/document", {"uri": document.uri})
    assert known["sha256"] == hashlib.sha256(document.text.encode()).hexdigest()


def test_16_statistics_are_private_and_local(real_cache: Path, tmp_path: Path) -> None:
    """16: "Private local statistics; nothing leaves the machine". A file that only the user can read, and no socket to
    anywhere, of no process.
    """
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
    code = "import sys; from lsp_server.cli.__main__ import main; sys.exit(main(['stats', '--json']))"
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
    """19: "Mid-word cursor done right". The word that was begun is completed as if it were written whole."""
    document = window.open(marked)
    (item, *_) = document.ask()
    line = document.accepted(item).split("\n")[document.place[0]]
    assert word in line, line
