"""`midfill bench soak`: two windows typing in turn, thousands of keystrokes, daemons killed.

Each window types the edits of a package's history with its other files open, fast, the older request cancelled by
the next one, now and then waiting for an answer. The daemon is killed (SIGKILL) at random moments. Counted at the end:

    crashes of a server, answers that do not belong to the text that was typed, requests answered after a kill,
    failed integrity checks, the most memory, and, per window, the prompt tokens computed for a key after the other
    window's turn

Rules: an answer holds the line up to the cursor, so every answer proves that no keystroke was lost.
"""

import asyncio
import contextlib
import os
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from evals.replay.history import read_history
from evals.replay.keystrokes import Action, Kind, actions_of, play
from evals.replay.ours import Ours, options_of
from evals.replay.run import TYPING, Run, Size, sizes
from evals.report import EvalError, open_results

_HISTORIES = ("httpx==0.27.2..0.28.1", "click==8.1.8..8.2.0")
_TURN = 20  # keystrokes before the other window types
_ASK_EVERY = 10  # keystrokes between two that wait for their answer
_KEY_S = 0.02
_LAST_TURNS = 10  # within which something must be shown after the last kill


@dataclass(slots=True)
class Window:
    """One window: its player, what it types, and what was seen."""

    player: Ours
    files: dict[str, str]
    script: list[Action]
    position: int = 0
    n_keys: int = 0
    n_answers: int = 0
    n_shown: int = 0
    n_shown_at_end: int = 0
    lost: list[str] = field(default_factory=list)
    computed_after_turn: list[int] = field(default_factory=list)

    async def turn(self, draw: random.Random) -> None:
        """Type for a while; the first key's cost shows what the other window's turn did to this one."""
        first = True
        for _ in range(_TURN):
            action = self.script[self.position % len(self.script)]
            if self.position % len(self.script) == 0 and self.position:
                self._undo()
            self.position += 1
            if action.kind not in TYPING:
                continue
            text = self.files[action.path] = play(self.files[action.path], action)
            self.n_keys += 1
            if first or self.n_keys % _ASK_EVERY == 0:
                self.player.change(action, text)
                await self._check(action, text, first=first)
                first = False
            else:
                self.player.act(self.n_keys, action, text)
                await asyncio.sleep(_KEY_S * draw.random() * 2)

    def _undo(self) -> None:
        """The script begins anew: its files are as they were."""
        for path, text in self.player.originals.items():
            if self.files[path] != text:
                whole = Action(Kind.DELETE, path, 0, self.files[path], text, 0.0)
                self.files[path] = play(self.files[path], whole)
                self.player.act(self.n_keys, whole, text)

    async def shown_in(self, n_turns: int, draw: random.Random) -> int:
        """Suggestions that were shown in so many turns."""
        before = self.n_shown
        for _ in range(n_turns):
            await self.turn(draw)
        return self.n_shown - before

    async def _check(self, action: Action, text: str, *, first: bool) -> None:
        answer = await self.player.ask(action.path, text, action.cursor)
        if answer is not None:
            self.n_answers += 1
            typed = text[text.rfind("\n", 0, action.cursor) + 1 : action.cursor]
            for item in answer["items"]:
                self.n_shown += 1
                if not item["insertText"].startswith(typed):
                    self.lost.append(f"{action.path}: {item['insertText'][:60]!r} does not go on from {typed[:60]!r}")
            if first:
                last = (await self.player.status())["last"] or {}
                if last.get("nPrompt"):
                    self.computed_after_turn.append(last["nComputed"])


async def run(*, n_keystrokes: int, n_kills: int, model: str, seed: int, out: Path | None) -> int:
    """Type, kill, count; exit code 1 when something was lost, crashed or did not balance."""
    console, draw = Console(), random.Random(seed)
    size = sizes(32)["4k"]
    windows = [await _open(spec, size, model, draw) for spec in _HISTORIES]
    kills = sorted(draw.sample(range(_TURN, n_keystrokes), n_kills))
    most: dict[str, float] = {"kv_mb": 0.0, "rss_mb": 0.0, "n_failed_checks": 0.0}
    n_killed = 0
    async with contextlib.AsyncExitStack() as stack:
        for window in windows:
            await stack.enter_async_context(window.player.editor)
        while (n := sum(window.n_keys for window in windows)) < n_keystrokes or kills:
            for window in windows:
                await window.turn(draw)
            daemon = (await windows[0].player.status())["daemon"]
            if daemon is not None:
                for name in most:
                    most[name] = max(most[name], daemon[name])
            if kills and n >= kills[0] and daemon is not None:
                kills.pop(0)
                n_killed += 1
                os.kill(daemon["pid"], signal.SIGKILL)
            console.print(f"[dim]{n} keystrokes, {n_killed} kills, {most['rss_mb']:.0f} MB[/]", end="\r")
        for window in windows:  # after the last kill everything must work again
            await window.player.ready()
            window.n_shown_at_end = await window.shown_in(_LAST_TURNS, draw)
            await window.player.rest()
    result = _result(windows, most, n_killed)
    with open_results("soak", out) as results:
        for window in windows:
            for line in window.lost:
                results.add({"id": "lost", "line": line})
        results.finish(result)
    return (
        1
        if result["n_lost"] or result["n_failed_checks"] or not all(window.n_shown_at_end for window in windows)
        else 0
    )


async def _open(spec: str, size: Size, model: str, draw: random.Random) -> Window:
    history = await asyncio.to_thread(read_history, spec)
    script = [
        action for change in history.changes for action in actions_of(change.path, change.before, change.after, draw)
    ]
    if not script:
        raise EvalError(f"{spec} has no changes to type")
    player = await Ours.start(options_of(size, model), Run("midfill", size.name), f"file:///{history.name}")
    await player.warm_up(history.files, script[0].path)
    return Window(player, dict(history.files), script)


def _result(windows: list[Window], most: dict[str, float], n_killed: int) -> dict[str, Any]:
    return {
        "suite": "soak",
        "n_keystrokes": sum(window.n_keys for window in windows),
        "n_answers": sum(window.n_answers for window in windows),
        "n_shown_at_end": min(window.n_shown_at_end for window in windows),
        "n_shown": sum(window.n_shown for window in windows),
        "n_lost": sum(len(window.lost) for window in windows),
        "n_kills": n_killed,
        **most,
        **{
            f"computed_after_turn_{number}": median(window.computed_after_turn or [0])
            for number, window in enumerate(windows)
        },
    }
