"""Logistic regression for judges of few facts: a handful of weights that are printed and kept as data.

Rules: ridge-penalized Newton steps; no randomness. The first column is the bias, which is not penalized.
"""

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1.0
_N_STEPS = 50

Array = NDArray[np.float64]


def fit(x: Array, y: Array) -> Array:
    """Weights (n_features,) on x (n, n_features), whose first column is 1, and y (n,) of 0 and 1."""
    weights = np.zeros(x.shape[1])
    penalty = _RIDGE * np.eye(x.shape[1])
    penalty[0, 0] = 0.0
    for _ in range(_N_STEPS):
        p = predict(weights, x)
        gradient = x.T @ (y - p) - penalty @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(x.shape[1])
        weights = weights + np.linalg.solve(hessian, gradient)
    return weights


def predict(weights: Array, x: Array) -> Array:
    """Probabilities (n,)."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30, 30))))
