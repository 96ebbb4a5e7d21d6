"""A bar chart for the terminal: suggestions shown and accepted by day. Called by `cli_stats`.

Rules: pure; fits the width it is given, with several days to a bar when there are many. Without colors the two parts of
a bar differ by their signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

_HEIGHT = 8
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MAX_BAR_COLUMNS = 4
_ACCEPTED, _SHOWN = "#2fa572", "#5b6b7f"


@dataclass(frozen=True, slots=True)
class Day:
    """A day, or several from it on: ISO date, suggestions shown, and of them accepted."""

    day: str
    shown: int
    accepted: int


def chart(days: Sequence[Day], width: int, *, plain: bool) -> Text:
    """Bars with an axis on the left and dates below; `plain` without colors."""
    widest = len(f"{sum(day.shown for day in days):,}") + 2  # of the axis, however the days are grouped
    bars = _fitted(days, max(10, width - widest - 1))
    top = max(bar.shown for bar in bars) or 1
    axis = len(f"{top:,}") + 2
    columns = min(_MAX_BAR_COLUMNS, max(1, (width - axis - 1) // len(bars) - 1))
    text = Text("\n")
    for row in reversed(range(_HEIGHT)):
        label = {_HEIGHT - 1: f"{top:,}", 0: "0"}.get(row, "")
        text.append(f"{label:>{axis - 2}} ", style="dim").append("┤" if label else "│", style="dim")
        for bar in bars:
            text.append(" ").append_text(_cell(bar, row, top, columns, plain))
        text.append("\n")
    return text.append_text(_dates(bars, axis, columns)).append_text(_legend(bars, days, axis, plain))


def _fitted(days: Sequence[Day], width: int) -> list[Day]:
    """The days, or groups of as many as it takes for two columns each."""
    size = -(-len(days) * 2 // width)
    # The last group ends today: an incomplete first one is less of a surprise.
    ends = range(len(days), 0, -size)
    groups = [days[max(0, end - size) : end] for end in ends][::-1]
    return [Day(group[0].day, sum(d.shown for d in group), sum(d.accepted for d in group)) for group in groups]


def _cell(bar: Day, row: int, top: int, columns: int, plain: bool) -> Text:
    """A bar's part in one row, counted from the bottom."""
    shown, accepted = (_filled(n, top, row, plain) for n in (bar.shown, bar.accepted))
    if plain:
        return Text(("█" if accepted == 8 else "░" if shown == 8 else " ") * columns)
    if accepted == 8 or accepted == shown > 0:
        return Text(_EIGHTHS[accepted] * columns, style=_ACCEPTED)
    if not accepted:
        return Text(_EIGHTHS[shown] * columns, style=_SHOWN)
    if shown < 8:  # both end in this cell, which can have one color: that of the larger part
        return Text(_EIGHTHS[shown] * columns, style=_ACCEPTED if 2 * accepted >= shown else _SHOWN)
    return Text(_EIGHTHS[accepted] * columns, style=f"{_ACCEPTED} on {_SHOWN}")


def _filled(n: int, top: int, row: int, plain: bool) -> int:
    """How many eighths of a row's height a count fills; at least one of the lowest row's when there is any."""
    if not n:
        return 0
    eighths = max(1, round(8 * _HEIGHT * n / top))
    if plain:
        eighths = 8 * max(1, round(eighths / 8))
    return min(8, max(0, eighths - 8 * row))


def _dates(bars: Sequence[Day], axis: int, columns: int) -> Text:
    """The axis, with the day under as many bars as there is room."""
    step = -(-6 // (columns + 1))
    line, labels = [" "] * (axis - 1) + ["└"] + ["─"] * (len(bars) * (columns + 1)), [" "] * (axis + 1)
    for number in range(0, len(bars), step):
        if len(bars) - number >= step or number == 0:
            line[axis + 1 + number * (columns + 1)] = "┬"
            labels[axis + 1 + number * (columns + 1) :] = list(f"{bars[number].day[5:]:<{step * (columns + 1)}}")
    return Text("".join(line) + "\n" + "".join(labels).rstrip() + "\n", style="dim")


def _legend(bars: Sequence[Day], days: Sequence[Day], axis: int, plain: bool) -> Text:
    size = -(-len(days) // len(bars))
    each = "" if size == 1 else f", {size} days a bar"
    return (
        Text(" " * (axis + 1))
        .append("█", style="" if plain else _ACCEPTED)
        .append(" accepted  ")
        .append("░" if plain else "█", style="" if plain else _SHOWN)
        .append(f" shown{each}")
    )
