"""A replay: what is played on whom, the keystrokes with their times, and the figures made of them. Used by `replay`.

    time to visible of a keystroke: until the first answer for the text as it is then, an empty one included; without
    any, until the end of the run
    "engine": keystrokes whose answer had to be computed; the others were answered from what was typed through

Rules: what is typed never depends on what is shown.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Protocol

import psutil
from rich.console import Console

from evals.peers.llama_vim import VimSettings
from evals.replay.history import History
from evals.replay.keystrokes import Action, Kind, actions_of, play

TYPING = frozenset((Kind.KEY, Kind.NEWLINE, Kind.DELETE, Kind.ACCEPT))


@dataclass(frozen=True, slots=True)
class Size:
    """One context size: what both sides are set to so that their prompts are about that long."""

    name: str
    max_prompt_tokens: int
    max_file_tokens: int
    vim: VimSettings


def sizes(max_line_tokens: int) -> dict[str, Size]:
    """The context sizes by name; chunks of the ring have about 330 tokens, lines about 11."""

    def vim(n_prefix: int, n_suffix: int, ring: int) -> VimSettings:
        return VimSettings(n_prefix, n_suffix, ring, max_line_tokens)

    return {
        "1k": Size("1k", 1_024, 1_024, vim(64, 24, 0)),
        "4k": Size("4k", 4_096, 2_048, vim(128, 32, 7)),
        "16k": Size("16k", 16_384, 4_096, vim(256, 64, 38)),
    }


@dataclass(slots=True)
class Run:
    """What one contender did at one size. `actions[i]` began at `began[i]`."""

    name: str
    size: str
    actions: list[Action] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    shown: list[tuple[float, int, bool]] = field(default_factory=list)  # when, for which action, from a cache
    ended: float = 0.0
    skipped: set[int] = field(default_factory=set)  # actions whose place is not asked about, by rule
    n_computed: int = 0  # prompt tokens for requests
    n_ahead: int = 0  # tokens computed while nobody waited
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    warm_up_s: float = 0.0  # from nothing to the whole window
    invoked_ms: list[float] = field(default_factory=list)  # from an invoked request to its first answer

    def waits_ms(self) -> list[tuple[float, bool]]:
        """Per keystroke: milliseconds until an answer, and whether the engine had to compute it."""
        result = []
        at_once = {action for _, action, cached in self.shown if cached}
        for index, action in enumerate(self.actions):
            if action.kind in TYPING and index not in self.skipped:
                when = next((t for t, of, _ in self.shown if of >= index), self.ended)
                result.append(((when - self.began[index]) * 1e3, index not in at_once))
        return result


class Player(Protocol):
    """A contender: it is told what happens, and notes in its run when there is something to show."""

    run: Run
    pids: list[int]

    async def warm_up(self, files: dict[str, str], path: str) -> None:
        """Have the other files visited and the first one at the front, everything computed that can be ahead."""
        ...

    def act(self, index: int, action: Action, text: str) -> None:
        """An action happened; `text` is its file's now."""
        ...

    async def settle(self) -> None:
        """Wait for what is under way, and add the counters to the run."""
        ...


def script_of(history: History, n_keystrokes: int, seed: int) -> list[Action]:
    """Actions of the history's changes, file after file and back, until there are so many keystrokes."""
    draw = random.Random(seed)
    by_file = {
        change.path: list(actions_of(change.path, change.before, change.after, draw)) for change in history.changes
    }
    script: list[Action] = []
    while by_file and sum(action.kind in TYPING for action in script) < n_keystrokes:
        path = draw.choice(sorted(by_file))
        actions = by_file.pop(path)
        if script and script[-1].path != path:
            first = actions[0]
            script.append(Action(Kind.SWITCH, path, first.begin, "", "", draw.uniform(2.0, 3.5)))
        # A part of the file's changes, up to the jump that begins the next one: the rest comes when it is drawn again.
        n, end = 0, len(actions)
        for index, action in enumerate(actions):
            n += action.kind in TYPING
            if n > n_keystrokes // 5 and action.kind is Kind.JUMP:
                end = index
                break
        script += actions[:end]
        if actions[end:]:
            by_file[path] = actions[end:]
    return script


async def play_script(player: Player, script: Sequence[Action], files: dict[str, str], console: Console) -> None:
    """Play a script at human speed."""
    texts, run = dict(files), player.run
    watched = [psutil.Process(pid) for pid in player.pids]
    cpu_before = sum(sum(process.cpu_times()[:2]) for process in watched)
    clock = time.perf_counter()
    for index, action in enumerate(script):
        clock += action.wait_s
        await asyncio.sleep(max(0.0, clock - time.perf_counter()))
        texts[action.path] = play(texts[action.path], action)
        run.actions.append(action)
        run.began.append(time.perf_counter())
        player.act(index, action, texts[action.path])
        if index % 25 == 0:
            run.rss_mb = max(run.rss_mb, sum(process.memory_info().rss for process in watched) / 1e6)
            console.print(f"[dim]{run.name} {run.size}: {index} of {len(script)} actions[/]", end="\r")
    await player.settle()
    run.ended = time.perf_counter()
    run.cpu_s = sum(sum(process.cpu_times()[:2]) for process in watched) - cpu_before
    run.rss_mb = max(run.rss_mb, sum(process.memory_info().rss for process in watched) / 1e6)


def figures(run: Run) -> dict[str, float]:
    """Medians and so on of one run."""
    waits = run.waits_ms()
    engine, every = [ms for ms, computed in waits if computed], [ms for ms, _ in waits]
    n = max(1, len(every))
    invoked = (
        {"invoked_p50_ms": median(run.invoked_ms), "invoked_p95_ms": _percentile(run.invoked_ms, 95)}
        if run.invoked_ms
        else {}
    )
    return {
        "n_keystrokes": len(every),
        "n_engine": len(engine),
        "p50_ms": median(engine) if engine else 0.0,
        "p95_ms": _percentile(engine, 95),
        "keystroke_p50_ms": median(every) if every else 0.0,
        "keystroke_p95_ms": _percentile(every, 95),
        "computed_per_keystroke": run.n_computed / n,
        "ahead_per_keystroke": run.n_ahead / n,
        "cpu_s": run.cpu_s,
        "rss_mb": run.rss_mb,
        "warm_up_s": run.warm_up_s,
        **invoked,
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]
