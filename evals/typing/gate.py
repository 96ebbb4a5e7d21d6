"""`midfill eval gate RESULTS...`: fits the weights of `completion.ranking.gate`, and says how well they are calibrated.

Reads what became of answers while real edits were typed (`bench typing`, by `outcomes`): kept is what was right in
whole. Or results of the suites that generate (their examples have `features` and `score`): kept is what has the score
1, the true line, or a program that passed its tests. Either is stricter than users are, and the same for everybody.

Fitted on one half of the examples, reported on the other: of typing, on the histories that thresholds are chosen on and
on those held out; else by a hash of the file or problem, so that each is in one half only. Reported are the expected
calibration error (Naeini et al. 2015) over ten bins of equal size, the log-loss beside that of a gate that always says
the mean, and how many would be shown and kept at each threshold. The weights that are printed are those reported on.

Rules: examples without text are left out: nothing would be shown. Ridge-penalized Newton steps; no randomness.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from completion.ranking.gate import Features
from evals.report import EvalError, open_results, read_all_results
from evals.typing.outcomes import SUITE, outcomes_of

NAMES = tuple(field.name for field in fields(Features))
_RIDGE = 1.0
_N_STEPS = 50
_N_BINS = 10
_THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)

# Of an id: which suite cut something out of a problem, and where.
_SUITE = re.compile(r"^(mceval-\w+|humaneval-\w+|\w+Infilling(?:Light)?)/")
_PLACE = re.compile(r":\d+$|(?<=/)(\d+)/(L\d+(_L\d+)?|\d+)$")

Array = NDArray[np.float64]


def run(paths: Sequence[Path], out: Path | None) -> int:
    """Fit, print the weights and the table, and the JSON line."""
    examples = [example for path in paths for example in examples_of(path)]
    if len(examples) < 10 * len(NAMES):
        raise EvalError(f"{len(examples)} examples with text are too few for {len(NAMES)} weights")
    x, y = np.array([example["x"] for example in examples]), np.array([example["kept"] for example in examples])
    held_out = np.array([example["held_out"] for example in examples])
    if held_out.all() or not held_out.any():
        raise EvalError("all examples are in one half: of typing, give runs of chosen and of held-out histories")
    weights = fit(x[~held_out], y[~held_out])
    p = predict(weights, x)
    print("WEIGHTS: dict[str, float] = {")
    for name, weight in zip(NAMES, weights, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    Console(width=100).print(threshold_table(p[held_out], y[held_out]))
    with open_results("gate", out) as results:
        for example, probability in zip(examples, p.tolist(), strict=True):
            results.add({"id": example["id"], "score": example["kept"], "probability": probability})
        results.finish(
            {
                "suite": "gate",
                "n": len(examples),
                "n_held_out": int(held_out.sum()),
                "kept": float(y[held_out].mean()),
                "calibration_error": calibration_error(p[held_out], y[held_out]),
                "log_loss": log_loss(p[held_out], y[held_out]),
                "log_loss_of_mean": log_loss(np.full(held_out.sum(), y[~held_out].mean()), y[held_out]),
                "reliability": reliability(p[held_out], y[held_out]),
                "calibration_error_by_language": by_language(examples, p),
                "models": sorted({example["model"] for example in examples}),
            }
        )
    return 0


def examples_of(path: Path) -> list[dict[str, Any]]:
    """What a results file tells: features, whether it was kept, which half it is in. EvalError where it tells none."""
    rows, summary = read_all_results(path)
    model = str((summary or {}).get("model", "unknown"))
    outcomes = [outcome for row in rows if row.get("suite") == SUITE for outcome in outcomes_of(row)]
    if outcomes:
        return [
            {
                "id": f"{model}:{each.id}",
                "x": [float(each.features[name]) for name in NAMES],
                "kept": float(each.right_whole),
                "held_out": each.is_held_out,
                "language": each.language,
                "model": model,
            }
            for each in outcomes
        ]
    found = [row for row in rows if row.get("features") and str(row.get("completion", "")).strip()]
    if not found:
        raise EvalError(f"{path} has no examples with features: run the suite again")
    return [
        {
            "id": f"{model}:{row['id']}",
            "x": [float(row["features"][name]) for name in NAMES],
            "kept": float(row["score"]),
            "held_out": is_held_out(row["id"]),
            "language": str(row.get("language", "")).lower(),
            "model": model,
        }
        for row in found
    ]


def is_held_out(example_id: str) -> bool:
    """Whether an example's file, or problem, is in the half that is not fitted on."""
    group = _PLACE.sub(r"\1", _SUITE.sub("", example_id))
    return hashlib.sha256(group.encode()).digest()[0] % 2 == 1


def fit(x: Array, y: Array) -> Array:
    """Weights (n_features,) of a logistic regression on x (n, n_features) and y (n,) of 0 and 1; the bias is free."""
    weights = np.zeros(x.shape[1])
    penalty = _RIDGE * np.eye(x.shape[1])
    penalty[NAMES.index("bias"), NAMES.index("bias")] = 0.0
    for _ in range(_N_STEPS):
        p = predict(weights, x)
        gradient = x.T @ (y - p) - penalty @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(x.shape[1])
        weights = weights + np.linalg.solve(hessian, gradient)
    return weights


def predict(weights: Array, x: Array) -> Array:
    """Probabilities (n,)."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30, 30))))


def calibration_error(p: Array, y: Array) -> float:
    """Expected calibration error: the mean distance between what is promised and what is so, over bins of one size."""
    return float(sum(abs(said - was) * n for said, was, n in reliability(p, y)) / len(p))


def reliability(p: Array, y: Array) -> list[tuple[float, float, int]]:
    """(mean probability, share kept, number) of each bin, the least probable first."""
    order = np.argsort(p, kind="stable")
    bins = [part for part in np.array_split(order, _N_BINS) if len(part)]
    return [(float(p[part].mean()), float(y[part].mean()), len(part)) for part in bins]


def by_language(examples: Sequence[dict[str, Any]], p: Array) -> dict[str, float]:
    """The calibration error of each language's held-out examples, where there are enough for ten bins."""
    found: dict[str, float] = {}
    for language in sorted({example["language"] for example in examples}):
        at = [i for i, each in enumerate(examples) if each["held_out"] and each["language"] == language]
        if len(at) >= 10 * _N_BINS:
            found[language] = calibration_error(p[at], np.array([examples[i]["kept"] for i in at]))
    return found


def log_loss(p: Array, y: Array) -> float:
    """Mean negative log-likelihood."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def threshold_table(p: Array, y: Array) -> Table:
    """What would be shown above each threshold, and how much of it is kept."""
    table = Table("shown from", "share shown", "of them kept", "of all that would be kept", title="held-out half")
    for threshold in _THRESHOLDS:
        shown = p >= threshold
        kept = y[shown].mean() if shown.any() else 0.0
        recall = y[shown].sum() / max(1.0, y.sum())
        table.add_row(f"{threshold:.1f}", f"{shown.mean():.3f}", f"{kept:.3f}", f"{recall:.3f}")
    return table
