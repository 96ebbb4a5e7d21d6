"""What typing comes to: each typed character has one reason, ghosts are judged whole, and ratios are paired by edit."""

import json
import math
from typing import Any

import pytest

from evals.pages.page import page
from evals.pages.parts import Run
from evals.typing.figures import LOST, Row, tally
from evals.typing.report import cell, keys_of, summary_of, table_of
from tests.evals.typing_world import edit_of, typed
from tuning.stats import ratio_interval, ratio_of_ratios

WISH = "value = compute(first)"


def row_of(played: Row, contender: str = "midfill", edit: int = 0, text: str = WISH, **more: Any) -> Row:
    """A row as the bench keeps it."""
    return {
        "history": "h",
        "language": "python",
        "contender": contender,
        "edit": edit,
        "path": "a.py",
        "at": 0,
        "removed": "",
        "text": text,
        "n_typed": len(text),
        "left": played["seconds"] + 2.0,
        "cpu_s": 1.5,
        "held_out": False,
        "answers": [],
        **played,
        **more,
    }


def key(at: float, position: int, text: str, ghost: str = "", kind: str = "key") -> Row:
    return {"at": at, "position": position, "kind": kind, "text": text, "ghost": ghost, "is_read": False}


def ghost(position: int, text: str, began: float = 0.0, ended: float = 1.0) -> Row:
    return {"position": position, "text": text, "began": began, "ended": ended, "read_at": None, "n_accepted": 0}


def answer(position: int, asked: float, answered: float | None = None, text: str = "", **more: Any) -> Row:
    return {"position": position, "asked": asked, "answered": answered, "text": text, **more}


def test_what_is_typed_and_what_is_accepted_add_up_to_the_wish() -> None:
    played, _, _ = typed(edit_of(WISH), lambda position: [(0.0, WISH[position:])] if position == 8 else [])
    found = tally(row_of(played))
    assert (found.wished, found.completed, found.n_accepts) == (len(WISH), len(WISH) - 9, 1)
    assert sum(found.lost.values()) == found.wished - found.completed
    assert (found.n_ghosts, found.n_seen, found.n_right, found.n_wrong_characters) == (1, 1, 1, 0)
    assert found.seconds < found.alone_s or found.alone_s == pytest.approx(played["alone"])


def test_each_typed_character_has_its_reason() -> None:
    played = {
        "seconds": 3.0,
        "alone": 3.0,
        "ghosts": [],
        "keys": [
            key(0.2, 0, "v"),
            key(0.4, 1, "a"),
            key(0.6, 2, "l"),
            key(0.8, 3, "u"),
            key(1.0, 4, "e", "ntirely else"),
            key(1.2, 5, " ", "  "),
            key(1.4, 6, "=", "= compute"),
        ],
        "answers": [
            answer(1, 0.2),
            answer(2, 0.4, 0.5, outcome="empty", raw="lse"),
            answer(3, 0.6, 0.7, outcome="quiet", raw="ue = compute"),
            answer(4, 0.8, 0.9, "ntirely else"),
        ],
    }
    lost = tally(row_of(played)).lost
    assert lost == {"unasked": 1, "late": 1, "quiet": 1, "quiet_right": 1, "wrong": 1, "short": 1, "unread": 1}
    assert tuple(lost) == LOST


def test_only_what_was_there_long_enough_is_judged() -> None:
    played = {
        "seconds": 3.0,
        "alone": 3.0,
        "keys": [],
        "ghosts": [
            ghost(0, "value = compute(second)"),
            ghost(0, "valid\nand more"),
            ghost(0, "nothing of it", ended=0.1),
            ghost(8, "compute(first)\n    more"),
        ],
    }
    found = tally(row_of(played))
    assert (found.n_ghosts, found.n_seen, found.n_right, found.n_right_line, found.n_right_word) == (4, 3, 0, 1, 2)
    assert found.n_wrong_characters == len("second)") + len("id\nand more") + len("\n    more")


