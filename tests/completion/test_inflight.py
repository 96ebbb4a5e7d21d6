"""Typing on while the model works: what agrees is joined, what does not is ended, what nobody wants ends by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from completion.inflight import typed_since
from completion.pipeline import complete
from completion.types import Completion, Delta, Outcome, Priority, Prompt
from tests.fakes import deps_with, request_at


class GatedEngine:
    """Says `says` byte by byte; after `n_first` bytes it waits for `go`."""

    def __init__(self, says: str, n_first: int) -> None:
        self._says, self._n_first = says, n_first
        self.go = asyncio.Event()
        self.waiting = asyncio.Event()
        self.n_started = self.n_closed = 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.n_started += 1
        done = False
        try:
            for n, byte in enumerate(prompt.heal + self._says.encode()):
                if n == len(prompt.heal) + self._n_first:
                    self.waiting.set()
                    await self.go.wait()
                yield Delta(token_ids=(byte,), logprobs=(-0.1,))
            done = True
        finally:
            self.n_closed += not done


def play(scenario: Callable[[GatedEngine, Callable[[str], "asyncio.Task[Completion]"]], Awaitable[None]]) -> None:
    async def body() -> None:
        engine = GatedEngine("compute(a, b)\n", 4)
        deps = deps_with(engine)  # type: ignore[arg-type]

        def ask(marked: str) -> "asyncio.Task[Completion]":
            return asyncio.create_task(complete(deps, request_at(marked)))

        await scenario(engine, ask)

    asyncio.run(asyncio.wait_for(body(), 20))


@pytest.mark.parametrize("typed", ["c", "comp", "compute(", "compute(a, b"])
def test_a_request_that_agrees_joins_the_one_under_way(typed: str) -> None:
    async def scenario(engine: GatedEngine, ask: Callable[[str], "asyncio.Task[Completion]"]) -> None:
        first = ask("x = ▮\ny = 1\n")
        await engine.waiting.wait()
        first.cancel()
        second = ask(f"x = {typed}▮\ny = 1\n")
        await asyncio.sleep(0.4)  # longer than a completion that no request waits for may live
        engine.go.set()
        completion = await second
        assert completion.text == "compute(a, b)"[len(typed) :]
        assert not completion.reused
        assert (engine.n_started, first.cancelled()) == (1, True)

    play(scenario)


@pytest.mark.parametrize("other", ["x = q▮\ny = 1\n", "x = ▮\ny = 2\n", "z = c▮\ny = 1\n", "x =▮\ny = 1\n"])
def test_a_request_that_does_not_agree_ends_the_one_under_way(other: str) -> None:
    async def scenario(engine: GatedEngine, ask: Callable[[str], "asyncio.Task[Completion]"]) -> None:
        first = ask("x = ▮\ny = 1\n")
        await engine.waiting.wait()
        first.cancel()
        second = ask(other)
        await asyncio.sleep(0.05)
        assert (engine.n_started, engine.n_closed) == (2, 1)
        engine.go.set()
        assert (await second).outcome is Outcome.OK

    play(scenario)


def test_text_that_turns_out_to_disagree_ends_the_one_under_way_at_once() -> None:
    async def scenario(engine: GatedEngine, ask: Callable[[str], "asyncio.Task[Completion]"]) -> None:
        first = ask("x = ▮\ny = 1\n")
        await engine.waiting.wait()
        second = ask("x = compare▮\ny = 1\n")  # agrees with "comp", not with what comes
        await asyncio.sleep(0.05)
        assert engine.n_started == 1
        engine.go.set()
        await second
        assert engine.n_started == 2
        await asyncio.wait([first])  # all was generated: whether its filters were done in time is nobody's concern
        assert first.cancelled() or first.result().text == "compute(a, b)"

    play(scenario)


def test_a_completion_that_no_request_waits_for_ends_by_itself() -> None:
    async def scenario(engine: GatedEngine, ask: Callable[[str], "asyncio.Task[Completion]"]) -> None:
        first = ask("x = ▮\ny = 1\n")
        await engine.waiting.wait()
        first.cancel()
        await asyncio.sleep(0.1)
        assert engine.n_closed == 0
        await asyncio.sleep(0.5)
        assert engine.n_closed == 1

    play(scenario)


@pytest.mark.parametrize(
    ("old", "new", "typed"),
    [
        ("a = ▮\nb", "a = 1▮\nb", "1"),
        ("a = ▮\nb", "a = ▮\nb", ""),
        ("a = ▮\nb", "a = 1▮\nc", None),
        ("a = ▮\nb", "c = 1▮\nb", None),
        ("a = 1▮\nb", "a = ▮\nb", None),
    ],
)
def test_what_was_typed_between_two_requests(old: str, new: str, typed: str | None) -> None:
    assert typed_since(request_at(old), request_at(new)) == typed
