"""What is remembered of next edits: how an answer came about, what became of it, and how `midfill why` tells it."""

import io
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.judge import Judged, judge
from lsp_server.cli.__main__ import main
from lsp_server.cli.why_next_edit import render_next_edit
from lsp_server.usage.explain import Spot
from lsp_server.usage.history import Entry, NextEditAnswer, erase, history_file, read_next_edits, write
from lsp_server.usage.next_edits import OFFERED, Considered, NextEdits, sentence

SPOT = Spot(at=1e9, uri="file:///w/a.py", path="a.py", line=1, column=9, language="python", latency_ms=4.2)
EDIT = LineEdit("a.py", 0, ("def load():",), ("def read():",))
USE = Proposal(Layer.RENAME, 4, ("x = load()",), ("x = read()",))
GUESS = Proposal(Layer.TWIN, 8, ("load: 1",), ("read: 1",))


class Written:
    """What a window has written, in place of a history."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.edits = NextEdits("w", self.entries.append)

    def answered(self, reason: str = "", *, is_private: bool = False) -> str:
        offered = [] if reason else [Considered("a.py", Judged(USE, 0.91), OFFERED)]
        others = [Considered.other("b.py", Judged(GUESS, 0.2), self.edits.dismissed)]
        return self.edits.answered(SPOT, [EDIT], offered + others, reason, is_private=is_private)


def page(told: dict[str, Any]) -> str:
    console = Console(width=90, record=True, file=io.StringIO())
    console.print(render_next_edit(told, "now"))
    return console.export_text()


def test_an_answer_tells_what_was_edited_what_was_thought_of_and_what_became_of_it() -> None:
    window = Written()
    window.edits.accepted(window.edits.offer(USE, window.answered()))
    (told,) = window.edits.why(9)
    assert told["sentence"] == "A next edit was offered at line 5. It was accepted."
    shown = page(told)
    for part in ("def read():", "91%", "rename", "offered", "b.py:9", "20%", "below the threshold", "4.2 ms"):
        assert part in shown, part


def test_what_was_not_offered_says_why() -> None:
    window = Written()
    window.edits.dismiss(window.edits.offer(GUESS, window.answered()))
    window.answered("wanted with a probability of 0.20, below 0.60")
    told = window.edits.why(1)[0]
    assert told["sentence"] == "No next edit was offered: wanted with a probability of 0.20, below 0.60."
    assert "dismissed before" in page(told)
    assert "It was dismissed" in window.edits.why(2)[1]["sentence"]


def test_places_in_other_files_are_named() -> None:
    told = NextEdits()
    told.answered(SPOT, [EDIT], [Considered("b.py", Judged(USE, 0.9), OFFERED)] * 3, "")
    assert told.why(1)[0]["sentence"] == "A next edit was offered at b.py:5, and 2 more."


def test_the_same_answer_again_is_told_once() -> None:
    window = Written()
    assert window.answered() == window.answered() != window.answered("dismissed before")
    assert len(window.entries) == len(window.edits.why(9)) == 2


def test_an_answer_in_a_private_document_is_not_written() -> None:
    window = Written()
    window.answered(is_private=True)
    assert (len(window.entries), len(window.edits.why(9))) == (0, 1)


def test_what_a_judge_does_not_offer_is_known() -> None:
    found = judge([USE, GUESS], [EDIT], 0, threshold=0.999)
    assert {each.proposal for each in found.others} == {USE, GUESS}
    some = judge([USE, GUESS], [EDIT], 0, threshold=0.0, dismissed={(USE.old, USE.new)})
    assert ([each.proposal for each in some.edits], [each.proposal for each in some.others]) == ([GUESS], [USE])


@pytest.fixture
def written(tiny_cache: Path) -> list[Entry]:
    """A history with two answers, the first of which was taken."""
    window = Written()
    window.edits.accepted(window.edits.offer(USE, window.answered()))
    window.answered("nothing follows")
    write(history_file(), window.entries)
    return window.entries


def reasons(known: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["reason"], one["fate"]) for one in known]


@pytest.mark.usefixtures("written")
def test_answers_and_their_fates_are_read_again_and_can_be_erased() -> None:
    assert reasons(read_next_edits(history_file(), 9)) == [("nothing follows", None), ("", "accepted")]
    erase(history_file())
    assert read_next_edits(history_file(), 9) == []


def test_a_history_of_an_older_server_is_read_and_gets_its_table(written: list[Entry]) -> None:
    with sqlite3.connect(history_file()) as database:
        database.executescript("DROP TABLE next_edits; PRAGMA user_version = 1;")
    assert read_next_edits(history_file(), 9) == []
    write(history_file(), [entry for entry in written if isinstance(entry, NextEditAnswer)])
    assert len(read_next_edits(history_file(), 9)) == 2


@pytest.mark.usefixtures("written")
def test_the_command_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why"]) == 0
    out = capsys.readouterr().out
    assert "No next edit was offered: nothing follows." in out
    assert "accepted" not in out
    assert main(["why", "--next-edit", "--last", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["sentence"] for one in told] == [sentence(one) for one in told]
    assert reasons(told) == [("nothing follows", None), ("", "accepted")]
