"""Recordings of VS Code: the buffer as the log leaves it, and what people called an answer."""

import json
from pathlib import Path

import pytest

from completion.next_edit.edits import NOWHERE, LineEdit
from evals import cli
from evals.next_edit.rated import rated
from evals.report import EvalError

BEFORE = "def load(n):\r\n    return n\r\n\r\nload(1)\r\n\r\nload(2)\r\n"
DEFINED, USED, USED_AGAIN = (BEFORE.index(word) for word in ("load(n)", "load(1)", "load(2)"))


def recording(folder: Path, *, following: object = None) -> Path:
    """A function is renamed where it is defined, after something in another file."""
    log = [
        {"kind": "meta", "data": {}},
        {"kind": "documentEncountered", "id": 2, "relativePath": "src\\other.py", "time": 0},
        {"kind": "setContent", "id": 2, "content": "a = 1", "time": 0},
        {"kind": "changed", "id": 2, "time": 1_000, "edit": [[4, 5, "2"]]},
        {"kind": "documentEncountered", "id": 1, "relativePath": "src\\a.py", "time": 0},
        {"kind": "setContent", "id": 1, "content": BEFORE, "time": 0},
        {"kind": "selectionChanged", "id": 1, "selection": []},
        {"kind": "changed", "id": 1, "time": 2_000, "edit": [[DEFINED, DEFINED + 4, "re"]]},
        {"kind": "changed", "id": 1, "time": 2_500, "edit": [[DEFINED + 2, DEFINED + 2, "ad"]]},
    ]
    answers = [
        {"edit": [[USED, USED + 4, "read"]], "scoreCategory": "nextEdit"},
        {"edit": [[0, 3, "fed"]], "scoreCategory": "bad"},
        {"edit": None, "scoreCategory": "valid"},
    ]
    place = folder / "one"
    place.mkdir(parents=True)
    (place / "recording.w.json").write_text(json.dumps({"log": log, "nextUserEdit": following}))
    (place / "scoredEdits.w.json").write_text(json.dumps({"edits": answers}))
    return folder


def test_a_recording_is_the_text_in_the_end_and_the_edits_as_they_are_followed_in_an_editor(tmp_path: Path) -> None:
    following = {"edit": [[USED, USED + 4, "read"], [USED_AGAIN, USED_AGAIN + 4, "read"]]}
    ((situation, buffer),) = [(each.situation, each) for each in rated(recording(tmp_path, following=following))]
    assert situation.path == "src/a.py"
    assert situation.lines == ("def read(n):", "    return n", "", "load(1)", "", "load(2)", "")
    assert situation.expected == ("def read(n):", "    return n", "", "read(1)", "", "read(2)", "")
    assert situation.cursor == 0
    other, own = situation.edits
    assert (other.line, other.old, other.new) == (NOWHERE, ("a = 1",), ("a = 2",))
    assert (own.line, own.old, own.new) == (0, ("def load(n):",), ("def read(n):",))
    assert situation.wanted == (LineEdit("src/a.py", 3, ("load(1)", "", "load(2)"), ("read(1)", "", "read(2)")),)
    assert buffer.rating(situation.expected) == "unknown"


def test_an_answer_is_called_what_people_called_it(tmp_path: Path) -> None:
    (one,) = rated(recording(tmp_path))
    lines = one.situation.lines
    assert one.rating(lines) == "valid"
    assert one.rating((*lines[:3], "read( 1 )", *lines[4:])) == "nextEdit"
    assert one.rating(("fed read(n):", *lines[1:])) == "bad"
    assert one.rating(("x",)) == "unknown"


def test_a_recording_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (recording(tmp_path) / "one" / "scoredEdits.w.json").unlink()
    with pytest.raises(EvalError, match="one"):
        list(rated(tmp_path))


def test_what_midfill_offers_is_rated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = recording(tmp_path / "data", following={"edit": [[USED, USED + 4, "read"]]})
    assert cli.main(["eval", "next-edit", "--data", str(folder), "--out", str(tmp_path / "out.jsonl")]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["ratings"] == {"nextEdit": 1}
    assert (printed["set"], printed["exact"], printed["show_rate"]) == ("rated", 1.0, 1.0)
