"""The whole path on a scripted engine: every outcome, streaming, deadlines and cancellation."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from completion.pipeline import Deps, complete, prompts_for
from completion.types import (
    Completion,
    Delta,
    EngineUnavailable,
    Format,
    Limits,
    Mode,
    Outcome,
    Priority,
    Prompt,
    Trigger,
)
from parsers.parse import SyntaxTree, parse
from tests.fakes import LIMITS, OVER, SPEC, TURN, ByteTokenizer, ScriptedEngine, deps_with, request_at

_IN_A_HURRY = replace(LIMITS, max_wait_ms=30)


def _run(
    marked: str,
    pieces: Sequence[str | bytes],
    *,
    mode: Mode | None = None,
    language: str = "python",
    limits: Limits = LIMITS,
    hangs: bool = False,
    trigger: Trigger = Trigger.INVOKED,
) -> tuple[Completion, ScriptedEngine]:
    async def go() -> tuple[Completion, ScriptedEngine]:
        engine = ScriptedEngine(pieces, hangs=hangs)
        request = request_at(marked, mode=mode, language=language, trigger=trigger)
        completion = await complete(deps_with(engine, limits=limits), request)
        # Here and now: the end of the event loop would close a generation that the core forgot.
        assert engine.n_closed == len(engine.prompts)
        return completion, engine

    return asyncio.run(go())


def _check(marked: str, pieces: Sequence[str | bytes], expected: str, **options: object) -> None:
    completion, _ = _run(marked, pieces, **options)  # type: ignore[arg-type]
    assert (completion.text, completion.outcome) == (expected, Outcome.OK)


def test_a_line_is_completed() -> None:
    _check("def f(a):\n    ret▮\n", ["urn", " a", "\n", "\n"], "urn a")


def test_an_empty_body_is_completed_as_a_block() -> None:
    completion, _ = _run("def f(a):\n    ▮\n", ["b = a\n", "    return b\n", "\n\ndef g():\n"])
    assert (completion.text, completion.mode) == ("b = a\n    return b", Mode.BLOCK)


def test_the_typed_bytes_are_not_part_of_the_answer() -> None:
    completion, engine = _run("x = va▮\n", ["lue", "\n"])
    assert engine.prompts[0].heal == b"va"
    assert completion.text == "lue"


def test_a_token_may_span_the_cursor() -> None:
    class WordTokenizer(ByteTokenizer):
        def token_bytes(self, token_id: int) -> bytes:
            return b"value" if token_id == 500 else super().token_bytes(token_id)

    class WordEngine(ScriptedEngine):
        async def generate(
            self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
        ) -> AsyncIterator[Delta]:
            assert prompt.heal == b"va"
            yield Delta(token_ids=(500, ord("\n")), logprobs=(-0.5, -9.0))

    deps = replace(deps_with(WordEngine([])), tokenizer=WordTokenizer())
    completion = asyncio.run(complete(deps, request_at("x = va▮\n")))
    assert (completion.text, completion.mean_logprob) == ("lue", -0.5)


def test_characters_may_be_split_over_tokens() -> None:
    _check("s = '▮", ["caf", b"\xc3", b"\xa9 \xf0\x9f", b"\x98", b"\x80'", "\n"], "café 😀'")


def test_half_a_character_at_the_end_is_not_shown() -> None:
    _check("s = ▮", ["a", b"\xf0\x9f"], "a")


def test_generation_is_closed_once_the_line_is_done() -> None:
    _, engine = _run("x = ▮", ["1", "\n", "y = 2", "\n"])
    assert (engine.n_said, engine.n_closed) == (3, 1)  # the healed bytes and two pieces


def test_windows_line_ends_are_kept() -> None:
    _check("def f(a):\r\n    ▮\r\n", ["b = a\r\n    return b\r\n"], "b = a\r\n    return b", mode=Mode.BLOCK)


def test_a_last_line_that_the_model_ended_itself_is_whole() -> None:
    _check("def f(a):\n    ▮\n", ["b = a\n", "    return b"], "b = a\n    return b", mode=Mode.BLOCK)


def test_a_block_cut_off_by_the_number_of_tokens_keeps_whole_lines() -> None:
    pieces = ["b = a\n", "    retur"]
    limits = replace(LIMITS, max_block_tokens=len(" ".join(pieces)))  # one byte is healed
    _check("def f(a):\n    ▮\n", pieces, "b = a", mode=Mode.BLOCK, limits=limits)


@pytest.mark.parametrize("marked", ["▮", "▮\nx = 1\n", "x = 1\n▮", "s = '😀'; y ▮\n", "\t\t▮"])
def test_any_place_can_be_completed(marked: str) -> None:
    _check(marked, ["+ 5", "\n"], "+ 5", mode=Mode.LINE)


def test_nothing_to_add_is_said_so() -> None:
    completion, _ = _run("x = 1▮\n", ["\n", "y"], trigger=Trigger.AUTOMATIC)
    assert (completion.outcome, completion.text) == (Outcome.EMPTY, "")
    assert completion.reason == "the model has nothing to add here"


def test_a_user_who_asks_behind_a_finished_line_gets_the_next_one() -> None:
    completion, _ = _run("x = 1▮\n", ["\n", "y = 2", "\n", "z = 3"])
    assert (completion.outcome, completion.text) == (Outcome.OK, "\ny = 2")


def test_where_the_next_line_stands_below_already_nothing_else_is_looked_for() -> None:
    limits = replace(LIMITS, rank_ms=2_000)
    completion, engine = _run("x = 1▮\nyy = 2\n", ["\n", "yy = 2", "\n"], limits=limits)
    assert (completion.outcome, completion.text) == (Outcome.FILTERED, "")
    assert len(engine.prompts) == 1
    _, engine = _run("x = 1\n▮\nyy = 2\n", ["yy = 2", "\n"], limits=limits)
    assert len(engine.prompts) > 1  # an empty line is to be filled


def test_a_suggestion_that_a_filter_removed_names_the_filter() -> None:
    completion, _ = _run("x = 1\n▮\nyy = 2\n", ["yy = 2", "\n"])
    assert (completion.outcome, completion.text) == (Outcome.FILTERED, "")
    assert "next_lines" in completion.reason


def test_a_suggestion_that_a_filter_changed_names_the_filter() -> None:
    completion, _ = _run("foo(▮)\n", ["bar)", "\n"])
    assert (completion.text, completion.replace_right) == ("bar)", 1)
    assert "suffix_overlap" in completion.reason


def test_the_trace_tells_how_an_answer_came_about() -> None:
    completion, _ = _run("foo(▮)\n", ["bar)", "\n"])
    trace = completion.trace
    assert trace is not None
    assert (trace.trigger, trace.format, trace.raw) == (Trigger.INVOKED, Format.FIM, "bar)")
    assert [step.name for step in trace.steps] == ["suffix_overlap"]


def test_the_trace_of_a_request_that_was_not_made_has_no_prompt() -> None:
    completion, _ = _run("fo▮o\n", ["x"], trigger=Trigger.AUTOMATIC)
    assert completion.trace is not None
    assert (completion.trace.trigger, completion.trace.format, completion.trace.raw) == (Trigger.AUTOMATIC, None, "")


def test_typing_inside_a_word_does_not_ask_the_engine() -> None:
    completion, engine = _run("fo▮o\n", ["x"], trigger=Trigger.AUTOMATIC)
    assert (completion.outcome, engine.prompts) == (Outcome.SKIPPED, [])
    assert "word" in completion.reason


@pytest.mark.parametrize("outcome", [Outcome.NOT_READY, Outcome.ENGINE_DOWN])
def test_an_engine_that_cannot_answer_says_why(outcome: Outcome) -> None:
    async def go() -> Completion:
        engine = ScriptedEngine([], unavailable=EngineUnavailable("the model is loading", outcome))
        return await complete(deps_with(engine), request_at("x = ▮"))

    completion = asyncio.run(go())
    assert (completion.outcome, completion.reason) == (outcome, "the model is loading")


def test_when_the_time_is_up_half_a_line_is_not_shown() -> None:
    for mode in Mode:
        completion, engine = _run("def f():\n    ▮\n", ["return compu"], mode=mode, limits=_IN_A_HURRY, hangs=True)
        assert (completion.outcome, completion.text, engine.n_closed) == (Outcome.DEADLINE, "", 1)
        assert "in time" in completion.reason


def test_when_the_time_is_up_the_whole_lines_of_a_block_are_shown() -> None:
    pieces = ["a = 1\n", "    b = 2\n", "    c = "]
    _check("def f():\n    ▮\n", pieces, "a = 1\n    b = 2", mode=Mode.BLOCK, limits=_IN_A_HURRY, hangs=True)


def test_cancelling_closes_the_generation_and_is_not_swallowed() -> None:
    async def go() -> ScriptedEngine:
        engine = ScriptedEngine(["retur"], hangs=True)
        task = asyncio.create_task(complete(deps_with(engine), request_at("def f():\n    x = ▮\n")))
        await engine.is_hanging.wait()
        assert engine.n_closed == 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return engine

    assert asyncio.run(go()).n_closed == 1


def _ask_twice(deps: Deps, *marked: str) -> list[Completion]:
    async def go() -> list[Completion]:
        return [await complete(deps, request_at(text)) for text in marked]

    return asyncio.run(go())


def test_typing_through_a_suggestion_does_not_ask_again_until_its_end() -> None:
    engine = ScriptedEngine(["foo(a)", "\n"])
    answers = _ask_twice(deps_with(engine), "x = ▮\n", "x = foo▮\n", "x = foo(a)▮\n")
    assert [(answer.text, answer.reused) for answer in answers[:2]] == [("foo(a)", False), ("(a)", True)]
    assert len(engine.prompts) == 2


def test_what_would_hardly_be_kept_is_shown_only_to_invoked_requests() -> None:
    quiet = replace(LIMITS, quietness=1.0)
    completion, _ = _run("x = ▮\n", ["12", "\n"], limits=quiet, trigger=Trigger.AUTOMATIC)
    assert (completion.outcome, completion.text) == (Outcome.QUIET, "")
    assert completion.reason.endswith("quietness is 100%")
    _check("x = ▮\n", ["12", "\n"], "12", limits=quiet, trigger=Trigger.INVOKED)
    _check("x = ▮\n", ["12", "\n"], "12", trigger=Trigger.AUTOMATIC)


def test_time_is_recorded_by_stage() -> None:
    completion, _ = _run("x = ▮", ["1", "\n"])
    assert set(completion.timings_ms) == {
        "join",
        "trigger",
        "prompt",
        "queue",
        "prefill",
        "first token",
        "rest",
        "filters",
        "opinion",
        "judge",
        "total",
    }
    assert completion.timings_ms["total"] >= sum(ms for name, ms in completion.timings_ms.items() if name != "total")
    skipped, _ = _run("fo▮o\n", ["x"], trigger=Trigger.AUTOMATIC)
    assert set(skipped.timings_ms) == {"join", "trigger", "total"}


def test_counters_are_right_though_the_stream_was_closed_early() -> None:
    completion, _ = _run("x = ▮", ["12", "\n", "more"])
    assert completion.stats is not None
    assert completion.stats.n_generated == len(" 12\n")


def test_a_whole_body_is_asked_for_in_a_chat_with_a_session_of_its_own() -> None:
    engine = ScriptedEngine(["b = a\n", "    return b\n", "```\n"])
    spec = replace(SPEC, body_format=Format.CHAT, turn_start=TURN, turn_end=OVER)
    deps = deps_with(engine, spec=spec)
    request = request_at('def f(a):\n    """Say a."""\n    ▮\n', session="here")
    completion = asyncio.run(complete(deps, request))
    assert completion.text == "b = a\n    return b"
    assert completion.trace is not None
    assert completion.trace.format is Format.CHAT
    assert engine.sessions == ["here#chat"]
    assert [session for session, _ in asyncio.run(prompts_for(deps, request))] == ["here#chat"]
    typing = request_at('def f(a):\n    """Say a▮', session="here")
    found = [(session, prompt.format) for session, prompt in asyncio.run(prompts_for(deps, typing))]
    assert found == [("here", Format.FIM), ("here#chat", Format.CHAT)]


