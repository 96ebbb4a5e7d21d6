"""`midfill bench ablation --out DIR`: what each mechanism is worth to a user who types, in one table.

    bench typing with everything -> without each of `completion.switches` -> with everything once more

Each run is a `bench typing` of its own, midfill alone, in DIR as NAME.jsonl; a run that is there is not done again, one
that was cut off goes on. Differences are paired by edit, with bootstrap intervals, "without" minus "with everything":
a mechanism pays where completed is below zero, or noise above. The second run with everything says what no difference
looks like on this machine.

Rules: nothing is measured here; what acts on invoked requests alone is left out, since the typist sends none.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from completion.switches import Switch
from evals.report import EvalError, open_results, read_all_results
from evals.typing.figures import Tally, tally
from evals.typing.outcomes import SUITE
from evals.typing.report import OURS
from tuning.stats import Interval, ratio_interval

EVERYTHING, AGAIN = "everything", "everything-again"
_ONLY_ASKED = frozenset((Switch.BELOW_HEADER,))
_HEAD = ("without", "completed", "Δ completed", "noise", "Δ noise", "right in whole", "ghost p50 ms", "CPU s")
Start = Callable[[Sequence[str]], int]


def _started(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-I", "-m", "lsp_server.cli", *arguments], check=False).returncode


def run(arguments: Sequence[str], names: Sequence[str], folder: Path, start: Start = _started) -> int:
    """Do what is missing, each with these arguments of `bench typing`; print the table, and keep it in table.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    switches = list(map(Switch, names)) or [switch for switch in Switch if switch not in _ONLY_ASKED]
    runs: dict[str, list[str]] = {EVERYTHING: []} | {switch: ["--without", switch] for switch in switches} | {AGAIN: []}
    for number, (name, without) in enumerate(runs.items(), 1):
        print(f"{name}: {number} of {len(runs)}", flush=True)
        play(folder / f"{name}.jsonl", [*arguments, *without], start)
    rows = rows_of(folder, list(runs))
    print(markdown(rows))
    with open_results("ablation", folder / "table.jsonl") as results:
        for row in rows:
            results.add(row)
        results.finish({"suite": "ablation", "n": len(rows), "arguments": list(arguments)})
    return 0


def play(out: Path, arguments: Sequence[str], start: Start) -> None:
    """Have a run's file finished: nothing where it is; EvalError where the run fails."""
    resume: list[str] = []
    if out.is_file() and out.stat().st_size:
        if read_all_results(out)[1] is not None:
            return
        resume = ["--resume"]
    if code := start(["bench", SUITE, "--no-peer", "--out", str(out), *arguments, *resume]):
        raise EvalError(f"{out.stem} ended with code {code}: the same command goes on with it")


def rows_of(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each run, against the first; EvalError where a run is not of the same edits."""
    with_all: dict[str, Tally] = {}
    rows = []
    for name in names:
        examples, summary = read_all_results(folder / f"{name}.jsonl")
        tallies = {f"{row['history']} {row['edit']}": tally(row) for row in examples if _counts(row)}
        with_all = with_all or tallies
        if tallies.keys() != with_all.keys():
            raise EvalError(f"{name} has other edits than {names[0]}: use another --out, or the same arguments")
        rows.append(
            {"id": name, "score": (summary or {}).get("completed_share"), **_row(summary or {}, with_all, tallies)}
        )
    return rows


def _counts(row: Mapping[str, Any]) -> bool:
    return bool(row.get("contender") == OURS and row["n_typed"])


def _row(summary: Mapping[str, Any], a: Mapping[str, Tally], b: Mapping[str, Tally]) -> dict[str, Any]:
    keys = ("completed_share", "noise", "right_share", "ghost_p50_ms", "cpu_s")
    found: dict[str, Any] = {key: summary.get(key) for key in keys}
    for name, count, factor in (("completed", "completed", 1.0), ("noise", "n_wrong_characters", 100.0)):
        difference = difference_of(a, b, count, factor)
        found |= {f"{name}_difference": difference.mean}
        found |= {f"{name}_difference_low": difference.low, f"{name}_difference_high": difference.high}
    return found


def difference_of(a: Mapping[str, Tally], b: Mapping[str, Tally], count: str, factor: float) -> Interval:
    """b minus a, of a count for each character wished, over the same edits."""
    more = [factor * (getattr(b[edit], count) - getattr(a[edit], count)) for edit in a]
    return ratio_interval(more, [float(a[edit].wished) for edit in a])


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table, for the documents."""
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    for row in rows:
        cells = [
            row["id"],
            _number(row["completed_share"], 3),
            _difference(row, "completed", 3),
            _number(row["noise"], 1),
            _difference(row, "noise", 1),
            _number(row["right_share"], 2),
            _number(row["ghost_p50_ms"], 0),
            _number(row["cpu_s"], 0),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None, n_digits: int) -> str:
    return "" if value is None else f"{value:.{n_digits}f}"


def _difference(row: Mapping[str, Any], name: str, n_digits: int) -> str:
    mean, low, high = (f"{row[f'{name}_difference{end}']:+.{n_digits}f}" for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"
