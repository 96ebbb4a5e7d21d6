"""Answers in time: what there is after a while is shown, and the rest comes with the next key, or the next press."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from completion.inflight import InFlight
from completion.pipeline import Deps, complete
from completion.types import Completion, CompletionRequest, Delta, Format, Outcome, Priority, Prompt, Trigger
from tests.completion.awaited import run, until
from tests.fakes import LIMITS, deps_with, request_at

_LIMITS = replace(LIMITS, patience_ms=30, quietness=0.5, rank_ms=None)


class _Slow:
    """Says pieces; before each that is None it waits for `go`."""

    def __init__(self, *pieces: str | None) -> None:
        self._pieces, self.go, self.n_closed, self.n_started = pieces, asyncio.Event(), 0, 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.n_started += 1
        done = False
        try:
            yield Delta(token_ids=tuple(prompt.heal), logprobs=(0.0,) * len(prompt.heal))
            for piece in self._pieces:
                if piece is None:
                    await self.go.wait()
                    self.go.clear()
                else:
                    yield Delta(token_ids=tuple(piece.encode()), logprobs=(-0.01,) * len(piece))
            done = True
        finally:
            self.n_closed += not done


class _Whole:
    """What comes to its end after a part of it was shown."""

    def __init__(self) -> None:
        self.come, self.text = asyncio.Event(), ""

    def take(self, request: CompletionRequest, completion: Completion) -> None:
        self.text = completion.text
        self.come.set()


def _typed(marked: str) -> CompletionRequest:
    return request_at(marked, trigger=Trigger.AUTOMATIC)


def _play(engine: _Slow, scenario: Callable[[Deps, _Whole], Coroutine[Any, Any, None]]) -> None:
    async def body() -> None:
        whole = _Whole()
        deps = replace(deps_with(engine, limits=_LIMITS), inflight=InFlight(whole.take))
        await scenario(deps, whole)

    run(body())


def test_what_is_certain_by_then_is_shown_and_the_rest_comes_with_the_next_key() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        first = await complete(deps, _typed("x = ▮\n"))
        assert (first.text, first.is_partial, first.outcome) == ("compute", True, Outcome.OK)
        again = await complete(deps, _typed("x = co▮\n"))
        assert (again.text, again.is_partial) == ("mpute", True)
        engine.go.set()
        await whole.come.wait()
        later = await complete(deps, _typed("x = com▮\n"))
        assert (later.text, later.is_partial) == ("pute(a, b)", False)
        assert engine.n_started == 1

    _play(engine := _Slow("compute", "(a", None, ", b)", "\n"), scenario)


def test_typing_past_what_was_shown_waits_for_more_of_the_same() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        assert (await complete(deps, _typed("x = ▮\n"))).text == "compute"
        typing = asyncio.create_task(complete(deps, _typed("x = compute(▮\n")))
        await asyncio.sleep(0.1)
        assert not typing.done()
        engine.go.set()
        assert (await typing).text == "a, b)"
        assert engine.n_started == 1

    _play(engine := _Slow("compute", "(a", None, ", b)", "\n"), scenario)


def test_typing_faster_than_the_patience_shows_something_too() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        deps = replace(deps, limits=replace(_LIMITS, patience_ms=200))
        first = asyncio.create_task(complete(deps, _typed("x = ▮\n")))
        await asyncio.sleep(0.12)
        first.cancel()
        second = asyncio.create_task(complete(deps, _typed("x = c▮\n")))
        await asyncio.sleep(0.12)
        assert second.done()
        assert second.result().text == "ompute"

    _play(_Slow("compute", "(a", None, ", b)", "\n"), scenario)


def test_nothing_is_shown_before_something_is_certain() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        typing = asyncio.create_task(complete(deps, _typed("x = ▮\n")))
        await asyncio.sleep(0.1)
        assert not typing.done()
        engine.go.set()
        completion = await typing
        assert (completion.text, completion.is_partial) == ("compute", False)

    _play(engine := _Slow("comp", None, "ute", "\n"), scenario)


def test_what_does_not_agree_ends_it_also_after_a_part_was_shown() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        assert (await complete(deps, _typed("x = ▮\n"))).is_partial
        other = asyncio.create_task(complete(deps, _typed("x = q▮\n")))
        await asyncio.sleep(0.05)
        assert (engine.n_started, engine.n_closed) == (2, 1)
        other.cancel()

    _play(engine := _Slow("compute", "(a", None, ", b)", "\n"), scenario)


def test_a_cursor_that_goes_elsewhere_ends_what_goes_on_behind_a_part() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        request = _typed("x = ▮\ny = 1\n")
        assert (await complete(deps, request)).is_partial
        deps.inflight.leave(request.session, "x = compute\ny = 1\n", len("x = compute"))  # typed as it says
        await asyncio.sleep(0.02)
        assert engine.n_closed == 0
        deps.inflight.leave(request.session, request.snapshot.text, len(request.snapshot.text))
        await until(lambda: engine.n_closed == 1)

    _play(engine := _Slow("compute", "(a", None, ", b)", "\n"), scenario)


def test_a_cursor_that_goes_elsewhere_ends_nothing_that_a_request_waits_for() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        request = _typed("x = ▮\ny = 1\n")
        waiting = asyncio.create_task(complete(deps, request))
        await asyncio.sleep(0.1)
        deps.inflight.leave(request.session, request.snapshot.text, 0)
        engine.go.set()
        assert (await waiting).text == "compute"

    _play(engine := _Slow("comp", None, "ute", "\n"), scenario)


def test_it_goes_on_although_no_request_waits_any_more() -> None:
    async def scenario(deps: Deps, whole: _Whole) -> None:
        assert (await complete(deps, _typed("x = ▮\n"))).is_partial
        await asyncio.sleep(0.5)  # longer than what no request waits for and no user was shown may live
        engine.go.set()
        await whole.come.wait()
        assert whole.text == "compute(a, b)"

    _play(engine := _Slow("compute", "(a", None, ", b)", "\n"), scenario)


class _Minds:
    """One answer in the middle; others, and what is read left to right, only once `go` is set."""

    def __init__(self) -> None:
        self.go, self.formats = asyncio.Event(), list[Format]()

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.formats.append(prompt.format)
        if len(self.formats) > 1:
            await self.go.wait()
        if prompt.target:
            yield Delta(token_ids=prompt.target, logprobs=(-1.0,) * len(prompt.target))
            return
        for number in range(prompt.n_candidates):
            ids = tuple(prompt.heal) + tuple(f"{'b' * (number + 1)} = a\n".encode())
            yield Delta(token_ids=ids, logprobs=(math.log(0.8),) * len(ids), candidate=number)


_ASKED = "def f(a):\n    ▮\n    return b\n"


def test_an_invoked_request_gets_the_first_answer_at_once_and_others_at_the_next_press() -> None:
    async def body() -> None:
        deps = deps_with(engine := _Minds(), limits=_LIMITS)  # type: ignore[arg-type]
        first = await complete(deps, request_at(_ASKED))
        assert (first.text, first.is_partial, first.alternatives) == ("b = a", True, ())
        second = asyncio.create_task(complete(deps, request_at(_ASKED)))
        await asyncio.sleep(0.1)
        assert not second.done()
        engine.go.set()
        more = await second
        assert (more.is_partial, len(more.alternatives) > 0) == (False, True)
        third = await complete(deps, request_at(_ASKED))
        assert (third.text, third.alternatives, third.reused) == (more.text, more.alternatives, True)

    run(body())


class _NothingAtFirst:
    """Has nothing to say when it is asked for one answer; of several it has one. It never reads left to right."""

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        if prompt.format is Format.LEFT:
            await asyncio.Event().wait()
        for number in range(prompt.n_candidates):
            ids = tuple(prompt.heal) + (tuple(b"b = a\n") if number else (ord("\n"),))
            yield Delta(token_ids=ids, logprobs=(math.log(0.8),) * len(ids), candidate=number)


def test_an_invoked_request_where_the_model_has_nothing_at_first_gets_the_first_that_it_has() -> None:
    async def body() -> None:
        deps = deps_with(_NothingAtFirst(), limits=_LIMITS)  # type: ignore[arg-type]
        completion = await asyncio.wait_for(complete(deps, request_at(_ASKED)), 10)
        assert (completion.text, completion.is_partial) == ("b = a", True)

    run(body())


@pytest.mark.parametrize("patience_ms", [30, None])
def test_an_invoked_request_does_not_wait_for_what_an_automatic_one_began(patience_ms: int | None) -> None:
    async def body() -> None:
        engine = _Slow(None, "automatic", "\n")
        deps = deps_with(engine, limits=replace(_LIMITS, rank_ms=0, patience_ms=patience_ms))
        typing = asyncio.create_task(complete(deps, _typed("x = ▮\n")))
        await asyncio.sleep(0.05)
        typing.cancel()
        asking = asyncio.create_task(complete(deps, request_at("x = ▮\n")))
        await until(lambda: (engine.n_started, engine.n_closed) == (2, 1))
        engine.go.set()
        assert (await asking).text == "automatic"

    run(body())
