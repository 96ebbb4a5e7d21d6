"""`midfill eval next-edit`: is the change that follows from the last one offered, and nothing where none does?

On situations made of commits (`commits`), on the histories that thresholds are chosen on or on those held out, and on
recorded situations (`recorded`), where the recorded answers of other systems are replayed by the same code.

    score         delta_chrf times the harmonic mean of show_rate and quiet_rate
    delta_chrf    of situations in which something should follow: chrF of the changed lines, 0 where nothing is shown
    show_rate     of these, how many were shown something
    quiet_rate    of the others, how many were shown nothing
    exact         of what was shown in all of them, how much is what came, up to white space
    offered       of situations in which something should follow: how many were shown what came

Rules: of commits one answer a situation, the first of those offered; of recorded situations all of an answer, as of
the others, and again as often as they were asked. The engine is the product's (`completion.next_edit`).
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from completion.next_edit.edits import Layer, Proposal, applied
from completion.next_edit.judge import THRESHOLD, NextEdits, features, judge
from completion.next_edit.layer_one import proposals
from completion.next_edit.places import Region
from completion.next_edit.rewriting import Question, sweep_text
from evals.next_edit import commits
from evals.next_edit.asking import Author, open_author
from evals.next_edit.chrf import delta_chrf
from evals.next_edit.rated import Rated, rated
from evals.next_edit.recorded import SWEEP_FILE, recordings
from evals.next_edit.repositories import of_set
from evals.next_edit.situations import Situation, is_wanted, is_whole, with_edit
from evals.report import open_results
from evals.scoring.logistic import fit
from parsers.parse import parse

_OURS = "midfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run asks: the model (None: the rules alone) and its format, what is shown, and where results go."""

    model: str | None = None
    form: str = "auto"
    threshold: float = THRESHOLD
    out: Path | None = None
    resume: bool = False


def run_commits(folder: Path, which: str, limit: int, seed: int, asked: Asked) -> int:
    """Situations of commits: print the figures and the JSON line."""
    asyncio.run(_run_commits(folder, which, limit, seed, asked))
    return 0


async def _run_commits(folder: Path, which: str, limit: int, seed: int, asked: Asked) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with open_results("next-edit", asked.out, resume=asked.resume) as results:
        async with open_author(asked.model, asked.form) as author:
            for situation in _of_set(folder, which, limit, seed):
                row = results.resumed("next-edit", situation.id)
                if row is None:
                    row = await _row(situation, author, asked.threshold)
                    results.add(row)
                rows.append(row)
        about = {"set": which, **({"model": asked.model, "form": asked.form} if asked.model else {})}
        results.finish({"suite": "next-edit", **about, **summary(rows)})
    return rows


def _of_set(folder: Path, which: str, limit: int, seed: int) -> Iterator[Situation]:
    return (each for history in of_set(which) for each in commits.situations(history, folder, limit, seed))


