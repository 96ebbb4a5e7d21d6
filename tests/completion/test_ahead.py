"""The completion after the shown one: where it is asked, that it is remembered, and that it gives way."""

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest

from completion.ahead import complete_ahead, look_ahead, request_after
from completion.pipeline import complete
from completion.types import Completion, CompletionRequest, Delta, Mode, Outcome, Priority, Prompt, Trigger
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


def _at(marked: str) -> CompletionRequest:
    return request_at(marked, mode=Mode.LINE, trigger=Trigger.AUTOMATIC)


@pytest.mark.parametrize("then", ["def f(a):\n    x▮\n", "def f(a):\n    c = 1\n    x▮\n"])
def test_the_next_completion_that_asks_the_model_closes_it(then: str) -> None:
    async def run() -> None:
        engine = Counting()
        deps, request = deps_with(engine), _at("def f(a):\n    ▮\n")
        task = look_ahead(deps, request, await complete(deps, request))
        assert task is not None
        await engine.asked_ahead.wait()
        asked = asyncio.create_task(complete(deps, _at(then)))
        await engine.closed_ahead.wait()  # and not only when a lingering time is over
        await asyncio.wait([task], timeout=1)
        assert task.cancelled()
        assert (await asked).outcome is not Outcome.STALE
        assert engine.priorities == [Priority.INTERACTIVE, Priority.NEXT, Priority.INTERACTIVE]

    asyncio.run(asyncio.wait_for(run(), 20))


def test_typing_what_is_shown_lets_it_go_on_and_starts_no_second() -> None:
    async def run() -> None:
        engine = Counting()
        deps, request = deps_with(engine), _at("def f(a):\n    ▮\n")
        task = look_ahead(deps, request, await complete(deps, request))
        await engine.asked_ahead.wait()
        for typed in ("c", "c ", "c ="):
            request = _at(f"def f(a):\n    {typed}▮\n")
            rest = await complete(deps, request)
            assert rest.reused
            assert look_ahead(deps, request, rest) is None
        engine.go_on.set()
        assert task is not None
        await task
        assert (await complete(deps, _at("def f(a):\n    c = 1\n    ▮\n"))).reused
        assert look_ahead(deps, request, rest) is None  # done already
        assert engine.priorities == [Priority.INTERACTIVE, Priority.NEXT]

    asyncio.run(asyncio.wait_for(run(), 20))


class Writing:
    """What it says follows from the prompt, of either format, and so do its scores. Never sure."""

    says = ("total = sum(values)", "return a + 1", "for value in a:", "if not a:", "print(a, c)", "")

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        number = zlib.crc32(bytes(token % 251 for token in prompt.token_ids) + bytes(prompt.target or ()))
        ids = prompt.target or tuple(prompt.heal + self.says[number % len(self.says)].encode() + b"\n")
        yield Delta(token_ids=tuple(ids), logprobs=(-1 - number % 7 / 7,) * len(ids))


@pytest.mark.parametrize(
    "marked",
    [
        "def f(a):\n    b = ▮\n    return b\n",
        "def f(a):\n    b = 1\n    ▮\n    return b, c\n",
        "def f(a):\n    ▮\n\n\nprint(f(1))\n",
        "x = [1]\ny = ▮\nprint(x)\n",
        "class A:\n\tdef f(self):\n\t\tself.x = ▮\n\n\tdef g(self):\n\t\treturn self.x\n",
    ],
)
@pytest.mark.parametrize("text", ["a", "a(1)", "2", "c  # so"])
def test_it_is_what_asking_after_the_acceptance_gives(marked: str, text: str) -> None:
    async def run() -> None:
        request = request_at(marked, trigger=Trigger.AUTOMATIC)
        shown = Completion(text=text, outcome=Outcome.OK, mode=Mode.LINE)
        then = request_after(request, shown)
        asked = await complete(deps_with(Writing()), then)
        deps = deps_with(Writing())
        await complete_ahead(deps, request, shown)
        remembered = deps.cache.reuse(then)
        assert asked.outcome in (Outcome.OK, Outcome.EMPTY, Outcome.FILTERED)
        assert (remembered.text if remembered else "") == asked.text
        assert (remembered.replace_right if remembered else 0) == asked.replace_right

    asyncio.run(run())


def test_typing_on_at_once_has_nothing_computed_ahead() -> None:
    async def run() -> None:
        engine = Counting()
        deps = deps_with(engine)
        for typed in ("", "q", "qu", "qui"):
            request = _at(f"def f(a):\n    {typed}▮\n")
            look_ahead(deps, request, await complete(deps, request))
            await asyncio.sleep(0.05)
        assert engine.priorities == [Priority.INTERACTIVE] * 4
        await engine.asked_ahead.wait()  # the last one is read

    asyncio.run(asyncio.wait_for(run(), 20))


def test_cancelling_closes_its_generation() -> None:
    async def run() -> None:
        engine = Counting()
        deps, request = deps_with(engine), _at("def f(a):\n    ▮\n")
        task = look_ahead(deps, request, await complete(deps, request))
        assert task is not None
        await engine.asked_ahead.wait()
        deps.inflight.cancel_all()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.closed_ahead.is_set()

    asyncio.run(asyncio.wait_for(run(), 20))
