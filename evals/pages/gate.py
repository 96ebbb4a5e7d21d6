"""The part of a page about the confidence gate: what it promises, and what was so. Used by `page`.

Rules: the held-out half of a run of `midfill eval gate`, in ten bins of the same size.
"""

from collections.abc import Sequence
from typing import Any

from evals.pages.parts import Run, escaped, figure, table


def section(runs: Sequence[Run]) -> str:
    """A reliability plot and its bins for each run."""
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    bins = run.summary["reliability"]

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], ":", color="#999999", linewidth=1)
        axes.plot([said for said, _, _ in bins], [was for _, was, _ in bins], "o-", color="#0072B2")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("probability that the gate promises")

    plot = figure(2, [("share that was right", draw)])
    rows = table(["promised", "right", "examples"], ([f"{said:.2f}", f"{was:.2f}", str(n)] for said, was, n in bins))
    words = (
        f"expected calibration error {run.summary['calibration_error']:.3f} on {run.summary['n_held_out']} examples "
        f"that were not fitted on, of {', '.join(run.summary['models'])}"
    )
    return f"<section><h2>Confidence gate</h2><p>{escaped(words)}</p>{plot}{rows}</section>"
