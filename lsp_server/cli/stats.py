"""`midfill stats`: what was shown and accepted, by language and by day; and how to have it forgotten.

Rules: reads what the servers have written (`history`). A suggestion counts once, in the language and on the day it was
shown; of its acceptance, in whole or in part, it does not matter how the editor told it.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsp_server.cli.chart import Day, chart
from lsp_server.usage.history import INSTEAD, Event, erase, history_file, read_events

_DAYS = 30
_NOTHING = "nothing is remembered of the last {days} days; editors' suggestions are, unless midfill.statistics is off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What became of the suggestions of one language, or of all."""

    shown: int
    accepted: int  # in whole or in part
    partial: int  # of them, in part
    instead: int  # of them, another one of several than the first
    typed: int  # by hand, to their ends
    dismissed: int
    kept: int
    judged: int  # accepted texts that were looked for later
    characters: int  # accepted
    p50_ms: float
    p95_ms: float


def add_parser(commands: Any) -> None:
    """Register `stats`."""
    parser = commands.add_parser("stats", help="show what was suggested and accepted, on this machine")
    parser.add_argument("--days", type=int, default=_DAYS, metavar="N", help=f"of the last N days (default {_DAYS})")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--erase", action="store_true", help="forget everything, the explanations of `midfill why` too")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file = history_file()
    if args.erase:
        erase(file)
        print(f"{file} is empty", file=sys.stderr)
        return 0
    n_days = max(1, args.days)
    today = date.today()
    first = today - timedelta(days=n_days - 1)
    events = read_events(file, datetime.combine(first, datetime.min.time()).timestamp())
    languages, whole, days = by_language(events), usage(events), by_day(events, first, today)
    if args.json:
        named = {language: asdict(one) for language, one in languages.items()}
        print(json.dumps({"days": n_days, "all": asdict(whole), "languages": named, "daily": list(map(asdict, days))}))
    elif not whole.shown:
        print(_NOTHING.format(days=n_days), file=sys.stderr)
    else:
        console = Console()
        console.print(table(languages, whole, n_days))
        console.print(_caption(whole))
        console.print(chart(days, console.width, plain=console.color_system is None))
    return 0


def usage(events: Iterable[Event]) -> Usage:
    """Count events. What became of suggestions that were shown before the first event is left out."""
    events = list(events)
    shown = {event.id: event for event in events if event.kind == "shown"}
    known = [event for event in events if event.id in shown]
    kinds = {kind: [event for event in known if event.kind == kind] for kind in {event.kind for event in known}}
    accepted, partial = kinds.get("accepted", []), kinds.get("partial", [])
    latencies = sorted(event.latency_ms for event in shown.values() if not event.reused)
    return Usage(
        shown=len(shown),
        accepted=len(accepted) + len(partial),
        partial=len(partial),
        instead=len(kinds.get(INSTEAD, [])),
        typed=len(kinds.get("typed", [])),
        dismissed=len(kinds.get("dismissed", [])),
        kept=len(kinds.get("kept", [])),
        judged=len(kinds.get("kept", [])) + len(kinds.get("changed", [])),
        characters=sum(event.characters for event in [*accepted, *partial]),
        p50_ms=_percentile(latencies, 0.5),
        p95_ms=_percentile(latencies, 0.95),
    )


def by_language(events: Sequence[Event]) -> dict[str, Usage]:
    """Usage by language, the most used first."""
    languages = {event.language for event in events}
    counted = {language: usage(event for event in events if event.language == language) for language in languages}
    return dict(sorted(((name, one) for name, one in counted.items() if one.shown), key=lambda row: -row[1].shown))


def by_day(events: Sequence[Event], first: date, last: date) -> list[Day]:
    """All days from first to last, with the suggestions shown on each and how many of them were accepted."""
    days = {event.id: date.fromtimestamp(event.at) for event in events if event.kind == "shown"}
    accepted = {event.id for event in events if event.kind in ("accepted", "partial")}
    result = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        ids = [suggestion_id for suggestion_id, at in days.items() if at == day]
        result.append(Day(day.isoformat(), len(ids), sum(suggestion_id in accepted for suggestion_id in ids)))
    return result


def table(languages: dict[str, Usage], whole: Usage, n_days: int) -> Table:
    """By language, and all of them."""
    since = "today" if n_days == 1 else f"the last {n_days} days"
    result = Table(
        title=f"midfill, {since}: {whole.shown:,} suggestions shown, {whole.accepted:,} accepted",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
    )
    result.add_column("language")
    for name in ("shown", "accepted", "rate", "kept", "characters", "p50", "p95"):
        result.add_column(name, justify="right", no_wrap=True)
    for language, one in languages.items():
        result.add_row(language, *_cells(one))
    if len(languages) > 1:
        result.add_row("all", *_cells(whole), style="bold")
    return result


def _cells(one: Usage) -> list[str]:
    rate = one.accepted / one.shown
    return [
        f"{one.shown:,}",
        f"{one.accepted:,}",
        f"{rate:.0%}",
        f"{one.kept / one.judged:.0%}" if one.judged else "-",
        f"{one.characters:,}",
        f"{one.p50_ms:,.0f} ms",
        f"{one.p95_ms:,.0f} ms",
    ]


def _caption(whole: Usage) -> Text:
    parts = [
        f"{whole.partial:,} were accepted in part" if whole.partial else "",
        f"{whole.instead:,} were another than the first of several" if whole.instead else "",
        f"{whole.typed:,} typed to their ends by hand" if whole.typed else "",
        f"{whole.dismissed:,} dismissed" if whole.dismissed else "",
        "kept: at least two thirds of an accepted text still stood five minutes later" if whole.judged else "",
    ]
    return Text("; ".join(part for part in parts if part), style="dim")


def _percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values, the nearest rank; 0 of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
