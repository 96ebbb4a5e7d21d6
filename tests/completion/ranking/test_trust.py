"""How far a model's certainty is trusted: what ghosts came to, and what that makes of the next."""

import numpy as np
import pytest

from completion.ranking.trust import Trust


@pytest.mark.parametrize("joint", [0.05, 0.5, 0.8, 0.99])
def test_at_first_a_model_is_believed_as_far_as_it_was_right_elsewhere(joint: float) -> None:
    trust = Trust()
    assert 0.5 * joint < trust.probability(joint) < joint
    assert trust.least_joint(trust.probability(joint)) == pytest.approx(joint)


def test_refused_ghosts_ask_for_more_certainty_and_kept_ones_for_less() -> None:
    before, refused, kept = Trust(), Trust(), Trust()
    refused.learn(0.8, was_kept=False)
    kept.learn(0.8, was_kept=True)
    assert refused.least_joint(0.8) > before.least_joint(0.8) > kept.least_joint(0.8)
    assert refused.probability(0.8) < before.probability(0.8) < kept.probability(0.8)
    assert before.least_joint(0.8) - kept.least_joint(0.8) < refused.least_joint(0.8) - before.least_joint(0.8)


@pytest.mark.parametrize("quietness", [0.2, 0.5, 0.8, 0.95])
def test_what_reaches_the_least_joint_probability_is_kept_as_probably_as_is_asked_for(quietness: float) -> None:
    trust = Trust()
    trust.learn(0.9, was_kept=False)
    assert trust.probability(trust.least_joint(quietness)) == pytest.approx(quietness, abs=1e-3)


@pytest.mark.parametrize("quietness", [0.0, 1.0])
def test_all_and_nothing_stay_what_they_are(quietness: float) -> None:
    trust = Trust()
    trust.learn(0.9, was_kept=False)
    assert trust.least_joint(quietness) == quietness


def test_it_never_says_nothing_for_good() -> None:
    trust = Trust()
    for _ in range(1_000):
        trust.learn(1.0, was_kept=False)
    assert trust.least_joint(0.8) < 0.98
    for _ in range(200):
        trust.learn(trust.probability(0.99), was_kept=True)
    assert trust.shift > -1.0


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_of_a_model_that_boasts_or_is_modest_promises_come_true_after_a_while(shift: float) -> None:
    random, trust = np.random.default_rng(0), Trust()
    promised, kept = [], []
    for number in range(2_000):
        joint = random.uniform(0.5, 0.95)
        odds = joint / (1 - joint) * np.exp(shift)
        was_kept = bool(random.random() < odds / (1 + odds))
        said = trust.probability(joint)
        trust.learn(said, was_kept)
        if number > 100:
            promised.append(said)
            kept.append(was_kept)
    assert abs(np.mean(promised) - np.mean(kept)) < 0.01 < abs(np.mean(kept) - 0.725)
