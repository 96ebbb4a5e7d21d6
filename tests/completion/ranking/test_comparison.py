"""A second opinion: when it is asked for, which answer wins, and that it never makes the first one worse."""

import asyncio
import threading
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from completion.asking import Asker
from completion.pipeline import complete, prompt_for, prompts_for
from completion.stop import stop_rule
from completion.types import (
    Completion,
    Delta,
    EngineUnavailable,
    Format,
    Mode,
    Outcome,
    Priority,
    Prompt,
    Trigger,
)
from parsers.parse import Question, SyntaxTree
from tests.fakes import LIMITS, SPEC, deps_with, request_at

_RANKED = replace(LIMITS, rank_ms=None)
_MARKED = "def f(a):\n    ▮\n    return a\n"


def line_scored(prompt: Prompt) -> str:
    """What stands behind the header, scored or, where the model said it itself, only read."""
    read = bytes(token for token in prompt.token_ids if token < 256).rpartition(b":\n")[2]
    return (read + bytes(prompt.target)).decode()


class TwoMinds:
    """Says one thing to a FIM prompt and another to a left-to-right one; finds likely what has a `likely` word."""

    def __init__(self, fim: str, left: str, likely: str, first_logprob: float = -1.0) -> None:
        self._says = {Format.FIM: fim, Format.LEFT: left}
        self._likely, self._logprob = likely, first_logprob
        self.asked: list[Format] = []
        self.scored: list[str] = []
        self.sessions: list[str] = []
        self.second_hangs = False
        self.second_is_down = False

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.sessions.append(session)
        if prompt.target:
            text = line_scored(prompt)
            self.scored.append(text)
            logprob = -0.1 if self._likely in text else -2.0
            yield Delta(token_ids=prompt.target, logprobs=(logprob,) * len(prompt.target))
            return
        self.asked.append(prompt.format)
        if len(self.asked) == 2 and self.second_is_down:
            raise EngineUnavailable("gone", Outcome.ENGINE_DOWN)
        if len(self.asked) == 2 and self.second_hangs:
            await asyncio.Event().wait()
        ids = tuple(prompt.heal) + tuple(f"{self._says[prompt.format]}\n".encode())
        yield Delta(token_ids=ids, logprobs=(self._logprob,) * len(ids))


def _complete(
    engine: TwoMinds, marked: str = _MARKED, limits: object = _RANKED, trigger: Trigger = Trigger.INVOKED
) -> Completion:
    request = request_at(marked, mode=Mode.LINE, trigger=trigger)
    return asyncio.run(complete(deps_with(engine, limits=limits), request))  # type: ignore[arg-type]


@pytest.mark.parametrize(("likely", "expected"), [("b = a", "b = a"), ("c = 1", "c = 1")])
def test_the_answer_that_the_model_finds_more_likely_wins(likely: str, expected: str) -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely=likely)
    completion = _complete(engine)
    assert completion.text == expected
    assert completion.trace is not None
    assert completion.trace.ranked[0][0] == expected
    assert {other.text for other in completion.alternatives} == {"b = a", "c = 1"} - {expected}
    # An invoked request gets alternatives, too: those that know what follows before all others.
    assert engine.asked == [Format.FIM, Format.FIM, Format.LEFT, Format.LEFT, Format.FIM]
    assert engine.scored[:2] == ["    c = 1\n    return a\n", "    b = a\n    return a\n"]
    # What the middle did not say is scored there, where it may be the best.
    assert [text.endswith("b = a") for text in engine.scored[2:]] == ([True] if expected == "b = a" else [])


def test_what_follows_decides_between_answers_of_the_same_probability() -> None:
    class Follows(TwoMinds):
        async def generate(
            self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
        ) -> AsyncIterator[Delta]:
            if prompt.target:
                follows = -0.1 if "b = a" in line_scored(prompt) else -3.0
                n_answer = len(prompt.target) - len("    return a\n")
                logprobs = (-1.0,) * n_answer + (follows,) * len("    return a\n")
                yield Delta(token_ids=prompt.target, logprobs=logprobs)
                return
            async for delta in super().generate(prompt, session=session, priority=priority):
                yield delta

    assert _complete(Follows(fim="c = 1", left="b = a", likely="")).text == "b = a"


def test_an_invoked_request_gets_what_leaves_the_code_finished() -> None:
    completion = _complete(TwoMinds(fim="b = a + 1 + 2 + 3 + 4", left="if a:", likely="", first_logprob=-0.2))
    assert completion.text == "b = a + 1 + 2 + 3 + 4"
    # What would have to be gone on with is there, too.
    assert "if a:" in {other.text for other in completion.alternatives}


