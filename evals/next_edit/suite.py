"""`midfill eval next-edit`: is the change that follows from the last one offered, and nothing where none does?

On situations made of commits (`commits`), on the histories that thresholds are chosen on or on those held out, and on
recorded situations (`recorded`), where the recorded answers of other systems are replayed by the same code.

    score         delta_chrf times the harmonic mean of show_rate and quiet_rate
    delta_chrf    of situations in which something should follow: chrF of the changed lines, 0 where nothing is shown
    show_rate     of these, how many were shown something
    quiet_rate    of the others, how many were shown nothing
    exact         of what was shown in all of them, how much is what came, up to white space
    offered       of situations in which something should follow: how many were shown what came

Rules: one answer a situation, the first of those offered. The engine is the product's (`completion.next_edit`).
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from completion.next_edit.edits import Layer, Proposal, applied
from completion.next_edit.judge import THRESHOLD, features, judge
from completion.next_edit.layer_one import proposals
from evals.next_edit import commits
from evals.next_edit.chrf import delta_chrf
from evals.next_edit.recorded import recordings
from evals.next_edit.situations import Situation, is_wanted, is_whole
from evals.replay.histories import of_set
from evals.report import open_results
from evals.scoring.logistic import fit
from parsers.parse import parse

_OURS = "midfill"


def run_commits(folder: Path, which: str, limit: int, seed: int, out: Path | None, *, threshold: float | None) -> int:
    """Situations of commits: print the figures and the JSON line."""
    found = [each for history in of_set(which) for each in commits.situations(history, folder, limit, seed)]
    rows = [_row(situation, THRESHOLD if threshold is None else threshold) for situation in found]
    with open_results("next-edit", out) as results:
        for row in rows:
            results.add(row)
        results.finish({"suite": "next-edit", "set": which, **summary(rows)})
    return 0


def run_fit(folder: Path, limit: int, seed: int) -> int:
    """Fit the judge on the chosen half, print its weights, and what each threshold would show on that half."""
    found = [each for history in of_set("chosen") for each in commits.situations(history, folder, limit, seed)]
    known: list[dict[str, float]] = []
    wanted: list[bool] = []
    for situation in found:
        for proposal in _proposed(situation):
            known.append(features(proposal, situation.edits, situation.cursor))
            wanted.append(is_wanted(situation, proposal.line, proposal.old, proposal.new))
    names = ["bias", *sorted({name for each in known for name in each} - {"bias"})]
    x = np.array([[each.get(name, 0.0) for name in names] for each in known])
    weights = fit(x, np.array(wanted, dtype=float))
    print("WEIGHTS: dict[str, float] = {")
    for name, weight in zip(names, weights, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    return 0


def _proposed(situation: Situation) -> tuple[Proposal, ...]:
    return proposals(parse(situation.language, "\n".join(situation.lines)), situation.edits, situation.imports)


def _row(situation: Situation, threshold: float) -> dict[str, Any]:
    """What was offered in one situation, and whether it came."""
    began = time.perf_counter()
    found = _proposed(situation)
    took_ms = (time.perf_counter() - began) * 1e3
    answer = judge(found, situation.edits, situation.cursor, threshold=threshold)
    row = row_of(situation, answer.edits[0].proposal if answer.edits else None)
    candidates = [
        {
            "layer": each.layer.value,
            "p": round(judge([each], situation.edits, situation.cursor, threshold=0.0).best, 4),
            "wanted": is_wanted(situation, each.line, each.old, each.new),
        }
        for each in found
    ]
    return {**row, "ms": round(took_ms, 2), "reason": answer.reason, "candidates": candidates}


def row_of(situation: Situation, shown: Proposal | None, contender: str = _OURS) -> dict[str, Any]:
    """The figures of one answer; None: nothing was shown."""
    exact = shown is not None and is_wanted(situation, shown.line, shown.old, shown.new)
    chrf = 0.0
    if shown is not None and situation.wanted:
        after = applied(situation.lines, shown)
        chrf = max(delta_chrf(situation.lines, after, _with(situation, n)) for n in range(len(situation.wanted)))
    return {
        "id": situation.id,
        "suite": "next-edit",
        "contender": contender,
        "source": situation.source,
        "kind": "follow" if situation.wanted else "quiet",
        "shown": shown is not None,
        "layer": shown.layer.value if shown is not None else "",
        "exact": exact,
        "whole": shown is not None and is_whole(situation, shown.line, shown.old, shown.new),
        "delta_chrf": chrf,
        "score": float(exact if situation.wanted else shown is None),
    }


def _with(situation: Situation, number: int) -> list[str]:
    """The file after one of the wanted edits."""
    edit = situation.wanted[number]
    lines = situation.lines
    return [*lines[: edit.line], *edit.new, *lines[edit.line + len(edit.old) :]]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All figures of some answers."""
    follow = [row for row in rows if row["kind"] == "follow"]
    quiet = [row for row in rows if row["kind"] == "quiet"]
    shown = [row for row in rows if row["shown"]]
    show_rate, quiet_rate = _share(row["shown"] for row in follow), _share(not row["shown"] for row in quiet)
    chrf = statistics.fmean(row["delta_chrf"] for row in follow) if follow else 0.0
    both = 2 * show_rate * quiet_rate / (show_rate + quiet_rate) if show_rate + quiet_rate else 0.0
    times = sorted(row["ms"] for row in rows if "ms" in row)
    layers = {layer.value: _of_layer(layer, shown) for layer in Layer if any(row["layer"] == layer for row in shown)}
    return {
        "n_follow": len(follow),
        "n_quiet": len(quiet),
        "score": chrf * both,
        "delta_chrf": chrf,
        "show_rate": show_rate,
        "quiet_rate": quiet_rate,
        "n_shown": len(shown),
        "exact": _share(row["exact"] for row in shown),
        "whole": _share(row["whole"] for row in shown),
        "offered": _share(row["exact"] for row in follow),
        "by_layer": layers,
        **({"ms_p50": times[len(times) // 2], "ms_p95": times[int(len(times) * 0.95)]} if times else {}),
    }


def _of_layer(layer: Layer, shown: Sequence[dict[str, Any]]) -> dict[str, int]:
    here = Counter(row["exact"] for row in shown if row["layer"] == layer)
    return {"shown": here.total(), "exact": here[True]}


def _share(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def run_recorded(folder: Path, out: Path | None, *, threshold: float | None) -> int:
    """Recorded situations: midfill and every system whose answers are there, by the same code."""
    rows: list[dict[str, Any]] = []
    for recording in recordings(folder):
        for situation in recording.situations:
            answer = judge(
                _proposed(situation),
                situation.edits,
                situation.cursor,
                threshold=THRESHOLD if threshold is None else threshold,
            )
            shown = answer.edits[0].proposal if answer.edits else None
            after = applied(situation.lines, shown) if shown is not None else situation.lines
            rows.append({**_replayed(situation, after, _OURS), "layer": shown.layer.value if shown else ""})
        for contender, buffers in recording.answers.items():
            for situation, buffer in zip(recording.situations, buffers, strict=False):
                rows.append(_replayed(situation, buffer, contender))
    by_contender = {
        contender: summary([row for row in rows if row["contender"] == contender])
        for contender in sorted({row["contender"] for row in rows})
    }
    with open_results("next-edit", out) as results:
        for row in rows:
            results.add(row)
        kept = ("score", "delta_chrf", "show_rate", "quiet_rate", "exact", "n_follow", "n_quiet")
        table = {name: {key: each[key] for key in kept} for name, each in by_contender.items()}
        results.finish({"suite": "next-edit", "set": "recorded", **by_contender[_OURS], "contenders": table})
    return 0


def _replayed(situation: Situation, after: Sequence[str], contender: str) -> dict[str, Any]:
    """The figures of an answer as a whole buffer."""
    is_shown = list(after) != list(situation.lines)
    exact = is_shown and list(after) == list(situation.expected)
    return {
        "id": f"{contender} {situation.id}",
        "suite": "next-edit",
        "contender": contender,
        "source": situation.source,
        "kind": "follow" if situation.expected else "quiet",
        "shown": is_shown,
        "layer": "",
        "exact": exact,
        "whole": exact,
        "delta_chrf": delta_chrf(situation.lines, after, situation.expected)
        if situation.expected and is_shown
        else 0.0,
        "score": float(exact if situation.expected else not is_shown),
    }
