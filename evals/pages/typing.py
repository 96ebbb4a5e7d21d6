"""The part of a page about what a typing person gets. Used by `page`.

Rules: made of the summaries of `midfill bench typing` alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evals.pages.parts import Run, escaped, figure, table
from evals.typing.figures import LOST
from evals.typing.report import OURS, PEER, SHARES, cell

_COLORS = {"": "#0072B2", "_llamavim": "#D55E00"}
_NAMES = {"": OURS, "_llamavim": PEER}
# Figures in the table, and their digits.
_ROWS = {
    **dict.fromkeys(SHARES, 3),
    "saved_share": 3,
    "characters_a_minute": 0,
    "characters_a_minute_alone": 0,
    "ghost_p50_ms": 0,
    "ghost_p95_ms": 0,
    "n_seen": 0,
    "n_wished": 0,
    "n_edits": 0,
    "cpu_s": 0,
}


def section(runs: Sequence[Run]) -> str:
    """For each run: plots by language, and the table of all."""
    return "<section><h2>Typing real edits</h2>" + "".join(_run(run) for run in runs) + "</section>"


def _run(run: Run) -> str:
    groups: dict[str, Mapping[str, Any]] = {"all": run.summary, **run.summary["by_language"]}
    panels = [
        (title, lambda axes, name=name: _bars(axes, groups, name))
        for name, title in (
            ("completed_share", "share of the wished characters that came by accepting"),
            ("noise", "wrong characters seen per hundred wished"),
        )
    ]
    words = f"{', '.join(run.summary['histories'])}: context {run.summary['context']}, {run.summary['model']}"
    return f"<h3>{escaped(words)}</h3>{figure(len(groups), panels)}{_table(run.summary)}"


def _bars(axes: Any, groups: Mapping[str, Mapping[str, Any]], name: str) -> None:
    suffixes = [suffix for suffix in _COLORS if any(f"{name}{suffix}" in keys for keys in groups.values())]
    for number, suffix in enumerate(suffixes):
        at = [index + 0.4 * number for index in range(len(groups))]
        values = [keys.get(f"{name}{suffix}", 0.0) for keys in groups.values()]
        low, high = (
            [keys.get(f"{name}_{end}{suffix}", value) for keys, value in zip(groups.values(), values, strict=True)]
            for end in ("low", "high")
        )
        errors = [[max(0.0, v - e) for v, e in zip(values, low, strict=True)]]
        errors += [[max(0.0, e - v) for v, e in zip(values, high, strict=True)]]
        axes.bar(at, values, 0.38, yerr=errors, color=_COLORS[suffix], label=_NAMES[suffix], capsize=3)
    axes.set_xticks([index + 0.2 * (len(suffixes) - 1) for index in range(len(groups))], list(groups))
    axes.legend(frameon=False, fontsize=9)


def _table(keys: Mapping[str, Any]) -> str:
    rows = [
        [name, *(cell(keys, name, suffix, n_digits) for suffix in ("", "_llamavim", "_ratio", "_difference"))]
        for name, n_digits in _ROWS.items()
    ]
    lost = [[f"typed: {reason}", *(_lost(keys, reason, suffix) for suffix in _COLORS), "", ""] for reason in LOST]
    return table(["", OURS, PEER, "ratio", "difference"], [*rows, *lost])


def _lost(keys: Mapping[str, Any], reason: str, suffix: str) -> str:
    return str(keys[f"lost{suffix}"][reason]) if f"lost{suffix}" in keys else ""
