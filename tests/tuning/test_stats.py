import random

import pytest

from tuning.stats import mean_interval, paired_difference, ratio_interval


def test_equal_values_have_an_interval_without_width() -> None:
    interval = mean_interval([0.5] * 20)
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_the_interval_of_a_proportion_is_as_wide_as_theory_says() -> None:
    values = [1.0] * 300 + [0.0] * 100
    interval = mean_interval(values)
    half_width = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert interval.mean == 0.75
    assert interval.low == pytest.approx(0.75 - half_width, abs=0.006)
    assert interval.high == pytest.approx(0.75 + half_width, abs=0.006)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    values = [random.Random(1).random() for _ in range(50)] + [random.Random(2).gauss(0, 1) for _ in range(50)]
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_a_ratio_weighs_examples_by_their_denominators() -> None:
    assert ratio_interval([10.0, 1.0], [10.0, 90.0]).mean == pytest.approx(0.11)


def test_a_paired_difference_is_b_minus_a_and_sees_through_what_both_share() -> None:
    noise = random.Random(0)
    a = [noise.gauss(0, 10) for _ in range(200)]
    b = [value + 1 for value in a]
    difference = paired_difference(a, b)
    assert difference.low == pytest.approx(1)
    assert difference.high == pytest.approx(1)


def test_no_examples_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples"):
        mean_interval([])
    with pytest.raises(ValueError, match="2 numerators, 1 denominators"):
        ratio_interval([1.0, 2.0], [1.0])
    with pytest.raises(ValueError):
        paired_difference([1.0], [1.0, 2.0])
