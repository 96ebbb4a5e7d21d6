"""The bench itself: a run that was cut off goes on behind its last edit, with the text as it is there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evals.cli import _parser, main
from evals.replay.histories import Named
from evals.replay.history import Change, History
from evals.report import open_results
from evals.typing import typing_bench
from evals.typing.figures import edit_of as row_edit
from evals.typing.figures import tally
from evals.typing.person import Person
from evals.typing.shown import ShownLog
from evals.typing.wish import Pace, wish_of
from lsp_server.ablation import SLOW_MOTION, in_slow_motion
from lsp_server.config import Config, load
from model.library.catalog import DEFAULT_MODEL
from tests.conftest import stop_daemons
from tests.evals.typing_world import JumpingClock, ScriptedPlayer

BEFORE = {"a.py": "x = 1\n", "b.py": "y = 1\n"}
HISTORY = History(
    "h",
    BEFORE,
    tuple(Change(path, text, f"{text}z = 2\nlast = 3\nif z:\n    w = 4\n") for path, text in BEFORE.items()),
)
WISH = wish_of(HISTORY, 40, seed=0)
PLAN = typing_bench.Plan(
    histories=(),
    n_keys=40,
    size=typing_bench.size_of("4k"),
    model="m",
    peer=False,
    seed=0,
    speed=1.0,
    quietness=None,
    without=(),
    transcript=False,
)
PART = typing_bench.Part(Named("h", "python", "", "", held_out=True), HISTORY, WISH, "midfill")


def play(out: Path, *, resume: bool, started: list[dict[str, str]], shown: Path | None = None) -> list[dict[str, Any]]:
    """Run the part without a server and without time."""

    @asynccontextmanager
    async def player(plan: Any, part: Any, files: dict[str, str], path: str, clock: Any) -> AsyncIterator[Any]:
        started.append(files)
        yield ScriptedPlayer(clock, lambda position: [(0.05, "nothing")] if position == 2 else [])

    async def body() -> list[dict[str, Any]]:
        with open_results("typing", out, resume=resume) as results, ShownLog(shown) as log:
            start = typing_bench.Start(JumpingClock, player)
            return await typing_bench.play_part(PLAN, PART, results, Console(quiet=True), start, log)

    return asyncio.run(body())


def test_a_run_that_was_cut_off_goes_on_behind_its_last_edit(tmp_path: Path) -> None:
    assert len(WISH) == 2
    started: list[dict[str, str]] = []
    whole = play(tmp_path / "whole.jsonl", resume=False, started=started)
    assert [row["id"] for row in whole] == ["h midfill 0", "h midfill 1"]
    assert all(key["kind"] == "key" for row in whole for key in row["keys"])
    assert sum(len(row["keys"]) for row in whole) == sum(edit.n_keys for edit in WISH)
    out = tmp_path / "cut.jsonl"
    out.write_text(json.dumps(whole[0]) + "\n" + json.dumps(whole[1])[:40])
    again = play(out, resume=True, started=started)
    assert again == whole
    first = WISH[0].path
    assert started[0][first] == BEFORE[first]
    assert started[1][first] == next(change.after for change in HISTORY.changes if change.path == first)
    assert len(out.read_text().splitlines()) == 2
    play(out, resume=True, started=started)
    assert len(started) == 2  # nothing is left: no server starts


def test_a_run_that_is_gone_on_with_tells_all_that_was_shown(tmp_path: Path) -> None:
    out, whole, again = (tmp_path / name for name in ("out.jsonl", "whole.jsonl", "again.jsonl"))
    play(out, resume=False, started=[], shown=whole)
    shown = [json.loads(line) for line in whole.read_text().splitlines()]
    assert [(each["path"], each["ghost"]) for each in shown] == [(edit.path, "nothing") for edit in WISH]
    out.write_text(out.read_text().splitlines()[0] + "\n")
    play(out, resume=True, started=[], shown=again)
    assert again.read_text() == whole.read_text()


def test_the_command_line_has_what_the_bench_takes() -> None:
    words = (
        "bench typing --history click --history gin --set all --quietness 0.2 --without trust --without junk --speed 2"
    )
    found = _parser().parse_args([*words.split(), "--transcript", "--resume", "--no-peer", "--shown", "a.jsonl"])
    assert found.shown == Path("a.jsonl")
    assert (found.what, found.history, found.without, found.speed) == (
        "typing",
        ["click", "gin"],
        ["trust", "junk"],
        2,
    )
    with pytest.raises(SystemExit):
        _parser().parse_args(["bench", "typing", "--speed", "0"])


@pytest.mark.e2e
@pytest.mark.model
def test_a_short_wish_with_the_real_model(real_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is written in the end, whatever was shown, and each answer says how it came about."""
    monkeypatch.setenv("MIDFILL_CACHE", str(real_cache))
    before = "".join(f"def add_{n}(value: int) -> int:\n    return value + {n}\n\n\n" for n in range(5))
    history = History("adder", {"adder.py": before}, (Change("adder.py", before, f"{before}def add_5(value: int):\n"),))
    part = typing_bench.Part(
        Named("adder", "python", "", "", held_out=True), history, wish_of(history, 9, 0), "midfill"
    )
    plan = replace(PLAN, model=DEFAULT_MODEL, speed=2.0, quietness=0.0)

    async def body() -> list[dict[str, Any]]:
        with open_results("typing", tmp_path / "out.jsonl") as results:
            start = typing_bench.Start(typing_bench.RealClock, typing_bench.our_player)
            return await typing_bench.play_part(plan, part, results, Console(quiet=True), start, ShownLog(None))

    (row,) = asyncio.run(asyncio.wait_for(body(), 300))
    stop_daemons(real_cache)
    assert "".join(key["text"] for key in row["keys"]) == row["text"]
    assert row["answers"]
    assert {answer["position"] for answer in row["answers"]} == {
        key["position"] + len(key["text"]) for key in row["keys"]
    }
    assert all("outcome" in answer for answer in row["answers"] if answer["answered"] is not None)
    assert row["cpu_s"] > 0
    assert tally(row).wished == row_edit(row).weight(0, len(row["text"]))


