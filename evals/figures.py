"""Figures of a set of results lines, as a table for people and as keys of the JSON line. Used by the suites.

Rules: every mean has its 95 % bootstrap interval, `<name>_low` and `<name>_high`. A figure without examples is left
out, never 0: pass@1 counts what was executed, new parse errors what was shown and has a grammar.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.stats import Interval, mean_interval

# (key of the JSON line, key of a results line)
_MEASURES = (
    ("pass_at_1", "passed"),
    ("exact_match", "exact"),
    ("edit_similarity", "similarity"),
    ("new_parse_error_rate", "new_parse_error"),
    ("truth_new_parse_error_rate", "truth_new_parse_error"),
)
Records = Sequence[Mapping[str, Any]]


def measured(records: Records, measure: str) -> Interval | None:
    """The mean of a key of the results lines, over those that have it; None when none has."""
    values = [float(record[measure]) for record in records if record[measure] is not None]
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
    """What `by_suite` found: a row for each language of each suite, and one for all of the suite."""
    table = Table()
    for head in ("suite", "language", "n", "shown", "pass@1", "of", "exact", "similarity", "new errors", "(truth)"):
        table.add_column(head, justify="left" if head in ("suite", "language") else "right")
    for suite, total in suites.items():
        if len(total["languages"]) > 1:
            for language, found in total["languages"].items():
                table.add_row(suite, language, *_cells(found))
        table.add_row(suite, "all" if len(total["languages"]) > 1 else next(iter(total["languages"])), *_cells(total),
                      style="bold", end_section=True)  # fmt: skip
    Console().print(table)


def with_interval(found: Mapping[str, Any], name: str, digits: int = 3) -> str:
    """A figure and its interval in words, "" when there is none."""
    if name not in found:
        return ""
    mean, low, high = (f"{found[key]:.{digits}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{mean} [{low}, {high}]"


def _cells(found: Mapping[str, Any]) -> list[str]:
    return [
        str(found["n"]),
        str(found["n_shown"]),
        with_interval(found, "pass_at_1", 2),
        str(found["n_executed"] or ""),
        with_interval(found, "exact_match", 2),
        with_interval(found, "edit_similarity", 2),
        with_interval(found, "new_parse_error_rate", 2),
        f"{found['truth_new_parse_error_rate']:.2f}" if "truth_new_parse_error_rate" in found else "",
    ]


def _language(record: Mapping[str, Any]) -> str:
    return str(record["language"])
