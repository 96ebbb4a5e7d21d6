"""The typist: when she looks, what she accepts, and what it costs her. No real time passes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.typing import peer
from evals.typing.person import Person, wanted
from evals.typing.wish import Edit
from tests.evals.typing_world import (
    JUMP_S,
    KEY_S,
    NOTICE_S,
    PRESS_S,
    READ_S,
    EvenPace,
    JumpingClock,
    ScriptedPlayer,
    edit_of,
    keys,
    typed,
)


class Vim:
    """llama.vim's accepting keys."""

    first_word = staticmethod(peer.first_word)
    first_line = staticmethod(peer.first_line)


OURS = ScriptedPlayer(JumpingClock(), lambda position: ())


def at(position: int, text: str, after_s: float = 0.0) -> Callable[[int], Sequence[tuple[float, str]]]:
    """A ghost that comes once, at one place."""

    def says(where: int) -> Sequence[tuple[float, str]]:
        return [(after_s, text)] if where == position else []

    return says


def test_a_ghost_that_agrees_with_the_wish_is_accepted_once_it_has_been_read() -> None:
    row, player, text = typed(edit_of("abcdefghij"), at(1, "bcdefghij"))
    # She goes on typing until it has caught her eye: that is after the second key, and before the third.
    assert keys(row) == [("key", "a"), ("key", "b"), ("all", "cdefghij")]
    assert row["keys"][-1]["at"] == pytest.approx(KEY_S + NOTICE_S + READ_S)
    assert (text, player.changes[-1].accepted) == ("abcdefghij", "all")


def test_a_ghost_that_every_key_replaces_is_never_read() -> None:
    row, _, text = typed(edit_of("abcdef"), lambda position: [(0.05, f"no {position}")])
    assert keys(row) == [("key", character) for character in "abcdef"]
    assert row["seconds"] == pytest.approx(6 * KEY_S)
    assert [ghost["read_at"] for ghost in row["ghosts"]][:5] == [None] * 5
    assert text == "abcdef"


def test_an_answer_after_the_next_key_is_not_shown() -> None:
    row, _, _ = typed(edit_of("abc"), lambda position: [(KEY_S + 0.01, "xyz")] if position < 3 else [])
    assert (keys(row), row["ghosts"]) == ([("key", "a"), ("key", "b"), ("key", "c")], [])


def test_a_wrong_ghost_costs_its_reading_once() -> None:
    """The pace is even, so the wrong ghost is read only where the next key is late: made so by a long first wait."""

    class Thoughtful(EvenPace):
        def wait(self, edit: Edit, position: int) -> float:
            return 0.35 if position == 1 else KEY_S

    row = _typed_at_pace(Thoughtful())
    assert keys(row) == [("key", character) for character in "abcd"]
    assert row["seconds"] == pytest.approx(KEY_S + NOTICE_S + READ_S + 2 * KEY_S)
    (ghost,) = row["ghosts"]
    assert ghost["read_at"] == pytest.approx(KEY_S + NOTICE_S + READ_S)


def _typed_at_pace(pace: EvenPace) -> dict[str, Any]:
    clock = JumpingClock()
    player = ScriptedPlayer(clock, lambda position: [(0.0, "wrong")] if position == 1 else [])
    return asyncio.run(Person(player, clock, pace, {"a.py": ""}).play(edit_of("abcd")))


def test_who_looks_for_a_suggestion_waits_for_it_and_no_longer_than_it_takes() -> None:
    class Patient(EvenPace):
        def waits(self, edit: Edit, position: int) -> float:
            return 3.0 if position in (1, 2) else 0.0

    def play(says: dict[int, list[tuple[float, str]]]) -> dict[str, Any]:
        clock = JumpingClock()
        player = ScriptedPlayer(clock, lambda position: says.get(position, []))
        return asyncio.run(Person(player, clock, Patient(), {"a.py": ""}).play(edit_of("abcdef")))

    taken = play({1: [(2.0, "bcdef")]})
    assert keys(taken) == [("key", "a"), ("all", "bcdef")]
    assert taken["seconds"] == pytest.approx(KEY_S + 2.0 + NOTICE_S + READ_S)
    assert play({1: [(2.0, "")]})["seconds"] == pytest.approx(KEY_S + 2.0 + 4 * KEY_S)  # she was due long ago
    assert play({2: [(5.0, "cdef")]})["seconds"] == pytest.approx(2 * KEY_S + 3.0 + 3 * KEY_S)  # too late for her


