"""`midfill eval page RESULTS...`: an HTML page with tables, plots and examples of what the results files hold.

Sections are in `page_context` (`repo`, `recall`, `retrieval`) and `page_quality` (all suites that generate),
`calibration` and `typing`.

Rules: only what the results files hold is shown, with their machine and commit; the page has everything in itself and
fetches nothing. Intervals are 95 % bootstrap intervals over examples (`stats`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evals.pages import calibration, context, quality, typing
from evals.pages.parts import Run, listed, read_run
from evals.report import EvalError

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd }
td { text-align: right } td:first-child, th:first-child, td.text { text-align: left }
td.text, code, pre { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.good { background: #e6f4ea } .note { color: #666; font-size: 13px } svg { max-width: 100%; height: auto }
.example { border-left: 4px solid #ccc; margin: .2em 0; padding-left: .6em } .example summary { cursor: pointer }
.passed { border-color: #009E73 } .failed { border-color: #D55E00 } ins { background: #fff3b0; text-decoration: none }
.hidden { display: none } pre { background: #f7f7f7; padding: .5em; margin: .3em 0 } h4 { margin: .6em 0 .2em }
"""


# What the summary of a run calls its suite, up to the section that shows it.
_SECTIONS: dict[str, Callable[[Sequence[Run]], str]] = {
    "all": quality.section,
    "mceval": quality.section,
    "humaneval-infilling-single-line": quality.section,
    "humaneval-infilling-multi-line": quality.section,
    "humaneval-infilling-random-span": quality.section,
    "humaneval-infilling-random-span-light": quality.section,
    "humaneval-infilling": quality.section,
    "humaneval-bodies": quality.section,
    "lines": quality.section,
    "calibration": calibration.section,
    "typing": typing.section,
    "repo": context.repo,
    "recall": context.recall,
    "retrieval": context.retrieval,
}


def run(paths: Sequence[Path], out: Path) -> int:
    """Write the page and say where."""
    write(paths, out)
    print(f"page: {out}")
    return 0


def write(paths: Sequence[Path], out: Path) -> None:
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


def page(runs: Sequence[Run]) -> str:
    """The whole page."""
    unknown = sorted({str(run.summary.get("suite")) for run in runs} - _SECTIONS.keys())
    if unknown:
        raise EvalError(f"no page for {', '.join(unknown)}: give results of {', '.join(_SECTIONS)}")
    body = "".join(
        section(chosen)
        for section in dict.fromkeys(_SECTIONS.values())
        if (chosen := [run for run in runs if _SECTIONS[run.summary["suite"]] is section])
    )
    made = listed(f"{run.title}: commit {run.summary['commit']}, {_machine(run)}, n = {_n(run)}" for run in runs)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>midfill: evals</title>"
        f"<style>{_STYLE}</style><h1>midfill: evals</h1>{body}<h2>Made of</h2>{made}</html>\n"
    )


def _n(run: Run) -> Any:
    return run.summary.get("n", len(run.examples))


def _machine(run: Run) -> str:
    machine = run.summary["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores"
