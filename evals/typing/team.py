"""`midfill bench team --url U --typists N ...`: what so many people get who type before one server, and what it bears.

Each types a wish of her own (`wish`, `person`) at her own pace, all at once, with one editor each (`team_player`).

    ghost       from a key to its line, of requests that were answered
    completed   share of the characters that a key was needed for
    answered    requests a second whose line came
    cancelled   share of requests whose stream was closed: something else was typed, or the cursor went elsewhere
    cached      share of the answered prompts' tokens that the server did not compute, as far as it says so

Rules: real time and a real server; nothing of midfill answers. A server that refuses all is an error, not a figure.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openai
from rich.console import Console
from rich.table import Table

from evals.replay.histories import Named
from evals.replay.history import History, read_history
from evals.report import EvalError, open_results
from evals.typing.person import Person
from evals.typing.screen import Screen
from evals.typing.team_player import Asked, Server, TeamPlayer
from evals.typing.typing_bench import RealClock
from evals.typing.wish import Edit, Pace, wish_of

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """What is played."""

    url: str
    model: str  # "": the server's first
    typists: Sequence[int]
    histories: Sequence[Named]
    n_keys: int  # of each typist
    seed: int
    speed: float


@dataclass(slots=True)
class Level:
    """What so many typists did."""

    n_typists: int
    seconds: float
    asked: list[Asked]
    wished: int
    completed: int

    def figures(self) -> dict[str, Any]:
        """As they are kept and drawn."""
        waits = [each.ms for each in self.asked if each.ms is not None]
        if self.asked and _share(self.asked, "failed") == 1:
            raise EvalError(f"the server answered none of {len(self.asked)} requests")
        n_prompt = sum(each.n_prompt for each in self.asked)
        p50, p95 = (float(value) for value in np.percentile(waits, (50, 95))) if waits else (None, None)
        return {
            "typists": self.n_typists,
            "ghost_p50_ms": p50,
            "ghost_p95_ms": p95,
            "completed": self.completed / max(1, self.wished),
            "answered_per_s": len(waits) / self.seconds,
            "tokens_per_s": sum(each.n_generated for each in self.asked) / self.seconds,
            "cancelled": _share(self.asked, "cancelled"),
            "failed": _share(self.asked, "failed"),
            "cached": sum(each.n_cached for each in self.asked) / n_prompt if n_prompt else None,
            "n_requests": len(self.asked),
            "n_wished": self.wished,
            "seconds": self.seconds,
        }


def _share(asked: Sequence[Asked], outcome: str) -> float:
    return sum(each.outcome == outcome for each in asked) / max(1, len(asked))


async def play(server: Server, histories: Sequence[History], n_typists: int, plan: TeamPlan) -> Level:
    """Have so many type at once."""
    found = Level(n_typists, 0.0, [], 0, 0)
    began = time.perf_counter()
    await asyncio.gather(
        *(
            _type(server, histories[number % len(histories)], plan, plan.seed + number, found)
            for number in range(n_typists)
        )
    )
    found.seconds = time.perf_counter() - began
    return found


async def _type(server: Server, history: History, plan: TeamPlan, seed: int, found: Level) -> None:
    """One of them; adds what she did."""
    clock = RealClock()
    player = TeamPlayer(server, clock, Screen(clock), asked=found.asked)
    person = Person(player, clock, Pace(seed, plan.speed), dict(history.files))
    for edit in wish_of(history, plan.n_keys, seed):
        row = await person.play(edit)
        await player.settle()
        wished, completed = _counted(edit, row["keys"])
        found.wished += wished
        found.completed += completed


def _counted(edit: Edit, keys: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Characters' worth of keys that were wished, and of these what came by accepting."""
    weights = [(key["kind"], edit.weight(key["position"], key["position"] + len(key["text"]))) for key in keys]
    return sum(weight for _, weight in weights), sum(weight for kind, weight in weights if kind != "key")


async def run(plan: TeamPlan, out: Path | None) -> int:
    """Play every number of typists, print the table, draw the plot."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    histories = [await asyncio.to_thread(read_history, named.spec, named.language) for named in plan.histories]
    key = os.environ.get("OPENAI_API_KEY", "none")
    rows: list[dict[str, Any]] = []
    async with openai.AsyncOpenAI(
        base_url=f"{plan.url.rstrip('/')}/v1", api_key=key, max_retries=0, timeout=_TIMEOUT_S
    ) as client:
        try:
            model = plan.model or (await client.models.list()).data[0].id
        except (openai.OpenAIError, IndexError) as error:
            raise EvalError(f"{plan.url} names no model: {error}") from error
        with open_results("team", out) as results:
            for n_typists in plan.typists:
                level = await play(Server(client, model), histories, n_typists, plan)
                rows.append({"suite": "team", "id": str(n_typists), **level.figures()})
                results.add(rows[-1])
                console.print(f"[dim]{n_typists} typing: {_ms(rows[-1]['ghost_p50_ms'])}[/]")
            console.print(table_of(rows, model))
            if (plot := write_plot(rows, model, results.path, console)) is not None:
                console.print(f"plot: {plot}")
            names = [named.name for named in plan.histories]
            results.finish(
                {"suite": "team", "model": model, "histories": names, "n_keys": plan.n_keys, "speed": plan.speed}
            )
    return 0


def table_of(rows: Sequence[dict[str, Any]], model: str) -> Table:
    """A row for each number of typists."""
    table = Table(title=f"one server, {model}", title_justify="left", box=None)
    for column in (
        "typists",
        "ghost p50",
        "p95",
        "completed",
        "answered/s",
        "tokens/s",
        "cancelled",
        "failed",
        "cached",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        cached = "" if row["cached"] is None else f"{row['cached']:.1%}"
        table.add_row(
            f"{row['typists']}",
            _ms(row["ghost_p50_ms"]),
            _ms(row["ghost_p95_ms"]),
            f"{row['completed']:.1%}",
            f"{row['answered_per_s']:.2f}",
            f"{row['tokens_per_s']:.1f}",
            f"{row['cancelled']:.1%}",
            f"{row['failed']:.1%}",
            cached,
        )
    return table


def _ms(wait: float | None) -> str:
    return "none" if wait is None else f"{wait:,.0f} ms"


def write_plot(rows: Sequence[dict[str, Any]], model: str, beside: Path, console: Console) -> Path | None:
    """Waits and what is completed, by the number of typists; None without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        console.print("[yellow]no plot: matplotlib is not installed[/]")
        return None
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "midfill"
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    waits, shares = figure.subplots(1, 2)
    typists = [row["typists"] for row in rows]
    for name, label, color in (("ghost_p50_ms", "median", "#0072B2"), ("ghost_p95_ms", "95 %", "#E69F00")):
        waits.plot(typists, [row[name] for row in rows], marker="o", color=color, label=label)
    for name, color in (("completed", "#0072B2"), ("cancelled", "#E69F00"), ("cached", "#009E73")):
        shares.plot(typists, [row[name] for row in rows], marker="o", color=color, label=name)
    waits.set_ylabel("ms from a key to its line")
    shares.set_ylabel("share")
    for axes in (waits, shares):
        axes.set_xscale("log", base=2)
        axes.set_xticks(typists, [str(n) for n in typists])
        axes.set_xlabel("typists")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    figure.suptitle(model, fontsize=10)
    path = beside.with_name(f"{beside.stem}.svg")
    figure.savefig(path, metadata={"Date": None})
    return path