def run_fit(folder: Path, limit: int, seed: int, asked: Asked) -> int:
    """Fit the judge on the chosen half, and print its weights."""
    rows = asyncio.run(_run_commits(folder, "chosen", limit, seed, asked))
    candidates = [each for row in rows for each in row["candidates"]]
    names = ["bias", *sorted({name for each in candidates for name in each["features"]} - {"bias"})]
    x = np.array([[each["features"].get(name, 0.0) for name in names] for each in candidates])
    weights = fit(x, np.array([each["wanted"] for each in candidates], dtype=float))
    print("WEIGHTS: dict[str, float] = {")
    for name, weight in zip(names, weights, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    return 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What midfill proposes in a situation, and offers: the rules', else the model's."""

    offered: NextEdits
    proposed: tuple[Proposal, ...]
    ms: float  # of the rules
    model_ms: float = 0.0
    n_regions: int = 0  # that the model was asked about


async def _answer(situation: Situation, author: Author, threshold: float) -> _Answer:
    began = time.perf_counter()
    tree = parse(situation.language, "\n".join(situation.lines))
    found = proposals(tree, situation.edits, situation.imports)
    ms = (time.perf_counter() - began) * 1e3
    offered = judge(found, situation.edits, situation.cursor, threshold=threshold)
    if offered.edits or not (n_regions := author.n_regions(situation)):
        return _Answer(offered, found, ms)
    began = time.perf_counter()
    said = await author.proposals(situation, tree)
    written = judge(said, situation.edits, situation.cursor, threshold=threshold)
    model_ms = (time.perf_counter() - began) * 1e3
    return _Answer(written if written.edits else offered, (*found, *said), ms, model_ms, n_regions)


async def _row(situation: Situation, author: Author, threshold: float) -> dict[str, Any]:
    """What was offered in one situation, and whether it came."""
    answer = await _answer(situation, author, threshold)
    row = row_of(situation, answer.offered.edits[0].proposal if answer.offered.edits else None)
    candidates = [
        {
            "layer": each.layer.value,
            "p": round(judge([each], situation.edits, situation.cursor, threshold=0.0).best, 4),
            "wanted": is_wanted(situation, each.line, each.old, each.new),
            "features": {
                name: round(value, 4) for name, value in features(each, situation.edits, situation.cursor).items()
            },
        }
        for each in answer.proposed
    ]
    times = {"ms": round(answer.ms, 2)}
    if answer.n_regions:
        times |= {"model_ms": round(answer.model_ms), "region_ms": round(answer.model_ms / answer.n_regions)}
    return {**row, **times, "reason": answer.offered.reason, "candidates": candidates}


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
        **_percentiles("ms", rows),
        **_percentiles("model_ms", rows),
        **_percentiles("region_ms", rows),
    }


def _percentiles(key: str, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    times = sorted(row[key] for row in rows if key in row)
    return {f"{key}_p50": times[len(times) // 2], f"{key}_p95": times[int(len(times) * 0.95)]} if times else {}


def _of_layer(layer: Layer, shown: Sequence[dict[str, Any]]) -> dict[str, int]:
    here = Counter(row["exact"] for row in shown if row["layer"] == layer)
    return {"shown": here.total(), "exact": here[True]}


def _share(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def run_recorded(folder: Path, asked: Asked) -> int:
    """Recorded situations: midfill and every system whose answers are there, by the same code."""
    rows = asyncio.run(_recorded(folder, asked))
    by_contender = {
        contender: summary([row for row in rows if row["contender"] == contender])
        for contender in sorted({row["contender"] for row in rows})
    }
    with open_results("next-edit", asked.out) as results:
        for row in rows:
            results.add(row)
        kept = ("score", "delta_chrf", "show_rate", "quiet_rate", "exact", "n_follow", "n_quiet")
        table = {name: {key: each[key] for key in kept} for name, each in by_contender.items()}
        figures = {**by_contender[_OURS], "sweep_prompts": _n_reproduced(folder), "contenders": table}
        results.finish({"suite": "next-edit", "set": "recorded", **figures})
    return 0


def run_rated(folder: Path, asked: Asked) -> int:
    """Recordings of VS Code: what people called an answer like midfill's."""
    rows = asyncio.run(_rated(list(rated(folder)), asked))
    with open_results("next-edit", asked.out) as results:
        for row in rows:
            results.add(row)
        counts = Counter(row["rating"] for row in rows)
        results.finish({"suite": "next-edit", "set": "rated", **summary(rows), "ratings": dict(counts)})
    return 0


async def _rated(situations: Sequence[Rated], asked: Asked) -> list[dict[str, Any]]:
    """What people called the buffer that the first of what is offered makes; "nothing" where nothing is offered."""
    rows: list[dict[str, Any]] = []
    async with open_author(asked.model, asked.form) as author:
        for each in situations:
            edits = (await _answer(each.situation, author, asked.threshold)).offered.edits
            after = applied(each.situation.lines, edits[0].proposal) if edits else each.situation.lines
            rating = each.rating(after) if edits else "nothing"
            layer = edits[0].proposal.layer.value if edits else ""
            rows.append({**_replayed(each.situation, after, _OURS), "layer": layer, "rating": rating})
    return rows


def _n_reproduced(folder: Path) -> dict[str, int]:
    """How many of the prompts that Sweep's models were recorded with are ours, byte for byte."""
    counts = {"recorded": 0, "reproduced": 0}
    for recording in recordings(folder):
        ours = {sweep_text(_question(situation), SWEEP_FILE) for situation in recording.situations}
        counts["recorded"] += len(recording.prompts)
        counts["reproduced"] += sum(prompt in ours for prompt in recording.prompts)
    return counts


def _question(situation: Situation) -> Question:
    return Question(
        path=situation.path,
        language=situation.language,
        lines=situation.lines,
        edits=situation.edits,
        region=Region(0, len(situation.lines), 0.0),
        line=situation.cursor,
        column=situation.column,
    )


async def _recorded(folder: Path, asked: Asked) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with open_author(asked.model, asked.form) as author:
        for recording in recordings(folder):
            for situation in recording.situations:
                after, layer = await _accepted(situation, author, asked.threshold, recording.n_requests)
                rows.append({**_replayed(situation, after, _OURS), "layer": layer})
            for contender, buffers in recording.answers.items():
                for situation, buffer in zip(recording.situations, buffers, strict=False):
                    rows.append(_replayed(situation, buffer, contender))
    return rows


async def _accepted(
    situation: Situation, author: Author, threshold: float, n_requests: int
) -> tuple[tuple[str, ...], str]:
    """The buffer when all that is offered is taken, as often as others were asked; and the layer of the first of it."""
    layer = ""
    for _ in range(n_requests):
        offered = (await _answer(situation, author, threshold)).offered
        if not offered.edits:
            break
        layer = layer or offered.edits[0].proposal.layer.value
        # From the file's end on, so that the places of those that are left stay.
        for judged in sorted(offered.edits, key=lambda each: -each.proposal.line):
            situation = with_edit(situation, judged.proposal)
    return situation.lines, layer


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
