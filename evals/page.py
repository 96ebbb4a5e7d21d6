"""`midfill eval page RESULTS...`: an HTML page with tables, plots and examples of `repo`, `recall`, `retrieval` runs.

Rules: only what the results files hold is shown, with their machine and commit; the page has everything in itself and
fetches nothing. Intervals are 95 % bootstrap intervals over examples (`stats`).
"""

import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.report import EvalError, read_all_results
from evals.stats import Interval, mean_interval, ratio_interval

_CONDITIONS = ("none", "infile", "ours", "oracle")
# Told apart by color-blind eyes too (Okabe and Ito).
_COLORS = {"none": "#999999", "infile": "#E69F00", "ours": "#0072B2", "oracle": "#009E73"}
_BUDGETS = ("2k", "4k", "16k")
_MAX_EXAMPLES = 40
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd }
td { text-align: right } td:first-child, th:first-child, td.text { text-align: left }
td.text, code { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.good { background: #e6f4ea } .note { color: #666; font-size: 13px } svg { max-width: 100%; height: auto }
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One results file."""

    name: str
    summary: Mapping[str, Any]
    examples: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What was measured on what."""
        details = (self.summary.get(key) for key in ("language", "split", "tokens", "n_chunks"))
        name = self.summary.get("tree", self.name)
        return f"{name} ({', '.join(str(detail) for detail in details if detail is not None)})"


def read_run(path: Path) -> Run:
    """A results file; EvalError when it is none, or its run did not come to its end."""
    examples, summary = read_all_results(path)
    if summary is None:
        raise EvalError(f"{path} has no summary: its run did not come to its end")
    return Run(path.stem, summary, examples)


def run(paths: Sequence[Path], out: Path) -> int:
    """Write the page; EvalError without matplotlib or when a file cannot be read or written."""
    try:
        import matplotlib
    except ImportError as error:
        raise EvalError("matplotlib is missing: install midfill's development tools (make setup)") from error
    matplotlib.use("svg")
    runs = [read_run(path) for path in paths]
    try:
        out.write_text(page(runs), encoding="utf-8")
    except OSError as error:
        raise EvalError(f"cannot write {out} ({error.strerror}): use --out") from error
    print(f"page: {out}")
    return 0


def page(runs: Sequence[Run]) -> str:
    """The whole page."""
    sections = {"repo": _repo, "recall": _recall, "retrieval": _retrieval}
    unknown = sorted({str(run.summary.get("suite")) for run in runs} - sections.keys())
    if unknown:
        raise EvalError(f"no page for {', '.join(unknown)}: give results of {', '.join(sections)}")
    body = "".join(
        section(chosen)
        for suite, section in sections.items()
        if (chosen := [run for run in runs if run.summary["suite"] == suite])
    )
    made = _list(f"{run.title}: commit {run.summary['commit']}, {_machine(run)}, n = {_n(run)}" for run in runs)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>midfill: context from the repository</title>"
        f"<style>{_STYLE}</style><h1>Context from the repository</h1>{body}<h2>Made of</h2>{made}</html>\n"
    )


def _n(run: Run) -> Any:
    return run.summary.get("n", len(run.examples))


def _machine(run: Run) -> str:
    machine = run.summary["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores"


# -- repo ------------------------------------------------------------------------------------------------------


def _repo(runs: Sequence[Run]) -> str:
    plots = _figure(
        len(runs),
        [
            ("NLL per token of the true text", lambda axes: _bars(axes, runs, _nll)),
            ("exact match", lambda axes: _bars(axes, runs, lambda run, name: _mean(run, name, "exact"))),
            ("edit similarity", lambda axes: _bars(axes, runs, lambda run, name: _mean(run, name, "similarity"))),
        ],
    )
    share = [[run.title, _with_interval(run, "nll_gain"), _with_interval(run, "nll_gain_share")] for run in runs]
    table = _table(["", "NLL below in-file", "share of the oracle's gain"], share)
    words = (
        "<p>The same lines asked with four prompts of at most the same number of tokens: the file's nearest lines "
        "(none), the file (infile), half of it with what midfill chose from the repository (ours), and with exactly "
        "the definitions that are needed (oracle).</p>"
    )
    return f"<h2>What it is worth to the model</h2>{words}{plots}{table}" + "".join(_examples(run) for run in runs)


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
        cells = [f"<td class='text'>{_code(row['id'])}</td><td class='text'>{_code(row['truth'])}</td>"]
        for name in ("infile", "ours", "oracle"):
            if name in row:
                good = " good" if row[name]["exact"] else ""
                nll = row[name]["nll"] / row[name]["n_tokens"]
                cells.append(f"<td class='text{good}'>{_code(row[name]['text'])}\n<i>{nll:.2f}</i></td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "<tr><th>place</th><th>truth</th><th>infile</th><th>ours</th><th>oracle</th></tr>"
    return (
        f"<details><summary>{_code(run.title)}: the first {len(rows)} examples, with the NLL per token of the truth"
        f"</summary><table>{head}{''.join(rows)}</table></details>"
    )


# -- recall and retrieval --------------------------------------------------------------------------------------


def _recall(runs: Sequence[Run]) -> str:
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
    table = _table(["", *_BUDGETS, "4k, 95 %", "retrieval p50 / p99"], rows)
    plot = _figure(1, [("share of the needed definitions that the context holds", draw)])
    return f"<h2>Whether it holds what a line needs</h2>{plot}{table}<p class='note'>Dotted: 91.4 %.</p>"


def _retrieval(runs: Sequence[Run]) -> str:
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
    plot = _figure(1, [("milliseconds of a query", draw)])
    return f"<h2>How fast it is found</h2>{plot}{_table(['', *keys], rows)}"


# -- pieces ----------------------------------------------------------------------------------------------------


def _figure(n_groups: int, panels: Sequence[tuple[str, Callable[[Any], None]]]) -> str:
    """Panels below each other as one inline SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 2.4 * n_groups), 3.0 * len(panels)), layout="constrained")
    for axes, (title, draw) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        draw(axes)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _with_interval(run: Run, name: str) -> str:
    if name not in run.summary:
        return ""
    return f"{run.summary[name]:+.3f} [{run.summary[f'{name}_low']:+.3f}, {run.summary[f'{name}_high']:+.3f}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{_code(cell)}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def _list(items: Iterable[str]) -> str:
    return f"<ul class='note'>{''.join(f'<li>{_code(item)}</li>' for item in items)}</ul>"


def _code(text: str) -> str:
    return html.escape(text)
