"""Keys of real edits: which are asked at, what is kept of an answer, and what a threshold would show."""

import asyncio
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from completion.types import Mode, Trigger
from evals.replay.histories import Named
from evals.replay.history import Change, History
from evals.scoring.documents import LIMITS
from evals.typing import ghosts
from evals.typing.ghosts import Asking, answer_of, ask, places_of, row_of, shown_at, sweep
from evals.typing.outcomes import outcomes_of
from tests.evals.scripted import scripted_subject

_NAMED = Named("small", "python", "small==1..2", "2026", held_out=False)
_BEFORE, _AFTER = "a = 1\nb = 2\n", "a = 1\ntotal = a + 1\nb = 2\n"


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change("small.py", _BEFORE, _AFTER)
    monkeypatch.setattr(
        ghosts, "read_history", lambda spec, language: History("small", {"small.py": _BEFORE}, (change,))
    )


def test_a_key_is_asked_at_with_the_text_as_it_is_while_one_types(history: None) -> None:
    places = list(places_of(_NAMED, 100, 0))
    assert [place.position for place in places] == list(range(len("\ntotal = a + 1")))
    for place in places:
        cursor = place.edit.at + place.position
        assert place.text[:cursor] + place.wished + place.text[cursor:] == _AFTER
    assert 0 < len(list(places_of(_NAMED, 5, 0))) < len(places)


def test_what_is_asked_is_kept_as_the_typing_bench_keeps_it(history: None) -> None:
    place = next(place for place in places_of(_NAMED, 100, 0) if place.wished == "a + 1")
    completion = asyncio.run(ask(Asking(scripted_subject(lambda prompt: "a + 1\nb"), LIMITS), _NAMED, place))
    row = row_of(_NAMED, [(place, completion)], "scripted")
    (outcome,) = outcomes_of(row)
    assert (outcome.right_whole, outcome.n_right, outcome.history) == (True, 5, "small")
    assert answer_of(place, completion)["sure"][0][0] == 0


def test_a_threshold_shows_less_that_is_right_more_often() -> None:
    said = {
        "mode": "line",
        "position": 0,
        "raw": "compute(first, wrong)",
        "candidate": "compute(first, wrong)",
        "sure": [[0, math.log(0.9)], [7, math.log(0.9)], [15, math.log(0.5)]],
    }
    row = {"text": "compute(first, right)", "answers": [said]}
    assert shown_at(said, 0.0) == "compute(first, wrong)"
    assert shown_at(said, 0.7) == "compute"
    found = sweep([row], Mode.LINE)
    assert (found[0.0].n_right, found[0.0].n_right_characters, found[0.0].n_wrong_characters) == (0, 15, 6)
    assert (found[0.7].n_right, found[0.7].n_right_characters, found[0.7].n_wrong_characters) == (1, 7, 0)
    assert sweep([row], Mode.BLOCK)[0.0].n_keys == 0


def test_a_run_that_was_cut_off_goes_on(history: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ghosts.jsonl"
    places = list(places_of(_NAMED, 100, 0))
    with ghosts.open_results("ghosts", out) as results:
        first = asyncio.run(
            ghosts._history(Asking(scripted_subject(lambda prompt: "a + 1\nb"), LIMITS), _NAMED, places, results)
        )
    out.write_text(out.read_text().splitlines()[0] + "\n")
    with ghosts.open_results("ghosts", out, resume=True) as results:
        again = asyncio.run(
            ghosts._history(Asking(scripted_subject(lambda prompt: "never asked"), LIMITS), _NAMED, places, results)
        )
    assert again == first


def test_what_was_said_is_told_again_and_each_mechanism_left_out(
    history: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = replace(scripted_subject(lambda prompt: "a + 1\nb"), trigger=Trigger.AUTOMATIC)
    places = list(places_of(_NAMED, 100, 0))
    with ghosts.open_results("ghosts", tmp_path / "said.jsonl") as results:
        said = asyncio.run(ghosts._history(Asking(subject, LIMITS), _NAMED, places, results))
    teller = ghosts.Teller(subject.tokenizer, said)
    told = replace(subject, engine=teller.engine, tokenizer=teller.engine)
    with ghosts.open_results("ghosts", tmp_path / "told.jsonl") as results:
        again = asyncio.run(ghosts._history(Asking(told, LIMITS, teller), _NAMED, places, results))
    assert [answer["text"] for answer in again[0]["answers"]] == [answer["text"] for answer in said[0]["answers"]]
    assert any(answer["text"] for answer in again[0]["answers"])
    quiet = Asking(told, replace(LIMITS, quietness=1.0), teller)
    with ghosts.open_results("ghosts", tmp_path / "without.jsonl") as results:
        asyncio.run(ghosts.ablate(quiet, [_NAMED], 100, 0, results, Console(file=io.StringIO())))
    rows = {row["id"]: row for row in map(json.loads, (tmp_path / "without.jsonl").read_text().splitlines()[:-1])}
    assert rows["certainty"]["n_changed"] > 0
    assert rows["certainty"]["right_difference"] > 0
    assert rows["loops"]["n_changed"] == 0


def test_another_run_than_the_recorded_one_is_refused(history: None) -> None:
    place = next(places_of(_NAMED, 100, 0))
    with pytest.raises(ghosts.EvalError, match="no answer was recorded at a key of small"):
        ghosts.Teller(scripted_subject(lambda prompt: "").tokenizer, []).turn_to(_NAMED, place)