def test_automatic_requests_get_no_chats_where_these_take_too_long_but_now_and_then() -> None:
    spec = replace(SPEC, body_format=Format.CHAT, turn_start=TURN, turn_end=OVER)

    def formats(prefill_ms: float, trigger: Trigger) -> list[Format]:
        engine = ScriptedEngine(["return a\n", "```\n"], prefill_ms=prefill_ms)
        deps = deps_with(engine, spec=spec)
        for number in range(40):
            request = request_at(f'def f{number}(a):\n    """Say a."""\n    ▮\n', trigger=trigger)
            assert asyncio.run(complete(deps, request)).text == "return a"
        return [prompt.format for prompt in engine.prompts]

    slow = formats(5_000, Trigger.AUTOMATIC)
    assert slow[0] is Format.CHAT
    assert slow[8:28].count(Format.LEFT) >= 18
    assert Format.CHAT in slow[10:]
    assert set(formats(200, Trigger.AUTOMATIC)) == {Format.CHAT}
    assert set(formats(5_000, Trigger.INVOKED)) == {Format.CHAT}


def test_the_parse_that_a_blocks_end_takes_does_not_hold_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def parse_and_tell(language: str, text: str, old: SyntaxTree | None = None) -> SyntaxTree:
        threads.append(threading.current_thread())
        return parse(language, text, old)

    monkeypatch.setattr("completion.stop.parse", parse_and_tell)
    completion, _ = _run("def f(a):\n    ▮\n", ["b = a\n", "    return b\n", "x = 1\n"])
    assert completion.text == "b = a\n    return b"
    assert threads
    assert threading.main_thread() not in threads
