"""The part of a page about completions: figures of each suite and language, and every example. Used by `page`.

Rules: only what the results lines hold is shown. An example is green when its test passed or, without a test, when
its text is the true one; the buttons choose which are to be seen.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evals.pages.parts import Run, escaped, figure, listed, table
from evals.pages.published_figures import (
    EXACT_MATCH,
    LANGUAGES,
    OTHER_TASKS,
    OURS,
    PASS_AT_1,
    SPLITS,
    Published,
)
from evals.report import EvalError
from evals.scoring.figures import by_suite, grouped, with_interval
from evals.suites.humaneval_infilling import ABOUT, SUITE

_MEASURES = (
    ("pass_at_1", "pass@1", "#009E73"),
    ("exact_match", "exact match", "#0072B2"),
    ("edit_similarity", "edit similarity", "#56B4E9"),
    ("new_parse_error_rate", "new parse errors", "#D55E00"),
)
_HEAD = ("n", "shown", "pass@1", "executed", "exact match", "edit similarity", "new parse errors", "of the truth")
_FILTERS = {"all": "all", "passed": "right", "failed": "wrong", "broken": "new parse error", "unshown": "nothing shown"}
_SCRIPT = """
function choose(button, name) {
  for (const example of button.closest('section').querySelectorAll('.example'))
    example.classList.toggle('hidden', name !== 'all' && !example.classList.contains(name));
}
"""

Row = Mapping[str, Any]


def section(runs: Sequence[Run]) -> str:
    """A part for each run; EvalError when a results file is older than what is shown here."""
    return "".join(_run(run) for run in runs) + f"<script>{_SCRIPT}</script>"


def _run(run: Run) -> str:
    try:
        suites = by_suite(run.examples)
        examples = "".join(
            _examples(suite, rows) for suite, rows in grouped(run.examples, lambda row: str(row["suite"])).items()
        )
    except KeyError as error:
        raise EvalError(f"{run.name}: its examples have no {error}: run its suite again") from error
    languages = "".join(_languages(suite, found) for suite, found in suites.items())
    buttons = " ".join(f"<button onclick=\"choose(this, '{name}')\">{say}</button>" for name, say in _FILTERS.items())
    unfit = listed(f"not executed: {n} examples ({reason})" for reason, n in run.summary.get("unfit", {}).items())
    return (
        f"<section><h2>{escaped(str(run.summary['suite']))}: {escaped(run.title)}</h2>{_facts(run)}"
        f"{_suites(suites)}{_published(run, suites)}{languages}{unfit}"
        f"<h3>Examples</h3><p>{buttons}</p>{examples}</section>"
    )


def _facts(run: Run) -> str:
    keys = ("engine", "format", "line_format", "block_format", "half", "minutes", "tree", "seed")
    said = [f"{key} {run.summary[key]}" for key in keys if run.summary.get(key) not in (None, "")]
    said += [f"{name}: {seconds:.1f} s each" for name, seconds in run.summary.get("seconds_per_example", {}).items()]
    return f"<p class='note'>{escaped('; '.join(said))}</p>"


def _suites(suites: Mapping[str, Row]) -> str:
    plot = figure(len(suites), [("by suite", lambda axes: _bars(axes, suites))])
    said = listed(f"{suite}: {ABOUT[suite]}" for suite in suites if suite in ABOUT)
    return plot + table(["suite", *_HEAD], ([suite, *_cells(found)] for suite, found in suites.items())) + said


def _published(run: Run, suites: Mapping[str, Row]) -> str:
    """What was published of other models on the same tasks, beside ours; "" where none of these was run."""
    ours = [suites.get(f"{SUITE}-{split}", {}) for split in SPLITS]
    if not any(ours):
        return ""
    own = [
        [
            f"{run.summary.get('model', 'ours')} (ours, {name})",
            "",
            *(with_interval(found, key, 3) for found in ours),
            "",
        ]
        for key, name in (("pass_at_1", "pass@1"), ("exact_match", "exact match"))
    ]
    head = ("model", "parameters", *SPLITS, "source")
    others = ("model", "parameters", *LANGUAGES, "source")
    return (
        f"<h3>Beside published figures (pass@1)</h3><p class='note'>{escaped(OURS)}</p>"
        f"{table(head, [*own, *map(_published_cells, PASS_AT_1)])}"
        f"<h3>Exact match of single lines, as published</h3><p class='note'>{escaped(OTHER_TASKS)}</p>"
        f"{table(others, map(_published_cells, EXACT_MATCH))}{_sources((*PASS_AT_1, *EXACT_MATCH))}"
    )


def _published_cells(row: Published) -> list[str]:
    figures = ("" if figure is None else f"{figure:.3f}" for figure in row.figures)
    return [row.model, row.parameters, *figures, row.source.place]


def _sources(rows: Sequence[Published]) -> str:
    sources = dict.fromkeys(row.source for row in rows)
    return listed(f"{source.place}: {source.name}; {source.method}" for source in sources)


def _languages(suite: str, found: Row) -> str:
    languages = found["languages"]
    if len(languages) < 2:
        return ""
    plot = figure(len(languages) // 3, [(suite, lambda axes: _bars(axes, languages))])
    rows = table(["language", *_HEAD], ([name, *_cells(row)] for name, row in languages.items()))
    return f"<h3>{escaped(suite)} by language</h3>{plot}<details><summary>table</summary>{rows}</details>"


def _bars(axes: Any, groups: Mapping[str, Row]) -> None:
    """A group of bars for each suite or language, with intervals; a figure that does not exist has no bar."""
    for index, (key, name, color) in enumerate(_MEASURES):
        having = [(at, found) for at, found in enumerate(groups.values()) if key in found]
        means = [found[key] for _, found in having]
        below = [max(0.0, found[key] - found[f"{key}_low"]) for _, found in having]
        above = [max(0.0, found[f"{key}_high"] - found[key]) for _, found in having]
        places = [at + 0.2 * (index - 1.5) for at, _ in having]
        axes.bar(places, means, 0.18, yerr=[below, above], label=name, color=color, ecolor="#444444")
    axes.set_xticks(range(len(groups)), list(groups), fontsize=7, rotation=20 if len(groups) < 8 else 90)
    axes.set_ylim(0, 1.15)  # the legend stands above the bars
    axes.legend(fontsize=7, frameon=False, ncols=len(_MEASURES))


def _cells(found: Row) -> list[str]:
    return [
        str(found["n"]),
        str(found["n_shown"]),
        with_interval(found, "pass_at_1", 2),
        str(found["n_executed"]),
        *(with_interval(found, key, 2) for key, _, _ in _MEASURES[1:]),
        with_interval(found, "truth_new_parse_error_rate", 2),
    ]


def _examples(suite: str, rows: Sequence[Row]) -> str:
    shown = "".join(_example(row) for row in sorted(rows, key=lambda row: str(row["language"])))
    return f"<details><summary>{escaped(suite)}: {len(rows)} examples</summary>{shown}</details>"


def _example(row: Row) -> str:
    """One example: closed, its verdict; open, the end of the prompt, what was written there, the truth, and why."""
    right = bool(row["score"])
    classes = ["example", "passed" if right else "failed"]
    classes += ["broken"] if row["new_parse_error"] else []
    classes += [] if row["shown"] else ["unshown"]
    test = {None: "not executed", True: "test passed", False: f"test failed: {row['error']}"}[row["passed"]]
    said = [
        row["outcome"] + (f" ({row['reason']})" if row["reason"] else ""),
        test + (f" ({row['unfit']})" if row["unfit"] else ""),
        "exact" if row["exact"] else f"similarity {row['similarity']:.2f}",
        *(["adds a parse error"] if row["new_parse_error"] else []),
        f"{row['timings_ms'].get('total', 0):.0f} ms",
    ]
    first = str(row["completion"]).strip().split("\n")[0][:80]
    code = f"{escaped(row['before'])}<ins>{escaped(row['completion'])}</ins>{escaped(row['after'])}"
    return (
        f"<details class='{' '.join(classes)}'><summary>{'✓' if right else '✗'} {escaped(row['language'])} "
        f"{escaped(row['id'])} <code>{escaped(first)}</code></summary><p class='note'>{escaped('; '.join(said))}</p>"
        f"<pre>{code}</pre><h4>truth</h4><pre>{escaped(row['truth'])}</pre>"
        f"<h4>as generated</h4><pre>{escaped(row['raw'])}</pre></details>"
    )
