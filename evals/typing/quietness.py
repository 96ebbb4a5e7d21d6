"""`midfill eval quietness RESULTS...`: which `quietness` completes most, of runs of `bench typing` at several.

The figure is the share of characters completed. A run counts only if enough of what it showed was right in whole
(`LEAST_RIGHT_SHARE`, the product's own aim): else the quietest would never win. Where no run shows that much right, the
one comes first that shows most right.

Rules: the runs differ in nothing but `quietness`; they are of histories that thresholds may be chosen on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.report import EvalError, open_results, read_all_results
from evals.typing.outcomes import SUITE
from lsp_server.config import Config

LEAST_RIGHT_SHARE = 0.75
_SAME = ("histories", "context", "model", "n_keys", "speed", "without", "machine")
_FIGURES = ("completed_share", "saved_share", "right_share", "right_line_share", "noise", "n_seen")


@dataclass(frozen=True, slots=True)
class Played:
    """A run of the closed loop."""

    quietness: float
    figures: Mapping[str, Any]

    @property
    def is_right_enough(self) -> bool:
        """Whether enough of what was shown was right."""
        return float(self.figures.get("right_share", 0.0)) >= LEAST_RIGHT_SHARE


def run(paths: Sequence[Path], out: Path | None) -> int:
    """Print the runs, the chosen one, and the JSON line."""
    played = sorted(read(paths), key=lambda each: each.quietness)
    best = chosen(played)
    Console(width=120).print(_table(played, best))
    with open_results("quietness", out) as results:
        for each in played:
            results.add({"id": f"quietness {each.quietness}", "score": each.figures["completed_share"], **each.figures})
        results.finish({"suite": "quietness", "quietness": best.quietness, "is_right_enough": best.is_right_enough})
    return 0


def read(paths: Sequence[Path]) -> list[Played]:
    """The runs; EvalError where they are not of `bench typing`, or differ in more than `quietness`."""
    played: list[Played] = []
    same: dict[str, Any] | None = None
    for path in paths:
        _, summary = read_all_results(path)
        if summary is None or summary.get("suite") != SUITE or "completed_share" not in summary:
            raise EvalError(f"{path} holds no finished run of midfill's typing")
        fixed = {name: summary.get(name) for name in _SAME}
        differs = [name for name in _SAME if same is not None and same[name] != fixed[name]]
        if differs:
            raise EvalError(
                f"{path} differs from {paths[0]} in {', '.join(differs)}: runs may differ in quietness alone"
            )
        same = fixed
        quietness = summary.get("quietness")
        figures = {name: summary[name] for name in _FIGURES if name in summary}
        played.append(Played(Config().quietness if quietness is None else float(quietness), figures))
    return played


def chosen(played: Sequence[Played]) -> Played:
    """The run that completes most of those that are right enough; without any, the one that is right most often."""
    if enough := [each for each in played if each.is_right_enough]:
        return max(enough, key=lambda each: (each.figures["completed_share"], each.quietness))
    return max(played, key=lambda each: (each.figures.get("right_share", 0.0), each.quietness))


def _table(played: Sequence[Played], best: Played) -> Table:
    table = Table("quietness", *_FIGURES, "")
    for each in played:
        figures = [f"{each.figures[name]:.3f}" if name in each.figures else "" for name in _FIGURES]
        table.add_row(f"{each.quietness:.2f}", *figures, "chosen" if each is best else "")
    return table
