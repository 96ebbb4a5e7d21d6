"""`midfill stats`: what is counted, and how it looks."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main
from lsp_server.cli.chart import Day, chart
from lsp_server.cli.stats import by_day, by_language, usage
from lsp_server.usage.history import Event, history_file, write

NOON = datetime.combine(date.today(), datetime.min.time()).timestamp() + 43_200


def events(suggestion: str, *kinds: str, language: str = "python", days_ago: int = 0, **facts: object) -> list[Event]:
    """A suggestion's events."""
    first = Event(
        at=NOON - 86_400 * days_ago, id=suggestion, kind="", language=language, mode="line", characters=10,
        latency_ms=100.0, reused=False, probability=0.5,
    )  # fmt: skip
    return [replace(first, kind=kind, **facts) for kind in kinds]  # type: ignore[arg-type]


EVENTS = [
    *events("1", "shown", "accepted", "kept", latency_ms=10.0),
    *events("2", "shown", "partial", "changed", latency_ms=20.0),
    *events("3", "shown", "dismissed", latency_ms=30.0),
    *events("4", "shown", "typed", latency_ms=0.5, reused=True),
    *events("5", "shown", language="rust", days_ago=2, latency_ms=1234.0),
    *events("6", "accepted", "kept"),  # shown before the first event
]


def test_what_became_of_suggestions_is_counted_once_each() -> None:
    whole = usage(EVENTS)
    assert (whole.shown, whole.accepted, whole.partial, whole.typed, whole.dismissed) == (5, 2, 1, 1, 1)
    assert (whole.kept, whole.judged, whole.characters) == (1, 2, 20)


def test_accepted_alternatives_are_told_apart(capsys: pytest.CaptureFixture[str], tiny_cache: Path) -> None:
    several = [*EVENTS, *events("7", "shown", "accepted", "instead")]
    whole = usage(several)
    assert (whole.accepted, whole.instead, whole.characters) == (3, 1, 30)
    write(history_file(), several)
    assert main(["stats"]) == 0
    assert "1 were another than the first of several" in " ".join(capsys.readouterr().out.split())


def test_latencies_are_those_of_suggestions_that_the_model_was_asked_for() -> None:
    python = by_language(EVENTS)["python"]
    assert (python.p50_ms, python.p95_ms) == (20.0, 30.0)


def test_languages_come_by_use() -> None:
    assert [(name, one.shown) for name, one in by_language(EVENTS).items()] == [("python", 4), ("rust", 1)]


def test_every_day_has_its_bar() -> None:
    today = date.today()
    days = by_day(EVENTS, today - timedelta(days=3), today)
    assert [(day.shown, day.accepted) for day in days] == [(0, 0), (1, 0), (0, 0), (4, 2)]
    assert days[-1].day == today.isoformat()


def test_no_events_are_no_division_by_zero() -> None:
    assert usage([]).p95_ms == 0
    assert by_language([]) == {}


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("n_days", [1, 7, 30, 365, 1000])
def test_the_chart_keeps_to_its_width_and_to_the_proportions(width: int, n_days: int) -> None:
    days = [Day(f"2026-01-{number % 28 + 1:02}", 10, 5) for number in range(n_days)]
    lines = chart(days, width, plain=True).plain.splitlines()[1:]
    assert max(map(len, lines)) <= width
    assert "".join(line[-1] for line in lines[:8]) == "░" * 4 + "█" * 4  # the last bar, whose days are all there
    assert "accepted" in lines[-1]


def test_a_little_is_not_nothing_and_nothing_is_nothing() -> None:
    colored = chart([Day("2026-01-01", 1000, 1), Day("2026-01-02", 0, 0), Day("2026-01-03", 1, 0)], 80, plain=False)
    lowest = colored.plain.splitlines()[8]
    assert lowest.split("┤")[1] == f" {'▁' * 4} {' ' * 4} {'▁' * 4}"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["stats", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_prints_a_table_and_a_chart(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(history_file(), EVENTS)
    code, out, _ = run(capsys)
    assert code == 0
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["python"][1:6] == ["4", "2", "50%", "50%", "20"]
    assert rows["rust"][1:] == ["1", "0", "0%", "-", "0", "1,234", "ms", "1,234", "ms"]
    assert rows["all"][1] == "5"
    assert "█ accepted" in out


def test_days_and_json(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(history_file(), EVENTS)
    code, out, _ = run(capsys, "--json", "--days", "2")
    told = json.loads(out)
    assert (code, told["days"], list(told["languages"]), told["all"]["shown"]) == (0, 2, ["python"], 4)
    assert [day["shown"] for day in told["daily"]] == [0, 4]


def test_nothing_to_show_is_said(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, out) == (0, "")
    assert "nothing is remembered" in err


def test_erase_forgets(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(history_file(), EVENTS)
    assert run(capsys, "--erase")[0] == 0
    assert json.loads(run(capsys, "--json")[1])["all"]["shown"] == 0


def test_a_damaged_file_is_one_line_that_says_what_to_do(tiny_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history_file().parent.mkdir(parents=True)
    history_file().write_bytes(b"no database" * 500)
    code, _, err = run(capsys)
    assert code == 2
    assert err.count("\n") == 1
    assert "midfill stats --erase" in err
    assert main(["why"]) == 2