def test_waits_are_those_of_a_replay_and_usefulness_is_known_from_the_next_answer() -> None:
    played = {
        "seconds": 1.0,
        "alone": 1.0,
        "keys": [],
        "ghosts": [],
        "answers": [
            answer(1, 0.0),
            answer(2, 0.2, 0.25, WISH[2:], reused=False),
            answer(3, 0.4, 0.41, WISH[3:], reused=True),
            answer(4, 0.6, None),
        ],
    }
    found = tally(row_of(played))
    assert found.waits_ms == [pytest.approx(250), pytest.approx(50), pytest.approx(2400)]
    assert (found.n_computed, found.n_in_time) == (3, 1)
    assert (found.n_useful, found.n_useful_in_time) == (3, 2)


def rows(completed: dict[str, list[int]]) -> list[Row]:
    """So many characters accepted in each edit, by contender."""
    made = []
    for contender, edits in completed.items():
        for number, n in enumerate(edits):
            keys = [key(0.1 * i, i, WISH[i]) for i in range(len(WISH) - n)]
            keys += [key(9.0, len(WISH) - n, WISH[len(WISH) - n :], kind="all")] if n else []
            played = {"seconds": 9.0, "alone": 9.0, "keys": keys, "ghosts": [ghost(0, "vwrong")]}
            made.append(row_of(played, contender, number))
    return made


def test_shares_and_ratios_of_both_contenders() -> None:
    found = keys_of(rows({"midfill": [10, 12, 14], "llama.vim": [5, 6, 7]}))
    n = len(WISH)
    assert found["completed_share"] == pytest.approx(36 / (3 * n))
    assert found["completed_share_llamavim"] == pytest.approx(18 / (3 * n))
    # Paired by edit: every edit has twice as much, so the ratio has no spread although the shares have.
    assert found["completed_share_ratio"] == found["completed_share_ratio_low"] == pytest.approx(2)
    assert found["completed_share_ratio_high"] == pytest.approx(2)
    assert found["completed_share_low"] < found["completed_share"] < found["completed_share_high"]
    assert found["noise"] == pytest.approx(100 * 5 / n)
    assert found["noise_ratio"] == pytest.approx(1)
    assert found["completed_share_difference"] == pytest.approx(18 / (3 * n))
    assert found["completed_share_difference_low"] > 0
    assert found["saved_share"] == pytest.approx(33 / (3 * n))


def test_edits_that_only_one_has_typed_are_not_compared() -> None:
    found = keys_of(rows({"midfill": [10, 22], "llama.vim": [5]}))
    assert found["completed_share_ratio"] == pytest.approx(2)


def test_the_line_is_json_and_the_table_has_every_reason() -> None:
    summary = summary_of(rows({"midfill": [10], "llama.vim": [0]}))
    assert json.loads(json.dumps(summary, allow_nan=False))["by_language"]["python"]["n_edits"] == 1
    assert table_of(rows({"midfill": [10], "llama.vim": [0]}), "t").row_count > len(LOST)


def test_the_page_has_both_contenders() -> None:
    summary = summary_of(rows({"midfill": [10, 3], "llama.vim": [5, 4]}))
    more = {"suite": "typing", "histories": ["h"], "context": "4k", "model": "m", "commit": "c"}
    machine = {"machine": {"cpu": "x", "cores": 2}}
    made = page([Run("run", {**summary, **more, **machine}, [])])
    assert "llama.vim" in made
    assert f"<td>{cell(summary, 'completed_share', '_ratio')}</td>" in made
    assert cell(summary, "completed_share", "_ratio").startswith("1.444 [")
    assert summary["by_half"]["chosen"]["n_edits"] == 2


def test_a_ratio_of_ratios_resamples_both_together() -> None:
    a, b = ([2.0, 4.0, 6.0], [10.0, 10.0, 10.0]), ([1.0, 2.0, 3.0], [10.0, 10.0, 10.0])
    found = ratio_of_ratios(a, b)
    assert (found.mean, found.low, found.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))
    assert math.isfinite(ratio_of_ratios(a, ([0.0, 0.0, 3.0], b[1])).high)
    with pytest.raises(ValueError, match="no examples"):
        ratio_of_ratios(([], []), ([], []))


def test_where_the_peer_completes_nothing_there_is_a_difference_and_no_ratio() -> None:
    found = keys_of(rows({"midfill": [10, 5], "llama.vim": [0, 0]}))
    assert found["completed_share_difference"] == pytest.approx(15 / (2 * len(WISH)))
    assert "completed_share_ratio" not in found


def test_an_interval_leaves_out_resamples_without_anything_in_them() -> None:
    found = ratio_interval([1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0])
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
