"""The part of a page about promises: how probably ghosts would be kept, and how often they were. Used by `page`.

Rules: the held-out half of a run of `midfill eval calibration`, in ten bins of the same size.
"""

from collections.abc import Sequence
from typing import Any

from evals.pages.parts import Run, escaped, figure, table


def section(runs: Sequence[Run]) -> str:
    """A reliability plot and its bins for each run."""
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    bins = run.summary["reliability_held_out"]

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], ":", color="#999999", linewidth=1)
        axes.plot([said for said, _, _ in bins], [was for _, was, _ in bins], "o-", color="#0072B2")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("probability that was promised")

    plot = figure(2, [("share that was right", draw)])
    rows = table(["promised", "right", "examples"], ([f"{said:.2f}", f"{was:.2f}", str(n)] for said, was, n in bins))
    words = (
        f"expected calibration error {run.summary['calibration_error_held_out']:.3f} on "
        f"{run.summary['n_held_out']} ghosts of held-out histories"
    )
    return f"<section><h2>What ghosts promise</h2><p>{escaped(words)}</p>{plot}{rows}</section>"
