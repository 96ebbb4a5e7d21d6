"""The weights of a judge, on data with known answers."""

import numpy as np
import pytest

from evals.scoring.logistic import fit, predict


def test_the_weights_behind_the_data_are_found() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 3))
    x[:, 0] = 1.0
    truth = np.array([-0.5, 1.5, -1.0])
    y = (random.random(20_000) < predict(truth, x)).astype(float)
    assert fit(x, y) == pytest.approx(truth, abs=0.1)