def test_a_server_that_is_named_answers_and_nothing_else_does() -> None:
    assert "engine" not in typing_bench.options_of(PLAN)
    config, problems = load(typing_bench.options_of(replace(PLAN, url="http://127.0.0.1:9")))
    assert problems == []
    assert (config.engine.url, config.engine.fallback) == ("http://127.0.0.1:9", False)


def test_on_a_machine_four_times_as_fast_a_clock_and_the_servers_waits_are_four_times_slower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typing_bench.time, "perf_counter", lambda: 100.0)
    assert typing_bench.RealClock(4.0).now() == 25.0
    waited: list[float] = []

    async def wait_for(woken: Any, seconds: float) -> None:
        woken.close()
        waited.append(seconds)

    monkeypatch.setattr(typing_bench.asyncio, "wait_for", wait_for)
    asyncio.run(typing_bench.RealClock(4.0).wait(25.5))
    assert waited == [2.0]
    limits = Config().limits()
    monkeypatch.setenv(SLOW_MOTION, "4")
    slowed = in_slow_motion(limits)
    assert (slowed.patience_ms, slowed.deadline_ms) == (400, 4_000)
    assert replace(slowed, patience_ms=limits.patience_ms, deadline_ms=limits.deadline_ms) == limits
    monkeypatch.delenv(SLOW_MOTION)
    assert in_slow_motion(limits) == limits


def test_what_the_server_says_that_it_took_is_told_by_the_slower_clock() -> None:
    class Told(ScriptedPlayer):
        """Its one answer took .2 s by the server's clock."""

        async def settle(self) -> None:
            self.answers.append({"asked": None, "answered": None, "latencyMs": 200.0, "timingsMs": {"prefill": 120.0}})

    async def body() -> dict[str, Any]:
        clock = JumpingClock()
        player = Told(clock, lambda position: [])
        person = Person(player, clock, Pace(0), dict(BEFORE))
        return await typing_bench._play_edit(person, PART, WISH[0], [], 4.0)

    (answer,) = asyncio.run(body())["answers"]
    assert (answer["latencyMs"], answer["timingsMs"]) == (50.0, {"prefill": 30.0})


def test_llama_vim_cannot_be_slowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "typing", "--machine", "2"]) == 1
    assert "give --no-peer beside --machine" in capsys.readouterr().err