class Telling:
    """Finds every token as likely as a digest of all before it says."""

    def __init__(self, says: str) -> None:
        self._says, self.n_scored = says.encode(), 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.n_scored = len(prompt.target)
        ids = tuple(prompt.target or prompt.heal + self._says)
        texts = [repr([*prompt.token_ids, *ids[: n + 1]]) for n in range(len(ids))]
        yield Delta(token_ids=ids, logprobs=tuple(-(zlib.crc32(text.encode()) % 97) / 10 for text in texts))


@pytest.mark.parametrize(("answer", "n_same"), [("b = a", 6), ("b = 2", 4), ("b", 1), ("", 0), ("c = 1", 0)])
def test_what_the_model_has_said_is_scored_as_anybody_elses_text(answer: str, n_same: int) -> None:
    async def run() -> None:
        request, engine = request_at(_MARKED, mode=Mode.LINE), Telling("b = a\n")
        deps = deps_with(engine, limits=_RANKED)
        asker = Asker(engine=engine, tokenizer=deps.tokenizer, request=request, rule=stop_rule(request, Mode.LINE))
        prompt = await prompt_for(deps, request)
        (said,) = await asker.attempts(prompt, "s", None)
        text = f"{answer}\n    return a\n"
        slow = await asker.score(prompt, "s", text)
        n_slow = engine.n_scored
        assert await asker.score(prompt, "s", text, [said.generation.read]) == slow
        assert n_slow - engine.n_scored == len(prompt.heal) + n_same
        begun = await asker.score(prompt, "s", text, begins_in=4)
        assert begun.read.ids == slow.read.ids[: len(prompt.heal) + 4]
        assert begun.read.logprobs == slow.read.logprobs[: len(prompt.heal) + 4]
        # What was only read counts, too, as far as it is the same.
        other = await asker.score(prompt, "s", f"{answer} + 1\n")
        assert await asker.score(prompt, "s", text, [said.generation.read, other.read]) == slow
        assert n_slow - engine.n_scored == len(prompt.heal) + max(n_same, len(answer))

    asyncio.run(run())


class Several(TwoMinds):
    """Says as many candidates as it is asked for, of a list."""

    def __init__(self, *says: str, likely: str) -> None:
        super().__init__(fim=says[0], left=says[0], likely=likely)
        self._list = says

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        if prompt.target:
            async for delta in super().generate(prompt, session=session, priority=priority):
                yield delta
            return
        self.asked.append(prompt.format)
        self.sessions.append(session)
        for candidate, text in enumerate(self._list[: prompt.n_candidates]):
            ids = tuple(prompt.heal) + tuple(f"{text}\n".encode())
            yield Delta(token_ids=ids, logprobs=(-1.0,) * len(ids), candidate=candidate)


def test_an_invoked_request_gets_different_answers_the_best_first() -> None:
    completion = _complete(Several("c = 1", "c = 1  ", "b = a", likely="b = a"))
    assert (completion.text, [other.text for other in completion.alternatives]) == ("b = a", ["c = 1"])


def test_a_comment_gives_way_to_code() -> None:
    completion = _complete(Several("# the sum of a", "b = 2", likely="# the"))
    assert (completion.text, [other.text for other in completion.alternatives]) == ("b = 2", ["# the sum of a"])


def test_an_automatic_request_gets_one_answer() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a")
    completion = _complete(engine, trigger=Trigger.AUTOMATIC)
    assert (completion.text, completion.alternatives, engine.asked) == ("c = 1", (), [Format.FIM])


def test_a_sure_answer_is_not_compared() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a", first_logprob=-0.01)
    assert _complete(engine).text == "c = 1"
    assert set(engine.asked) == {Format.FIM}  # and others beside it


def test_where_the_first_has_nothing_the_second_answers() -> None:
    engine = TwoMinds(fim="return a", left="b = a", likely="", first_logprob=-0.01)  # repeats the next line
    completion = _complete(engine)
    assert (completion.text, completion.outcome) == ("b = a", Outcome.OK)
    assert completion.trace is not None
    assert completion.trace.format is Format.LEFT


def test_the_same_answer_twice_needs_no_score() -> None:
    engine = TwoMinds(fim="b = a", left="b = a", likely="")
    assert _complete(engine).text == "b = a"
    assert engine.scored == []


def test_at_the_end_of_a_file_both_formats_know_the_same() -> None:
    engine = TwoMinds(fim="return a", left="b = a", likely="b = a")
    assert _complete(engine, "def f(a):\n    ▮\n").text == "return a"
    assert set(engine.asked) == {Format.FIM}


def test_no_time_for_it_means_none_is_asked_for() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a")
    assert _complete(engine, limits=LIMITS).text == "c = 1"
    assert engine.asked == [Format.FIM]


