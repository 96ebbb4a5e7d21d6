"""Draws a run's loss as an SVG, from its log: small, and without a library.

Rules: the picture is made anew from the whole log each time; a log that ends in the middle of a line is read up to it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 44
# The line is a running mean with this much of the new step in it.
_SMOOTHING = 0.1


def plot_losses(log: Path, picture: Path) -> None:
    """Draw the training loss of a log (and its running mean), and held-out NLL where it was measured."""
    rows = _read(log)
    losses = [(float(row["step"]), float(row["loss"])) for row in rows if "loss" in row]
    held_out = [(float(row["step"]), float(row["held_out"]["nll"])) for row in rows if "held_out" in row]
    if not losses:
        return
    smooth, mean = [], losses[0][1]
    for step, loss in losses:
        mean += _SMOOTHING * (loss - mean)
        smooth.append((step, mean))
    shown = [*smooth, *held_out]
    right = max(step for step, _ in losses) or 1.0
    low, high = min(y for _, y in shown), max(y for _, y in shown)
    span = (high - low) or 1.0

    def points(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(
            f"{_MARGIN + (_WIDTH - 2 * _MARGIN) * x / right:.1f},"
            f"{_HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (min(max(y, low), high) - low) / span:.1f}"
            for x, y in line
        )

    def line(values: Sequence[tuple[float, float]], color: str, width: float) -> str:
        return f'<polyline fill="none" stroke="{color}" stroke-width="{width}" points="{points(values)}"/>'

    def text(x: int, y: int, words: str) -> str:
        return f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="12" fill="#444">{words}</text>'

    picture.write_text(
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}">',
                '<rect width="100%" height="100%" fill="#fff"/>',
                line(losses, "#cfe0f2", 1),
                line(smooth, "#1f6fb2", 2),
                line(held_out, "#c2501b", 2),
                text(4, _MARGIN, f"{high:.3f}"),
                text(4, _HEIGHT - _MARGIN, f"{low:.3f}"),
                text(_MARGIN, _HEIGHT - 12, f"NLL per token over {right:.0f} steps: training (blue), held out (red)"),
                "</svg>\n",
            ]
        ),
        encoding="utf-8",
    )


def _read(log: Path) -> list[dict[str, Any]]:
    rows = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
