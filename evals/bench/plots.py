"""The plots of `midfill bench`, as SVG files beside its results: one idea each, a panel for each model.

Rules: only what was measured in this run is drawn; a figure that an engine lacks is a gap. Without matplotlib
(a development dependency) there are no plots, and one line says so.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.bench.contender import OURS, PEERS
from evals.bench.summary import ModelResult, token_costs_ms
from evals.bench.timings import Plan, step_figure

_NAMES = {OURS: OURS, **PEERS}
# Told apart by color-blind eyes too (Okabe and Ito).
_COLORS = {OURS: "#0072B2", "llamacpp": "#999999", "ik_llama": "#E69F00"}
_PANEL_INCHES = (4.6, 3.4)

Draw = Callable[[Any, ModelResult], None]


def write_plots(results: Sequence[ModelResult], plan: Plan, beside: Path, console: Console) -> list[Path]:
    """Write the plots that the plan has figures for; returns their paths."""
    try:
        import matplotlib
    except ImportError:
        console.print("[yellow]no plots: matplotlib is not installed[/]")
        return []
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "midfill"  # the same picture is the same file
    drawn: dict[str, Draw] = {"prefill": lambda axes, result: _prefill(axes, result, plan)}
    if len(plan.positions) > 1:
        drawn["steps"] = lambda axes, result: _steps(axes, result, plan)
    if plan.depths:
        drawn["depth"] = lambda axes, result: _depth(axes, result, plan)
    return [_write(beside.with_name(f"{beside.stem}-{name}.svg"), draw, results) for name, draw in drawn.items()]


def _write(path: Path, draw: Draw, results: Sequence[ModelResult]) -> Path:
    from matplotlib.figure import Figure

    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * len(results), height), layout="constrained")
    for axes, result in zip(figure.subplots(1, len(results), squeeze=False)[0], results, strict=True):
        draw(axes, result)
        axes.set_title(result.model, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=0)
    figure.savefig(path, metadata={"Date": None})
    return path


def _prefill(axes: Any, result: ModelResult, plan: Plan) -> None:
    """Tokens per second by length of the prompt."""
    rates = {
        c.name: [n / s if (s := result.seconds(c.name, f"prefill_{n}")) else 0.0 for n in plan.prefills]
        for c in result.contenders
    }
    _bars(axes, rates, [f"{n:,}" for n in plan.prefills], "{:.0f}")
    axes.set_xlabel("tokens in the prompt")
    axes.set_ylabel("prefill, tokens per second")


def _steps(axes: Any, result: ModelResult, plan: Plan) -> None:
    """Milliseconds of a step of one token by length of the context."""
    positions = sorted(plan.positions)
    times = {
        c.name: [(result.seconds(c.name, step_figure(1, position)) or 0.0) * 1e3 for position in positions]
        for c in result.contenders
    }
    _bars(axes, times, [f"{position:,}" for position in positions], "{:.0f}")
    axes.set_xlabel("tokens of context")
    axes.set_ylabel("one token, ms (less is better)")


def _depth(axes: Any, result: ModelResult, plan: Plan) -> None:
    """Milliseconds per token of midfill's prefill by depth."""
    points = list(token_costs_ms(result, plan))
    axes.plot(*zip(*points, strict=True), marker="o", color=_COLORS[OURS])
    for depth, ms in points:
        axes.annotate(f"{ms:.1f}", (depth, ms), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(plan.depths, [f"{depth // 1024}k" for depth in plan.depths])
    axes.margins(y=0.12)
    axes.set_xlabel("tokens before it")
    axes.set_ylabel("midfill, ms per added token")


def _bars(axes: Any, series: dict[str, list[float]], groups: list[str], number: str) -> None:
    """Groups of bars, one bar for each engine, with its value on top."""
    width = 0.8 / len(series)
    for index, (name, values) in enumerate(series.items()):
        places = [group + (index - (len(series) - 1) / 2) * width for group in range(len(groups))]
        bars = axes.bar(places, values, width * 0.92, label=_NAMES[name], color=_COLORS[name])
        axes.bar_label(bars, [number.format(v) if v else "" for v in values], fontsize=8, padding=2)
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.25)
    axes.legend(fontsize=8, frameon=False, ncols=len(series), loc="upper center")
