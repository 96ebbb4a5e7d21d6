"""A replay's figures: what a wait is, what counts as the engine's, and the keys made of two runs."""

import asyncio
import random
from typing import Any

import pytest

from evals.replay.history import Change, History
from evals.replay.keystrokes import Action, Kind, play
from evals.replay.ours import Ours
from evals.replay.replay_bench import keys_of
from evals.replay.run import Run, figures, script_of


def key(kind: Kind = Kind.KEY) -> Action:
    return Action(kind, "f", 0, "", "x", 0.1)


def test_a_wait_lasts_until_there_is_an_answer_for_the_text_as_it_is_then() -> None:
    run = Run("midfill", "4k")
    run.actions = [key(), key(), key(Kind.JUMP), key(), key()]
    run.began = [0.0, 0.2, 0.4, 1.0, 1.2]
    run.skipped = {4}
    run.shown = [(0.5, 1, False), (1.0, 3, True)]
    assert run.waits_ms() == [(pytest.approx(500.0), True), (pytest.approx(300.0), True), (pytest.approx(0.0), False)]
    made = figures(run)
    assert (made["n_keystrokes"], made["n_engine"], made["p50_ms"]) == (3, 2, pytest.approx(400.0))
    assert made["keystroke_p50_ms"] == pytest.approx(300.0)


def test_a_key_that_never_got_an_answer_waited_to_the_end() -> None:
    run = Run("midfill", "4k", ended=9.0)
    run.actions, run.began, run.shown = [key(), key()], [0.0, 4.0], [(1.0, 0, False)]
    assert figures(run)["p50_ms"] == pytest.approx(3000.0)


def test_ratios_are_ours_over_the_peers_and_the_last_size_has_no_suffix() -> None:
    def row(name: str, size: str, p50: float) -> tuple[Run, dict[str, float]]:
        values = dict.fromkeys(figures(Run(name, size)), 0.0)
        return Run(name, size), values | {"p50_ms": p50, "p95_ms": 2 * p50, "keystroke_p50_ms": p50 / 2}

    keys = keys_of(
        [row("midfill", "4k", 10), row("llama.vim", "4k", 40), row("midfill", "16k", 30), row("llama.vim", "16k", 60)]
    )
    assert (keys["replay_p50_ms"], keys["replay_p50_ratio"], keys["replay_p95_ratio"]) == (30, 0.5, 0.5)
    assert (keys["replay_p50_ms_4k"], keys["replay_p50_ratio_4k"]) == (10, 0.25)
    assert keys["keystroke_p50_ratio"] == 0.5


def test_a_script_switches_files_and_types_their_changes() -> None:
    before = {name: f"{name} = 0\n" * 30 for name in ("a.py", "b.py", "c.py")}
    changes = tuple(
        Change(name, text, "".join(f"new_{i} = {i}\n" if i % 5 == 0 else f"{name} = 0\n" for i in range(30)))
        for name, text in before.items()
    )
    script = script_of(History("p", before, changes), 200, seed=1)
    texts = dict(before)
    for action in script:
        texts[action.path] = play(texts[action.path], action)
    assert {Kind.SWITCH, Kind.JUMP, Kind.KEY} <= {action.kind for action in script}
    assert script == script_of(History("p", before, changes), 200, seed=1)
    finished = [change for change in changes if texts[change.path] == change.after]
    assert finished
    random.seed(0)


class _Editor:
    """An editor's connection whose server never answers."""

    pid = 1

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.n_cancelled = 0

    def notify(self, method: str, params: object) -> None:
        pass

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params["textDocument"].get("version", 0)))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise


def test_what_follows_is_asked_for_behind_every_key_and_no_more_when_the_next_comes() -> None:
    async def played(*, asks_next_edits: bool) -> _Editor:
        editor = _Editor()
        player = Ours(editor, Run("midfill", "4k"), "file:///r")  # type: ignore[arg-type]
        player.asks_next_edits = asks_next_edits
        player.open("f", "")
        for text in ("x", "xx"):
            player.act(0, key(), text)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert editor.n_cancelled == (2 if asks_next_edits else 1)  # those of the first key
        return editor

    editor = asyncio.run(played(asks_next_edits=True))
    assert [each for each in editor.asked if each[0] == "midfill/nextEdit"] == [("midfill/nextEdit", n) for n in (2, 3)]
    assert {method for method, _ in asyncio.run(played(asks_next_edits=False)).asked} == {
        "textDocument/inlineCompletion"
    }
