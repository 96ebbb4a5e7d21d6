"""Figures of a set of results lines, as a table for people and as keys of the JSON line. Used by the suites.

Rules: every mean has its 95 % bootstrap interval, `<name>_low` and `<name>_high`. A figure without examples is left
out, never 0: pass@1 counts what was executed, new parse errors what was shown and has a grammar.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tuning.stats import Interval, mean_interval

# (key of the JSON line, key of a results line)
_MEASURES = (
    ("pass_at_1", "passed"),
    ("exact_match", "exact"),
    ("edit_similarity", "similarity"),
    ("new_parse_error_rate", "new_parse_error"),
    ("new_parse_error_as_is_rate", "new_parse_error_as_is"),
    ("truth_new_parse_error_rate", "truth_new_parse_error"),
)
_HEADS = {
    "pass_at_1": "pass@1",
    "exact_match": "exact",
    "edit_similarity": "similarity",
    "new_parse_error_rate": "new errors",
}
Records = Sequence[Mapping[str, Any]]


def measured(records: Records, measure: str) -> Interval | None:
    """The mean of a key of the results lines, over those that have it; None when none has."""
    values = [float(record[measure]) for record in records if record.get(measure) is not None]
    return mean_interval(values) if values else None


def figures(records: Records) -> dict[str, Any]:
    """n, n_shown, n_executed, and every measure with its interval."""
    found: dict[str, Any] = {
        "n": len(records),
        "n_shown": sum(record["shown"] for record in records),
        "n_executed": sum(record["passed"] is not None for record in records),
    }
    for name, measure in _MEASURES:
        if (interval := measured(records, measure)) is not None:
            found |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found


def grouped(records: Records, key: Callable[[Mapping[str, Any]], str]) -> dict[str, list[Mapping[str, Any]]]:
    """The records by a key, in the order in which the keys come first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def by_suite(records: Records) -> dict[str, Any]:
    """Figures of each suite, and of each language in it under "languages"."""
    return {
        suite: figures(chosen)
        | {"languages": {name: figures(rows) for name, rows in sorted(grouped(chosen, _language).items())}}
        for suite, chosen in grouped(records, lambda record: str(record["suite"])).items()
    }


def print_table(suites: Mapping[str, Any]) -> None:
    """What `by_suite` found: of each suite its languages, and all of it with the intervals."""
    for suite, total in suites.items():
        table = Table(title=suite, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for head in ("language", "n", "shown", "run", *_HEADS.values()):
            table.add_column(head, justify="left" if head == "language" else "right")
        for language, found in total["languages"].items():
            table.add_row(language, *_cells(found))
        table.add_section()
        table.add_row("all", *_cells(total), style="bold")
        table.add_row("95 %", "", "", "", *(_range(total, name) for name in _HEADS))
        Console().print(table)


def with_interval(found: Mapping[str, Any], name: str, digits: int = 3) -> str:
    """A figure and its interval in words, "" when there is none."""
    if name not in found:
        return ""
    mean, low, high = (f"{found[key]:.{digits}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{mean} [{low}, {high}]"


def _cells(found: Mapping[str, Any]) -> list[str]:
    counts = [str(found["n"]), str(found["n_shown"]), str(found["n_executed"])]
    return counts + [f"{found[name]:.2f}" if name in found else "" for name in _HEADS]


def _range(found: Mapping[str, Any], name: str) -> str:
    return f"{found[f'{name}_low']:.2f}-{found[f'{name}_high']:.2f}" if name in found else ""


def _language(record: Mapping[str, Any]) -> str:
    return str(record["language"])
