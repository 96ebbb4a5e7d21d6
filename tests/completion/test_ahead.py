"""The completion after the shown one: where it is asked, that it is remembered, and that it gives way."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from completion.ahead import complete_ahead, request_after
from completion.pipeline import complete
from completion.types import Completion, Delta, Mode, Outcome, Priority, Prompt, Trigger
from tests.fakes import CURSOR, deps_with, request_at


def _after(marked: str, text: str, *, language: str = "python", replace_right: int = 0) -> str:
    """The document with its cursor after accepting a text and going on."""
    shown = Completion(text=text, outcome=Outcome.OK, mode=Mode.LINE, replace_right=replace_right)
    request = request_after(request_at(marked, language=language), shown)
    whole = request.snapshot.text
    assert request.trigger is Trigger.AUTOMATIC
    assert request.snapshot.tree.source.decode() == whole
    return whole[: request.cursor] + CURSOR + whole[request.cursor :]


@pytest.mark.parametrize(
    ("marked", "text", "expected"),
    [
        ("def f(a):\n    b = ▮\n", "a", "def f(a):\n    b = a\n    ▮\n"),
        ("def f(a):\n    if ▮\n", "a:", "def f(a):\n    if a:\n        ▮\n"),
        ("def f(a):\n  b = 1\n  for x in ▮\n", "a:", "def f(a):\n  b = 1\n  for x in a:\n    ▮\n"),
        ("def f(a):\n\tif ▮\n", "a:", "def f(a):\n\tif a:\n\t\t▮\n"),
        ("x = 1\r\ny = ▮\r\n", "2", "x = 1\r\ny = 2\r\n▮\r\n"),
        ("print(▮, 2)\n", "1", "print(1▮, 2)\n"),
    ],
)
def test_it_is_asked_where_the_user_goes_on(marked: str, text: str, expected: str) -> None:
    assert _after(marked, text) == expected


def test_closers_that_the_suggestion_brings_are_replaced() -> None:
    assert _after("print(▮)\n", "a)", replace_right=1) == "print(a)\n▮\n"


class Counting:
    """Says the same thing always, after it is let; remembers how urgent it was."""

    def __init__(self) -> None:
        self.priorities: list[Priority] = []
        self.go_on, self.asked_ahead, self.closed_ahead = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.priorities.append(priority)
        try:
            if priority is Priority.NEXT:
                self.asked_ahead.set()
                await self.go_on.wait()
            ids = tuple(prompt.heal + b"c = 1\n")
            yield Delta(token_ids=ids, logprobs=(-0.1,) * len(ids))
        finally:
            if priority is Priority.NEXT:
                self.closed_ahead.set()


def test_accepting_and_going_on_asks_the_model_nothing() -> None:
    async def run() -> None:
        engine = Counting()
        deps = deps_with(engine)
        request = request_at("def f(a):\n    ▮\n", mode=Mode.LINE, trigger=Trigger.AUTOMATIC)
        shown = await complete(deps, request)
        engine.go_on.set()
        await complete_ahead(deps, request, shown)
        assert engine.priorities == [Priority.INTERACTIVE, Priority.NEXT]
        then = request_at("def f(a):\n    c = 1\n    ▮\n", mode=Mode.LINE, trigger=Trigger.AUTOMATIC)
        following = await complete(deps, then)
        assert (following.text, following.reused) == ("c = 1", True)
        assert len(engine.priorities) == 2
        other = request_at("def f(a):\n    d = 2\n    ▮\n", mode=Mode.LINE, trigger=Trigger.AUTOMATIC)
        assert not (await complete(deps, other)).reused

    asyncio.run(run())


def test_cancelling_closes_its_generation() -> None:
    async def run() -> None:
        engine = Counting()
        deps = deps_with(engine)
        request = request_at("def f(a):\n    ▮\n", mode=Mode.LINE, trigger=Trigger.AUTOMATIC)
        shown = await complete(deps, request)
        task = asyncio.create_task(complete_ahead(deps, request, shown))
        await engine.asked_ahead.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await engine.closed_ahead.wait()  # it lives on for a moment, for a request that goes on from it
        assert deps.inflight._running == {}

    asyncio.run(run())
