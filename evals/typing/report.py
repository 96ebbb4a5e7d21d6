"""The table and the JSON keys of `midfill bench typing`. Used by `typing_bench`.

Rules: every share is a ratio of sums, with the bootstrap interval over edits; ratios between contenders are over the
edits that both have typed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from evals.typing.figures import LOST, Row, Tally, tally, total
from tuning.stats import Interval, ratio_difference, ratio_interval, ratio_of_ratios

OURS, PEER = "midfill", "llama.vim"
_RESAMPLES = 1_000
_BOUNDLESS = 1e9
# Figure -> (numerator, denominator, factor).
SHARES = {
    "completed_share": ("completed", "wished", 1.0),
    "noise": ("n_wrong_characters", "wished", 100.0),
    "right_share": ("n_right", "n_seen", 1.0),
    "right_line_share": ("n_right_line", "n_seen", 1.0),
    "right_word_share": ("n_right_word", "n_seen", 1.0),
    "in_time_share": ("n_useful_in_time", "n_useful", 1.0),
}


def summary_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON keys: those of ours bare, those of the peer with a suffix, ratios; all of it by language and by half."""
    by_language: dict[str, list[Row]] = {}
    by_half: dict[str, list[Row]] = {}
    for row in rows:
        by_language.setdefault(row["language"], []).append(row)
        by_half.setdefault("held-out" if row["held_out"] else "chosen", []).append(row)
    return {
        **keys_of(rows),
        "by_language": {name: keys_of(those) for name, those in by_language.items()},
        "by_half": {name: keys_of(those) for name, those in by_half.items()},
    }


