"""Outcomes of typed answers, what is fitted on them, and the choice of `quietness`."""

import asyncio
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from completion.pipeline import complete
from completion.types import Trigger
from evals.cli import main
from evals.typing.ours import TypingOurs
from evals.typing.outcomes import outcomes_of
from evals.typing.person import TextChange
from evals.typing.screen import Screen
from evals.typing.typing_bench import RealClock
from lsp_server.config import Config
from lsp_server.usage.explain import Spot, explanation
from tests.fakes import LIMITS, ScriptedEngine, deps_with, request_at


def _answer(position: int, candidate: str, **more: Any) -> dict[str, Any]:
    return {
        "position": position,
        "candidate": candidate,
        "covered": "",
        "probability": 0.5,
        "text": candidate,
    } | more


def _row(text: str, answers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    about = {"suite": "typing", "id": "click midfill 1", "history": "click", "language": "python", "held_out": False}
    return about | {"contender": "midfill", "text": text, "answers": answers} | more


def _only(text: str, answer: dict[str, Any]) -> tuple[bool, bool, int, int]:
    (found,) = outcomes_of(_row(text, [answer]))
    return found.right_whole, found.right_line, found.n_right, found.n_characters


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("x = compute(a)\n", _answer(4, "compute(a)"), (True, True, 10, 10)),
        ("x = compute(a)\n", _answer(4, "compute(b)"), (False, False, 8, 10)),
        ("a()\nb()\n", _answer(1, "()\nc()"), (False, True, 3, 6)),
        ("a()\nb()\n", _answer(3, "\nb()\nc()"), (False, True, 5, 8)),
        ("print(a", _answer(6, "a)", covered=")"), (True, True, 1, 1)),  # the editor had closed it
        ("print(a", _answer(6, "a) + b", covered=")"), (False, False, 1, 6)),
        ("x = 1", _answer(4, "1 + 2"), (False, False, 1, 5)),
    ],
)
def test_how_much_of_an_answer_was_wanted(
    text: str, answer: dict[str, Any], expected: tuple[bool, bool, int, int]
) -> None:
    assert _only(text, answer) == expected


def test_what_was_kept_back_is_an_outcome_and_what_was_not_asked_for_is_none() -> None:
    answers = [
        _answer(0, "x = 1", text=""),
        _answer(1, " = 1", reused=True),
        {"position": 2, "asked": 0.0, "answered": None},
        _answer(3, " "),
        _answer(4, "x = 1", text="1"),  # of a request that this one joined
    ]
    (found,) = outcomes_of(_row("x = 1", answers))
    assert (found.was_shown, found.right_whole, found.id) == (False, True, "click midfill 1 0")
    assert not list(outcomes_of(_row("x = 1", answers, contender="llama.vim")))


class _Editor:
    """Answers what the server would of one completion."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self.asked = asyncio.Event()

    async def request(self, _method: str, _params: Any) -> dict[str, Any]:
        self.asked.set()
        return {"explanations": [self._told]}


class _Server:
    """Has one completion, which it keeps back."""

    pids: ClassVar[list[int]] = []

    def __init__(self, told: dict[str, Any]) -> None:
        self.editor = _Editor(told)

    def change(self, _action: Any, _text: str) -> None:
        pass

    async def ask(self, _path: str, _text: str, _cursor: int) -> dict[str, Any]:
        return {"items": []}

    async def status(self) -> dict[str, Any]:
        return {"last": {"outcome": "quiet", "reused": False}}


def test_the_bench_keeps_of_an_answer_what_came_of_it_is_told_by() -> None:
    async def played() -> list[dict[str, Any]]:
        request = request_at("print(▮)\n", trigger=Trigger.AUTOMATIC)
        deps = deps_with(ScriptedEngine(["a)  \n"]), limits=LIMITS)
        spot = Spot(at=0.0, uri="", path="a.py", line=1, column=7, language="python", latency_ms=1.0)
        told = explanation("w-1", spot, await complete(deps, request), {})
        clock = RealClock()
        server = _Server(told)
        player = TypingOurs(server, Screen(clock), clock)  # type: ignore[arg-type]
        player.change(TextChange("a.py", 5, "", "(", "print()\n"))
        await server.editor.asked.wait()
        await player.settle()
        return player.answers

    (answer,) = asyncio.run(asyncio.wait_for(played(), 60))
    (found,) = outcomes_of(_row("a", [answer]))
    assert (found.was_shown, found.right_whole, found.n_characters) == (False, True, 1)
    assert 0 < found.probability < 1


def _run_at(path: Path, quietness: float | None, completed: float, right: float, **more: Any) -> str:
    figures = {"completed_share": completed, "right_share": right, "noise": 1.0}
    same = {"suite": "typing", "histories": ["click"], "context": "4k", "model": "m", "n_keys": 9, "speed": 1.0}
    path.write_text(json.dumps({"summary": same | figures | {"quietness": quietness} | more}) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(0.0, 0.5, 0.6), (0.2, 0.45, 0.76), (0.4, 0.4, 0.9)], (0.2, True)),
        ([(0.0, 0.5, 0.8), (0.2, 0.45, 0.85), (0.4, 0.4, 0.9)], (0.0, True)),
        ([(0.0, 0.5, 0.5), (0.2, 0.45, 0.6), (0.4, 0.4, 0.7)], (0.4, False)),
        ([(0.0, 0.5, 0.6), (None, 0.45, 0.8)], (Config().quietness, True)),
    ],
)
def test_of_what_is_right_often_enough_the_one_that_completes_most_is_chosen(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    runs: list[tuple[float | None, float, float]],
    expected: tuple[float, bool],
) -> None:
    paths = [_run_at(tmp_path / f"{number}.jsonl", *each) for number, each in enumerate(runs)]
    assert main(["eval", "quietness", *paths, "--out", str(tmp_path / "out.jsonl")]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["quietness"], summary["is_right_enough"]) == expected


def test_runs_that_differ_in_more_than_quietness_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [_run_at(tmp_path / "a.jsonl", 0.0, 0.5, 0.8), _run_at(tmp_path / "b.jsonl", 0.1, 0.5, 0.8, model="n")]
    assert main(["eval", "quietness", *paths]) == 1
    assert "differs from" in capsys.readouterr().err
