"""Situations of commits and recorded ones, and what counts as wanted."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from completion.next_edit.edits import Layer, LineEdit, Proposal
from evals.next_edit import commits, suite
from evals.next_edit.recorded import recordings
from evals.next_edit.situations import Situation, is_wanted, is_whole
from evals.replay.histories import Named
from evals.report import EvalError

SITUATION = Situation(
    id="s",
    source="r",
    path="a.py",
    language="python",
    lines=("a", "b", "c", "d"),
    edits=(LineEdit("a.py", 0, ("x",), ("a",)),),
    wanted=(LineEdit("a.py", 1, ("b", "c"), ("B", "C")),),
    cursor=0,
)
HISTORY = Named("r", "python", "o/r==a..HEAD", "", held_out=False)


def test_a_part_of_what_came_is_wanted_and_the_whole_is_whole() -> None:
    assert is_wanted(SITUATION, 2, ("c",), ("C",))
    assert not is_whole(SITUATION, 2, ("c",), ("C",))
    assert is_wanted(SITUATION, 1, ("b", "c"), (" B", "C "))
    assert is_whole(SITUATION, 1, ("b", "c"), (" B", "C "))
    assert not is_wanted(SITUATION, 1, ("b",), ("C",))
    assert not is_wanted(SITUATION, 3, ("d",), ("C",))


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    """A repository with a commit that changed two places, and one that changed one."""
    folder = tmp_path / "clones" / "o+r.git"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", ".")
    for text in ("def f():\n    pass\n\n\nf()\n", "def g():\n    pass\n\n\ng()\n", "def g():\n    return\n\n\ng()\n"):
        (folder / "a.py").write_text(text)
        git(folder, "add", "a.py")
        git(folder, "commit", "-qm", "x")
    (folder / ".git").rename(tmp_path / "git")
    (folder / "a.py").unlink()
    folder.rmdir()
    (tmp_path / "git").rename(folder)
    return tmp_path / "clones"


def test_a_commit_of_two_places_is_one_that_follows_and_one_of_one_place_is_quiet(clones: Path) -> None:
    found = {bool(each.wanted): each for each in commits.situations(HISTORY, clones, 9, 0)}
    follow, quiet = found[True], found[False]
    (edit,), (wanted,) = follow.edits, follow.wanted
    assert follow.lines[edit.line : edit.end] == edit.new
    assert follow.lines[wanted.line : wanted.line + len(wanted.old)] == wanted.old
    assert {edit.new, wanted.new} == {("def g():",), ("g()",)}
    assert (quiet.edits[0].new, quiet.wanted) == (("    return",), ())


def test_a_folder_without_the_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match=r"o\+r\.git"):
        commits.situations(HISTORY, tmp_path, 9, 0)


def test_the_figures_are_those_of_the_definition() -> None:
    quiet = replace(SITUATION, wanted=())
    right, wrong = Proposal(Layer.LOCAL, 1, ("b",), ("B",)), Proposal(Layer.AGAIN, 3, ("d",), ("D",))
    rows = [
        suite.row_of(SITUATION, right),
        suite.row_of(SITUATION, None),
        suite.row_of(quiet, None),
        suite.row_of(quiet, wrong),
    ]
    figures = suite.summary(rows)
    assert (figures["show_rate"], figures["quiet_rate"], figures["exact"], figures["offered"]) == (0.5, 0.5, 0.5, 0.5)
    assert figures["score"] == pytest.approx(figures["delta_chrf"] * 0.5)
    assert figures["by_layer"] == {"local": {"shown": 1, "exact": 1}, "again": {"shown": 1, "exact": 0}}


def recorded(folder: Path, request: object, response: object) -> Path:
    """A recorded situation with one system's answer."""
    (folder / "one.txtar").write_text(
        "Words.\nfile: a.py\nrow: 2\ncol: 1\n-- buffer.txt --\ndef g():\n    pass\nf()\n"
        "-- history --\n<|file|> a.py\n<|old|>\ndef f():\n<|new|>\ndef g():\n"
        "-- steps --\nrequest-completion\n-- expected --\ndef g():\n    pass\ng()\n"
    )
    (folder / "one").mkdir()
    rows = [
        {"kind": kind, "body_b64": base64.b64encode(json.dumps(body).encode()).decode()}
        for kind, body in (("request", request), ("response", response))
    ]
    (folder / "one" / "rival.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


ANSWERS: tuple[tuple[object, object], ...] = (
    (
        {"prompt": "<<<<<<< CURRENT\n    pa<|user_cursor|>ss\nf()\n=======\n"},
        {"choices": [{"text": "    pass\ng()\n"}]},
    ),
    (
        {"messages": [{"content": "<|code_to_edit|>\n    pass<|cursor|>\nf()\n<|/code_to_edit|>"}]},
        {"choices": [{"message": {"content": "```\n    pass\ng()\n```"}}]},
    ),
    (
        {"prompt": "<|file_sep|>current/a.py:2:3\n    pass\nf()\n<|file_sep|>updated/a.py:2:3\n    pass\n"},
        {"choices": [{"text": "g()\n"}]},
    ),
    ({}, [{"range": {"start": {"line": 2, "character": 0}, "end": {"line": 2, "character": 1}}, "text": "g"}]),
)


@pytest.mark.parametrize(("request_", "response"), ANSWERS)
def test_a_recorded_answer_is_read_by_the_marks_of_its_question(
    tmp_path: Path, request_: object, response: object
) -> None:
    (recording,) = recordings(recorded(tmp_path, request_, response))
    (situation,) = recording.situations
    assert situation.edits == (LineEdit("a.py", 0, ("def f():",), ("def g():",)),)
    assert recording.answers == {"rival": (("def g():", "    pass", "g()"),)}


def test_midfill_and_its_rivals_stand_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    recorded(folder, {}, [])
    suite.run_recorded(folder, suite.Asked(out=tmp_path / "out.jsonl", threshold=0.0))
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name: row["show_rate"] for name, row in printed["contenders"].items()} == {"midfill": 1.0, "rival": 0.0}
    assert printed["exact"] == 1.0


def test_a_prompt_of_sweeps_that_was_recorded_is_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "def g():\n    pass\nf()\n"
    diff = "<|file_sep|>a.py.diff\noriginal:\ndef f():\nupdated:\ndef g():\n"
    ours = (
        f"<|file_sep|>a.py\n{text}{diff}<|file_sep|>original/a.py:1:3\n{text}"
        "<|file_sep|>current/a.py:1:3\ndef g():\n <|cursor|>   pass\nf()\n<|file_sep|>updated/a.py:1:3\ndef g():\n"
    )
    for number, prompt in enumerate((ours, ours.replace("pass", "pas"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        recorded(folder, {"prompt": prompt}, {"choices": [{"text": ""}]})
        suite.run_recorded(folder, suite.Asked(out=tmp_path / "out.jsonl"))
        printed = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert printed["sweep_prompts"] == {"recorded": 1, "reproduced": 1 - number}