def keys_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of some rows."""
    tallies = {name: _tallies(rows, name) for name in (OURS, PEER)}
    keys: dict[str, Any] = {}
    for name, suffix in ((OURS, ""), (PEER, "_llamavim")):
        if those := list(tallies[name].values()):
            keys |= {f"{key}{suffix}": value for key, value in _figures(those).items()}
    both = [edit for edit in tallies[OURS] if edit in tallies[PEER]]
    ours, peer = ([tallies[name][edit] for edit in both] for name in (OURS, PEER))
    if ours:
        for figure in ("completed_share", "noise", "right_share"):
            above, below, factor = SHARES[figure]
            a, b = ((_of(each, above), _of(each, below)) for each in (ours, peer))
            if total(ours, below) == 0 or total(peer, below) == 0:
                continue
            keys |= _spread(f"{figure}_difference", _scaled(ratio_difference(a, b), factor))
            if total(peer, above):
                keys |= _spread(f"{figure}_ratio", ratio_of_ratios(a, b))
        for figure in ("ghost_p50_ms", "ghost_p95_ms"):
            if keys.get(f"{figure}_llamavim"):
                keys[f"{figure}_ratio"] = keys[figure] / keys[f"{figure}_llamavim"]
    return keys


def _tallies(rows: Sequence[Row], contender: str) -> dict[str, Tally]:
    """By edit; those without a key are left out."""
    return {
        f"{row['history']} {row['edit']}": tally(row)
        for row in rows
        if row["contender"] == contender and row["n_typed"]
    }


def _of(tallies: Sequence[Tally], name: str) -> list[float]:
    return [float(getattr(each, name)) for each in tallies]


def _figures(tallies: Sequence[Tally]) -> dict[str, Any]:
    keys: dict[str, Any] = {"n_edits": len(tallies), "n_wished": int(total(tallies, "wished"))}
    for figure, (above, below, factor) in SHARES.items():
        if total(tallies, below):
            found = ratio_interval(_of(tallies, above), _of(tallies, below))
            keys |= _spread(figure, _scaled(found, factor))
    wished, seconds = total(tallies, "wished"), total(tallies, "seconds")
    keys |= {
        "saved_share": (total(tallies, "completed") - total(tallies, "n_accepts")) / max(1.0, wished),
        "characters_a_minute": 60 * wished / seconds if seconds else 0.0,
        "characters_a_minute_alone": 60 * total(tallies, "alone_keys") / (total(tallies, "alone_s") or 1.0),
        "n_ghosts": int(total(tallies, "n_ghosts")),
        "n_seen": int(total(tallies, "n_seen")),
        "n_accepts": int(total(tallies, "n_accepts")),
        "n_computed": int(total(tallies, "n_computed")),
        "before_next_key_share": total(tallies, "n_in_time") / max(1.0, total(tallies, "n_computed")),
        "cpu_s": total(tallies, "cpu_s"),
        **_waits(tallies),
        **_stages(tallies),
        "lost": {reason: sum(each.lost[reason] for each in tallies) for reason in LOST},
    }
    return keys


def _scaled(found: Interval, factor: float) -> Interval:
    return Interval(factor * found.mean, factor * found.low, factor * found.high)


def _spread(name: str, found: Interval) -> dict[str, float]:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def _waits(tallies: Sequence[Tally], seed: int = 0) -> dict[str, float]:
    """Percentiles of the waits for computed keys; edits are resampled."""
    waits = [np.asarray(each.waits_ms) for each in tallies]
    if not (n := sum(map(len, waits))):
        return {}
    draw = np.random.default_rng(seed)
    resampled = []
    for _ in range(_RESAMPLES):
        chosen = np.concatenate([waits[index] for index in draw.integers(len(waits), size=len(waits))])
        if len(chosen):
            resampled.append(np.percentile(chosen, (50, 95)))
    every = np.concatenate(waits)
    assert len(every) == n
    keys: dict[str, float] = {}
    for column, percent in enumerate((50, 95)):
        low, high = np.quantile([row[column] for row in resampled], (0.025, 0.975))
        mean = float(np.percentile(every, percent))
        keys |= _spread(f"ghost_p{percent}_ms", Interval(mean, float(low), float(high)))
    return keys


def _stages(tallies: Sequence[Tally]) -> dict[str, dict[str, float]]:
    """What a computed key costs, stage by stage: the mean, so that the stages add up."""
    by_stage: dict[str, list[float]] = {}
    for each in tallies:
        for stage, ms in each.stages_ms.items():
            by_stage.setdefault(stage, []).extend(ms)
    return {"stages_ms": {stage: float(np.mean(ms)) for stage, ms in by_stage.items()}} if by_stage else {}


def table_of(rows: Sequence[Row], title: str) -> Table:
    """Both contenders, one figure a line."""
    keys = keys_of(rows)
    table = Table(title=title)
    for column in ("", OURS, PEER, "ratio", "difference"):
        table.add_column(column, justify="right")
    for figure in SHARES:
        table.add_row(figure, *(cell(keys, figure, suffix) for suffix in ("", "_llamavim", "_ratio", "_difference")))
    for figure in ("ghost_p50_ms", "ghost_p95_ms"):
        cells = [cell(keys, figure, suffix, 0) for suffix in ("", "_llamavim")]
        table.add_row(figure, *cells, cell(keys, figure, "_ratio"))
    for figure in ("saved_share", "characters_a_minute", "characters_a_minute_alone", "before_next_key_share"):
        table.add_row(figure, *(cell(keys, figure, suffix) for suffix in ("", "_llamavim")))
    for figure in ("n_edits", "n_wished", "n_ghosts", "n_seen", "n_accepts", "n_computed", "cpu_s"):
        table.add_row(figure, *(cell(keys, figure, suffix, 0) for suffix in ("", "_llamavim")))
    for stage, ms in keys.get("stages_ms", {}).items():
        table.add_row(f"{stage}, ms", f"{ms:.1f}", "", "")
    for reason in LOST:
        values = [keys.get(f"lost{suffix}", {}).get(reason) for suffix in ("", "_llamavim")]
        table.add_row(f"lost: {reason}", *("" if value is None else str(value) for value in values))
    return table


def cell(keys: Mapping[str, Any], figure: str, suffix: str, n_digits: int = 3) -> str:
    """A figure with its interval; "" if there is none."""
    if (value := keys.get(f"{figure}{suffix}")) is None:
        return ""
    low, high = (
        keys.get(f"{figure}_{end}{suffix}" if suffix in ("", "_llamavim") else f"{figure}{suffix}_{end}")
        for end in ("low", "high")
    )
    text = f"{value:.{n_digits}f}"
    if low is None or high is None:
        return text
    most = f"{high:.{n_digits}f}" if high < _BOUNDLESS else "∞"  # where a resample of the peer's has nothing
    return f"{text} [{low:.{n_digits}f}, {most}]"
