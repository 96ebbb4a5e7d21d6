"""How near an answer comes is counted in the changed lines alone."""

import pytest

from evals.next_edit.chrf import chrf, delta_chrf

BEFORE = ["import a", "x = 1", "y = 2", "print(x)"]
WANTED = ["import a", "x = 10", "y = 2", "print(x)"]


def test_the_wanted_text_is_all_and_the_text_as_it_was_is_nothing() -> None:
    assert delta_chrf(BEFORE, WANTED, WANTED) == 1.0
    assert delta_chrf(BEFORE, BEFORE, WANTED) == 0.0


def test_lines_that_nobody_touched_are_no_merit() -> None:
    given = ["import a", "x = 77", "y = 2", "print(x)"]
    assert delta_chrf(BEFORE, given, WANTED) == chrf("x = 77", "x = 10") < 1.0
    assert delta_chrf(BEFORE * 9, BEFORE * 8 + given, BEFORE * 8 + WANTED) == chrf("x = 77", "x = 10")


def test_a_change_elsewhere_is_worse_than_half_of_the_right_one() -> None:
    elsewhere = ["import a", "x = 1", "y = 2", "print(x, y)"]
    assert delta_chrf(BEFORE, elsewhere, WANTED) < delta_chrf(BEFORE, ["import a", "x = 100", *BEFORE[2:]], WANTED)


def test_it_is_the_f_score_of_n_grams_of_characters() -> None:
    # One gram of one character in common, of one given and two wanted; precision counts 1, recall 4 (beta 2).
    assert chrf("a", "ab") == pytest.approx((5 * 1.0 * 0.5 / (4 * 1.0 + 0.5) + 0.0) / 2)
    assert chrf("", "ab") == 0.0
