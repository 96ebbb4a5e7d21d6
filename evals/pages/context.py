"""The part of a page about context from the repository: `repo`, `recall` and `retrieval` runs. Used by `page`."""

from collections.abc import Callable, Sequence
from typing import Any

from evals.pages.parts import Run, escaped, figure, table
from tuning.stats import Interval, mean_interval, ratio_interval

_CONDITIONS = ("none", "infile", "ours", "oracle")
# Told apart by color-blind eyes too (Okabe and Ito).
_COLORS = {"none": "#999999", "infile": "#E69F00", "ours": "#0072B2", "oracle": "#009E73"}
_BUDGETS = ("2k", "4k", "16k")
_MAX_EXAMPLES = 40


# -- repo ------------------------------------------------------------------------------------------------------


def repo(runs: Sequence[Run]) -> str:
    """What context is worth to the model."""
    plots = figure(
        len(runs),
        [
            ("NLL per token of the true text", lambda axes: _bars(axes, runs, _nll)),
            ("exact match", lambda axes: _bars(axes, runs, lambda run, name: _mean(run, name, "exact"))),
            ("edit similarity", lambda axes: _bars(axes, runs, lambda run, name: _mean(run, name, "similarity"))),
        ],
    )
    share = [[run.title, _with_interval(run, "nll_gain"), _with_interval(run, "nll_gain_share")] for run in runs]
    shares = table(["", "NLL below in-file", "share of the oracle's gain"], share)
    words = (
        "<p>The same lines asked with four prompts of at most the same number of tokens: the file's nearest lines "
        "(none), the file (infile), half of it with what midfill chose from the repository (ours), and with exactly "
        "the definitions that are needed (oracle).</p>"
    )
    return f"<h2>What it is worth to the model</h2>{words}{plots}{shares}" + "".join(_examples(run) for run in runs)


def _nll(run: Run, condition: str) -> Interval:
    rows = [row[condition] for row in run.examples]
    return ratio_interval([row["nll"] for row in rows], [row["n_tokens"] for row in rows])


def _mean(run: Run, condition: str, measure: str) -> Interval:
    return mean_interval([row[condition][measure] for row in run.examples])


def _bars(axes: Any, runs: Sequence[Run], measure: Callable[[Run, str], Interval]) -> None:
    """A group of bars for each run, one for each condition, with intervals."""
    for index, name in enumerate(_CONDITIONS):
        having = [(at, run) for at, run in enumerate(runs) if name in run.examples[0]]
        found = [measure(run, name) for _, run in having]
        places = [at + 0.2 * (index - 1.5) for at, _ in having]
        means = [interval.mean for interval in found]
        below = [max(0.0, interval.mean - interval.low) for interval in found]
        above = [max(0.0, interval.high - interval.mean) for interval in found]
        axes.bar(places, means, 0.18, yerr=[below, above], label=name, color=_COLORS[name], ecolor="#444444")
    axes.set_xticks(range(len(runs)), [run.title.replace(" (", "\n(") for run in runs], fontsize=7)
    axes.legend(fontsize=7, frameon=False)


def _examples(run: Run) -> str:
    """What the model wrote, beside the truth."""
    rows = []
    for row in run.examples[:_MAX_EXAMPLES]:
        cells = [f"<td class='text'>{escaped(row['id'])}</td><td class='text'>{escaped(row['truth'])}</td>"]
        for name in ("infile", "ours", "oracle"):
            if name in row:
                good = " good" if row[name]["exact"] else ""
                nll = row[name]["nll"] / row[name]["n_tokens"]
                cells.append(f"<td class='text{good}'>{escaped(row[name]['text'])}\n<i>{nll:.2f}</i></td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "<tr><th>place</th><th>truth</th><th>infile</th><th>ours</th><th>oracle</th></tr>"
    return (
        f"<details><summary>{escaped(run.title)}: the first {len(rows)} examples, with the NLL per token of the truth"
        f"</summary><table>{head}{''.join(rows)}</table></details>"
    )


# -- recall and retrieval --------------------------------------------------------------------------------------


def recall(runs: Sequence[Run]) -> str:
    """Whether the context holds what a line needs."""

    def draw(axes: Any) -> None:
        for run in runs:
            axes.plot(_BUDGETS, [run.summary[f"definition_recall_{name}"] for name in _BUDGETS], "o-", label=run.title)
        axes.axhline(0.914, color="#999999", linestyle=":", linewidth=1)
        axes.set_ylim(0, 1)
        axes.legend(fontsize=7, frameon=False)

    rows = [
        [
            run.title,
            *(f"{run.summary[f'definition_recall_{name}']:.3f}" for name in _BUDGETS),
            f"[{run.summary['low_4k']:.3f}, {run.summary['high_4k']:.3f}]",
            f"{run.summary['retrieve_p50_ms']:.0f} / {run.summary['retrieve_p99_ms']:.0f} ms",
        ]
        for run in runs
    ]
    shares = table(["", *_BUDGETS, "4k, 95 %", "retrieval p50 / p99"], rows)
    plot = figure(1, [("share of the needed definitions that the context holds", draw)])
    return f"<h2>Whether it holds what a line needs</h2>{plot}{shares}<p class='note'>Dotted: 91.4 %.</p>"


def retrieval(runs: Sequence[Run]) -> str:
    """How fast it is found."""
    ordered = sorted(runs, key=lambda run: run.summary["n_chunks"])

    def draw(axes: Any) -> None:
        sizes = [run.summary["n_chunks"] for run in ordered]
        for name, color in (("query_p50_ms", "#0072B2"), ("query_p99_ms", "#D55E00")):
            axes.plot(sizes, [run.summary[name] for run in ordered], "o-", label=name, color=color)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("chunks")
        axes.legend(fontsize=7, frameon=False)

    keys = ("n_chunks", "query_p50_ms", "query_p99_ms", "recall", "index_mb", "build_s")
    rows = [[run.name, *(f"{run.summary[key]:,}" for key in keys)] for run in ordered]
    plot = figure(1, [("milliseconds of a query", draw)])
    return f"<h2>How fast it is found</h2>{plot}{table(['', *keys], rows)}"


def _with_interval(run: Run, name: str) -> str:
    if name not in run.summary:
        return ""
    return f"{run.summary[name]:+.3f} [{run.summary[f'{name}_low']:+.3f}, {run.summary[f'{name}_high']:+.3f}]"