def test_a_second_answer_that_does_not_come_in_time_is_given_up() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a")
    engine.second_hangs = True
    completion = _complete(engine, limits=replace(LIMITS, rank_ms=20))
    assert (completion.text, completion.outcome) == ("c = 1", Outcome.OK)


def test_an_engine_that_dies_meanwhile_does_not_take_the_first_answer_away() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a")
    engine.second_is_down = True
    assert _complete(engine).text == "c = 1"


def test_the_second_prompt_has_a_session_of_its_own_and_only_the_nearest_text() -> None:
    prompts: list[tuple[str, int]] = []

    class Watching(TwoMinds):
        async def generate(
            self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
        ) -> AsyncIterator[Delta]:
            prompts.append((session, len(prompt.token_ids)))
            async for delta in super().generate(prompt, session=session, priority=priority):
                yield delta

    _complete(Watching(fim="c = 1", left="b = a", likely="b = a"), "x = 1\n" * 550 + _MARKED)
    (first, n_first), (alternatives, _), (second, n_second), *_ = prompts
    assert first == alternatives != second
    assert n_second <= 2_048 < n_first


def test_a_model_without_sentinels_has_one_format() -> None:
    engine = TwoMinds(fim="c = 1", left="b = a", likely="c = 1")
    deps = replace(deps_with(engine, limits=_RANKED), spec=replace(SPEC, fim_middle=None))
    request = request_at(_MARKED, mode=Mode.LINE)
    completion = asyncio.run(complete(deps, request))
    assert (completion.text, set(engine.asked)) == ("b = a", {Format.LEFT})


class Defines(TwoMinds):
    """Goes on as it is told behind `total =`."""

    goes_on = b""

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        typed = bytes(token for token in prompt.token_ids if token < 256) + prompt.heal
        if typed.endswith(b"total ="):
            ids = tuple(prompt.heal + self.goes_on)
            yield Delta(token_ids=ids, logprobs=(-1.0,) * len(ids))
            return
        async for delta in super().generate(prompt, session=session, priority=priority):
            yield delta


@pytest.mark.parametrize(("goes_on", "expected"), [(b" 0\n", "    total = 0"), (b"\n", "    c = 1")])
def test_what_the_lines_below_need_is_tried_as_well_and_nothing_that_is_only_its_beginning(
    goes_on: bytes, expected: str
) -> None:
    engine = Defines(fim="    c = 1", left="    b = a", likely="total =")
    engine.goes_on = goes_on
    completion = _complete(engine, "def f(a):\n▮\n    for x in a:\n        total += x\n    return total\n")
    assert completion.text == expected
    assert "    total =" not in {other.text for other in completion.alternatives}


def test_an_invoked_request_gets_no_more_answers_than_can_be_looked_through() -> None:
    class Many(TwoMinds):
        async def generate(
            self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
        ) -> AsyncIterator[Delta]:
            for number in range(prompt.n_candidates if prompt.n_candidates > 1 else 0):
                ids = tuple(prompt.heal) + tuple(f"{prompt.format}{number} = 1\n".encode())
                yield Delta(token_ids=ids, logprobs=(-1.0,) * len(ids), candidate=number)
            if prompt.n_candidates == 1:
                async for delta in super().generate(prompt, session=session, priority=priority):
                    yield delta

    completion = _complete(Many(fim="c = 1", left="b = a", likely="b = a"))
    assert completion.text == "b = a"
    texts = [other.text for other in completion.alternatives]
    assert len(texts) == len(set(texts)) == 5


def test_no_question_about_the_text_holds_the_event_loop() -> None:
    """In files of 10,000 lines one takes 10 to 20 ms, and a tree may have to be parsed for it."""
    asked: dict[str, set[bool]] = {}

    class Watched(SyntaxTree):
        __slots__ = ()

        def ask(self, question: Question, *args: object) -> object:
            is_main = threading.current_thread() is threading.main_thread()
            asked.setdefault(question.name.partition(":")[2], set()).add(is_main)
            return super().ask(question, *args)

    for trigger, marked in (
        (Trigger.AUTOMATIC, _MARKED),
        (Trigger.INVOKED, _MARKED),
        (Trigger.INVOKED, "def f(a):▮\n"),
    ):
        request = request_at(marked, trigger=trigger)
        tree = request.snapshot.tree
        request = replace(
            request, snapshot=replace(request.snapshot, tree=Watched(tree.language, tree.source, tree.tree))
        )
        engine = TwoMinds(fim="c = 1", left="b = a", likely="b = a")
        deps = deps_with(engine, limits=_RANKED)
        asyncio.run(complete(deps, request))
        asyncio.run(prompts_for(deps, request))
    assert {"cursor_kind", "_missing", "_filtered"} <= asked.keys()
    assert set.union(*asked.values()) == {False}