def test_a_ghost_that_grows_is_the_same_and_is_taken_in_its_longest_form() -> None:
    says = {1: [(0.0, "bcd")], 2: [(0.0, "cdefgh")]}
    row, _, _ = typed(edit_of("abcdefgh"), lambda position: says.get(position, []))
    assert keys(row)[-1] == ("all", "cdefgh")
    assert [(ghost["position"], ghost["text"], ghost["n_accepted"]) for ghost in row["ghosts"]] == [(1, "bcdefgh", 6)]


def test_lines_and_words_are_accepted_one_key_each_and_the_rest_is_typed() -> None:
    edit = edit_of("a = f(\n    first,\n    second.one)")
    row, _, text = typed(edit, at(4, "f(\n    first,\n    second.two)"))
    assert [key for key in keys(row) if key[0] != "key"] == [
        ("line", "("),
        ("line", "\n    first,"),
        ("word", "\n    second"),
    ]
    assert "".join(piece for _, piece in keys(row)) == edit.text == text


def test_more_presses_take_their_time() -> None:
    row, _, _ = typed(edit_of("xy alpha beta gamma"), at(2, " alpha beta delta"))
    first, second = [key for key in row["keys"] if key["kind"] == "word"]
    assert (first["text"] + second["text"]).endswith("alpha beta")
    assert second["at"] - first["at"] == pytest.approx(PRESS_S)


@pytest.mark.parametrize(
    ("ghost", "ours", "vims"),
    [
        ("return self.x\n", [("all", "return self.x\n")], [("all", "return self.x\n")]),
        ("return self.y", [("word", "return"), ("word", " self")], [("word", "return")]),
        ("return self.x\n    # no", [("line", "return self.x")], [("line", "return self.x")]),
        ("raise", [], []),
        ("r", [], []),  # one key for one character
    ],
)
def test_what_is_wanted_of_a_ghost(ghost: str, ours: list[object], vims: list[object]) -> None:
    edit = edit_of("return self.x\n    y = 1")
    assert wanted(edit, 0, ghost, OURS) == ours
    assert wanted(edit, 0, ghost, Vim()) == vims


def test_a_ghost_that_is_not_whole_is_taken_in_part() -> None:
    edit = edit_of("call(a)")
    assert wanted(edit, 0, "call(a)", OURS, is_whole=False) == [("word", "call")]


def test_indentation_that_the_editor_puts_in_is_nobodys_gain() -> None:
    assert wanted(edit_of("\n        x"), 0, "\n        ", OURS) == []


ghosts = st.dictionaries(st.integers(0, 40), st.tuples(st.floats(0, 0.5), st.integers(0, 12), st.booleans()))
wishes = st.lists(st.sampled_from(["a", "bc ", "\n", "\n  x", "(", "é"]), min_size=1, max_size=12).map("".join)


@given(wishes, ghosts, st.integers(0, 40))
def test_whatever_is_shown_the_text_becomes_the_wish(
    wish: str, shown: dict[int, tuple[float, int, bool]], n_typed: int
) -> None:
    def says(position: int) -> Sequence[tuple[float, str]]:
        if position not in shown:
            return []
        seconds, length, is_right = shown[position]
        return [(seconds, wish[position : position + length] if is_right else "bc wrong"[:length])]

    row, _, text = typed(edit_of(wish, min(n_typed, len(wish))), says)
    assert text == wish
    assert "".join(piece for _, piece in keys(row)) == wish[: len("".join(piece for _, piece in keys(row)))]
    assert sum(ghost["n_accepted"] for ghost in row["ghosts"]) == sum(
        len(piece) for kind, piece in keys(row) if kind != "key"
    )


def test_what_is_visible_when_all_is_typed_stays_until_she_goes_on() -> None:
    row, _, _ = typed(edit_of("ab"), at(2, "not wanted", 0.5))
    (ghost,) = row["ghosts"]
    assert ghost["ended"] - ghost["began"] == pytest.approx(JUMP_S - 0.5)


def test_what_goes_is_deleted_first_and_the_rest_of_a_long_edit_is_pasted() -> None:
    edit = Edit(0, "a.py", 1, "old", "new text\nmore", 3)
    row, player, text = typed(edit, lambda position: (), before="(old)")
    assert (keys(row), text) == ([("key", "n"), ("key", "e"), ("key", "w")], "(new text\nmore)")
    assert [(change.removed, change.text, change.is_asked) for change in player.changes] == [
        ("old", "", False),
        ("", "n", True),
        ("", "e", True),
        ("", "w", True),
        ("", " text\nmore", False),
    ]
