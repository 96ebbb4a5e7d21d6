"""The two contenders of the typing bench: what of an answer is shown, and what the editor tells of it."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evals.peers.llama_vim import LlamaVim, VimSettings
from evals.replay.ours import Ours
from evals.replay.run import Run
from evals.typing.ours import TypingOurs, first_line, first_word, ghost_of
from evals.typing.peer import TypingPeer, shown_text
from evals.typing.person import Person, TextChange
from evals.typing.screen import Ghost, Screen
from evals.typing.typing_bench import RealClock
from evals.typing.wish import Edit, Pace
from lsp_server.cli.editor import Editor
from tests.evals.typing_world import JumpingClock


def item(text: str, end: int) -> dict[str, Any]:
    return {"insertText": text, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": end}}}


@pytest.mark.parametrize(
    ("line", "cursor", "insert", "end", "ghost"),
    [
        ("x = ", 4, "x = 1", 4, Ghost("1")),
        ("f()", 2, "f(a, b)", 3, Ghost("a, b")),  # the bracket is there
        ("f(])", 2, "f(a)]", 3, Ghost("a)")),
        ("f(')", 2, "f(a) ", 3, Ghost("a) ", is_whole=False)),
        ("😀 = ", 4, "😀 = é", 5, Ghost("é")),
    ],
)
def test_what_an_item_adds_at_the_cursor(line: str, cursor: int, insert: str, end: int, ghost: Ghost) -> None:
    change = TextChange("a.py", cursor - 1, "", line[cursor - 1], line + "\nmore")
    assert ghost_of(item(insert, end), change) == ghost


def test_words_and_lines_are_cut_as_in_neovim() -> None:
    assert [first_word(text) for text in ("  foo(bar", "(: x", "\n  y = 1", "ü_1.a", "  ")] == [
        "  foo",
        "(:",
        "\n  y",
        "ü_1",
        "  ",
    ]
    assert [first_line(text) for text in ("a b\nc", "\n  c\nd", "a")] == ["a b", "\n  c", "a"]


LINES = ["def f():", "    ", "", "    return x", "    more", "end"]


@pytest.mark.parametrize(
    ("content", "x", "y", "shown"),
    [
        ("    x = 1\n    y = 2\n", 4, 1, "x = 1\n    y = 2"),  # the line has these blanks already
        ("    yield x", 4, 1, "yield x"),
        ("    return x", 4, 1, ""),
        ("\n    return x", 0, 2, ""),  # the same
        ("\n    return x", 4, 3, "\n    return x"),
        ("\n    more", 12, 3, ""),  # it is there, on the next line
        ("more", 4, 3, ""),
        ("):", 6, 0, ""),  # it is there, to the right
        ("\n\n", 8, 0, ""),
    ],
)
def test_what_the_plugin_shows(content: str, x: int, y: int, shown: str) -> None:
    assert shown_text(content, LINES, x, y) == shown


def test_the_plugin_shows_its_ghost_while_it_is_typed_and_nothing_after_a_jump() -> None:
    async def scenario() -> None:
        clock = JumpingClock()
        vim = LlamaVim("http://127.0.0.1:1", VimSettings(), random.Random(0), lambda at_once: None)
        player = TypingPeer(vim, Screen(clock), clock, 1)
        # What the server would have answered lies in the cache already; nothing listens at the address.
        vim._cache[("a = 1\nb", "\n")] = " = compute"
        player.enter("a.py", "a = 1\n", 6)
        player.screen.position = 0
        for position, piece in enumerate("b ="):
            player.screen.advance(piece)
            text = "a = 1\nb ="[: 7 + position]
            player.change(TextChange("a.py", 6 + position, "", piece, text))
            expected = " = compute"[position:]
            assert player.screen.ghost == Ghost(expected)
        assert [row["reused"] for row in player.answers] == [True] * 3
        player.screen.advance("x")
        player.change(TextChange("a.py", 9, "", "x", "a = 1\nb =x"))
        assert player.screen.ghost is None
        player.enter("a.py", "a = 1\nb =x", 0)
        vim.on_shown(False)
        assert player.screen.ghost is None
        for task in [vim._job, *vim._background]:
            if task is not None:
                task.cancel()
        vim.close()

    asyncio.run(scenario())


class GrowingServer:
    """A server, as `Ours` drives it, whose answer at a place is longer each time."""

    def __init__(self, answers: list[str]) -> None:
        self.pids: list[int] = []
        self.editor, self.root = self, ""
        self.on_notification = lambda method, params: None
        self._answers = answers

    async def ask(self, path: str, text: str, offset: int) -> dict[str, Any]:
        line = text[:offset].rpartition("\n")[2]
        return {"items": [{**item(line + self._answers.pop(0), len(line)), "command": {"arguments": ["1"]}}]}

    async def status(self) -> dict[str, Any]:
        return {"last": {"outcome": "ok", "reused": True}}

    def change(self, action: Any, text: str) -> None:
        pass

    def notify(self, method: str, params: Any) -> None:
        pass


@pytest.mark.parametrize(("second", "shown"), [("one(two)", "one(two)"), ("other", "one(")])
def test_a_ghost_that_is_known_further_by_now_grows_where_it_stands(second: str, shown: str) -> None:
    async def scenario() -> None:
        server, clock = GrowingServer(["one(", second]), JumpingClock()
        player = TypingOurs(server, Screen(clock), clock)  # type: ignore[arg-type]
        player.screen.position = 1
        player.change(TextChange("a.py", 4, "", "=", "x = = y"[:5]))
        server.on_notification("$/midfill/grown", {"uri": "file:///w/a.py"})  # nothing is shown yet
        await asyncio.sleep(0.01)
        assert player.screen.ghost == Ghost("one(")
        server.on_notification("$/midfill/grown", {"uri": "file:///w/b.py"})
        await asyncio.sleep(0.01)
        assert player.screen.ghost == Ghost("one(")
        server.on_notification("$/midfill/grown", {"uri": "file:///w/a.py"})
        await asyncio.sleep(0.01)
        assert player.screen.ghost == Ghost(shown)
        assert len(player.screen.past) == 0
        assert len(player.answers) == 1
        await player.settle()

    asyncio.run(scenario())


class Patient(Pace):
    """Types one key, and then waits so long that every answer comes first."""

    def wait(self, edit: Edit, position: int) -> float:
        return 0.01 if position == 0 else 60.0

    def jump(self, edit: Edit) -> float:
        return 0.01

    def notice(self, edit: Edit, position: int) -> float:
        return 0.01

    def press(self, edit: Edit, position: int) -> float:
        return 0.01


@pytest.mark.e2e
def test_a_person_types_with_the_real_server_over_stdio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine says `return total` wherever it is asked; she wants that, and takes it."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    before = "def f(total):\n    pass\n\n\ndef g(total):\n"
    wish = Edit(0, "a.py", 22, "", "\n    return total", 17)

    async def scenario() -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.lsp_server.fake_server",
            "return total\n",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ,
        )
        editor = Editor(process, lambda method, params: None)
        options = {"maxWaitMs": 0, "maxPromptTokens": 8_192, "context": {"index": False}, "quietness": 0}
        ours = await Ours.over(editor, options, Run("midfill", "4k"), folder.as_uri())
        async with ours.editor:
            ours.open("a.py", before)
            clock = RealClock()
            player = TypingOurs(ours, Screen(clock), clock)
            person = Person(player, clock, Patient(0), {"a.py": before})
            row = await person.play(wish)
            await player.settle()
            why = await editor.request("midfill/why", {"last": 5})
            return row | {"answers": player.answers, "text": person.texts["a.py"], "why": why["explanations"]}

    row = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert [(key["kind"], key["text"]) for key in row["keys"]] == [("key", "\n    "), ("all", "return total")]
    assert row["text"] == before[:22] + "\n    return total" + before[22:]
    first = row["answers"][0]
    assert (first["position"], first["text"], first["outcome"], first["reused"]) == (5, "return total", "ok", False)
    assert "probability" in first
    assert row["ghosts"][0]["n_accepted"] == len("return total")
    assert [told["fate"] for told in row["why"] if told["text"] == "return total"] == ["accepted"]
