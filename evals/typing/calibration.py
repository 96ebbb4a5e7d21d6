"""`midfill eval calibration RESULTS...`: whether what ghosts promise comes true, in runs of `bench typing`.

Of every ghost that was shown while real edits were typed the server said with which probability it would be kept
(`completion.ranking.trust`); kept is what was right in whole. Reported are, by half of the histories, the expected
calibration error (Naeini et al. 2015) over ten bins of equal size, what that would be by chance alone if every promise
were true, and the log-loss beside that of promising the mean.

Rules: nothing is fitted. Ghosts that were not promised anything are left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evals.report import EvalError, open_results, read_all_results
from evals.typing.outcomes import SUITE, Outcome, outcomes_of

_N_BINS = 10
_N_DRAWS = 1_000

Array = NDArray[np.float64]


def run(paths: Sequence[Path], out: Path | None) -> int:
    """Print the table of promises and what came of them, and the JSON line."""
    outcomes = [outcome for path in paths for outcome in shown_in(path)]
    halves = {
        name: [each for each in outcomes if each.is_held_out == is_held_out]
        for name, is_held_out in (("chosen", False), ("held_out", True))
    }
    with open_results("calibration", out) as results:
        for each in outcomes:
            results.add({"id": each.id, "score": float(each.right_whole), "probability": each.probability})
        summary: dict[str, Any] = {"suite": "calibration", "n": len(outcomes)}
        for name, half in halves.items():
            if half:
                figures = figures_of(half)
                Console(width=100).print(table_of(figures["reliability"], f"{name}: {len(half)} ghosts"))
                summary |= {f"{key}_{name}": value for key, value in figures.items()}
        results.finish(summary)
    return 0


def shown_in(path: Path) -> list[Outcome]:
    """The ghosts of a results file; EvalError where it tells of fewer than fill the bins."""
    rows, _ = read_all_results(path)
    found = [each for row in rows if row.get("suite") == SUITE for each in outcomes_of(row) if each.was_shown]
    if len(found) < _N_BINS:
        raise EvalError(f"{path} tells of {len(found)} ghosts: give results of `midfill bench typing`")
    return found


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the JSON line says of one half."""
    p = np.array([each.probability for each in outcomes])
    y = np.array([float(each.right_whole) for each in outcomes])
    return {
        "n": len(outcomes),
        "kept": float(y.mean()),
        "promised": float(p.mean()),
        "calibration_error": calibration_error(p, y),
        "calibration_error_by_chance": error_by_chance(p),
        "log_loss": log_loss(p, y),
        "log_loss_of_mean": log_loss(np.full(len(y), y.mean()), y),
        "reliability": reliability(p, y),
        "calibration_error_by_language": by_language(outcomes),
    }


def calibration_error(p: Array, y: Array) -> float:
    """Expected calibration error: the mean distance between what is promised and what is so, over bins of one size."""
    return float(sum(abs(said - was) * n for said, was, n in reliability(p, y)) / len(p))


def error_by_chance(p: Array) -> float:
    """The calibration error that promises (n,) have on the average when each comes true as often as it says."""
    draw = np.random.default_rng(0)
    return float(np.mean([calibration_error(p, (draw.random(len(p)) < p).astype(float)) for _ in range(_N_DRAWS)]))


def reliability(p: Array, y: Array) -> list[tuple[float, float, int]]:
    """(mean probability, share kept, number) of each bin, the least probable first."""
    order = np.argsort(p, kind="stable")
    bins = [part for part in np.array_split(order, _N_BINS) if len(part)]
    return [(float(p[part].mean()), float(y[part].mean()), len(part)) for part in bins]


def by_language(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Of each language what was promised and what was kept, on the average."""
    found: dict[str, dict[str, float]] = {}
    for language in sorted({each.language for each in outcomes}):
        those = [each for each in outcomes if each.language == language]
        found[language] = {
            "n": len(those),
            "promised": float(np.mean([each.probability for each in those])),
            "kept": float(np.mean([each.right_whole for each in those])),
        }
    return found


def log_loss(p: Array, y: Array) -> float:
    """Mean negative log-likelihood."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def table_of(bins: Sequence[tuple[float, float, int]], title: str) -> Table:
    """Promises beside what came of them."""
    table = Table("promised", "kept", "ghosts", title=title)
    for said, was, n in bins:
        table.add_row(f"{said:.3f}", f"{was:.3f}", str(n))
    return table
