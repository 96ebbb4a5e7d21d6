"""`midfill serve` over its socket: who is let in, what is answered, and that who hangs up ends what runs for him."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from completion.types import EngineUnavailable, Format, Outcome, Priority
from lsp_server.serve.refusals import Refused
from lsp_server.serve.slots import Slots
from model.link.client import Phase
from model.remote.healing import regex
from tests.fakes import FILE, MIDDLE, PREFIX, SUFFIX
from tests.lsp_server.serve.served import FakeClient, Served, serving


def run(
    scenario: Callable[[Served], Awaitable[Any]], client: Callable[[], FakeClient] = FakeClient, key: str | None = None
) -> Any:
    async def inside() -> Any:
        async with serving(client(), key) as served:
            return await scenario(served)

    return asyncio.run(asyncio.wait_for(inside(), 60))


def ask(path: str, body: Any = None, client: Callable[[], FakeClient] = FakeClient, **more: Any) -> Any:
    return run(lambda served: served.ask(path, body, **more), client)


# -- completions -----------------------------------------------------------------------------------------------


def test_a_prompt_is_completed() -> None:
    answer = ask("/v1/completions", {"model": "fake", "prompt": "x = ", "max_tokens": 9}, lambda: FakeClient("1\n"))
    (choice,) = answer.json["choices"]
    assert (choice["text"], choice["finish_reason"], choice["logprobs"]) == ("1\n", "stop", None)
    assert answer.json["usage"]["completion_tokens"] == 2
    assert answer.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    assert (answer.json["model"], answer.json["object"]) == ("fake", "text_completion")


def test_what_other_programs_ask_comes_after_the_editors() -> None:
    async def scenario(served: Served) -> None:
        await served.ask("/v1/completions", {"prompt": "x = "})
        await served.ask("/infill", {"input_prefix": "x = "})
        assert served.client.priorities == [Priority.SERVED] * 2

    run(scenario)


def test_an_answer_ends_at_its_length_and_at_a_stop_string() -> None:
    def says() -> FakeClient:
        return FakeClient("one two three")

    short = ask("/v1/completions", {"prompt": "a", "max_tokens": 3}, says).json["choices"][0]
    assert (short["text"], short["finish_reason"]) == ("one", "length")
    stopped = ask("/v1/completions", {"prompt": "a", "max_tokens": 64, "stop": [" t", "x"]}, says).json["choices"][0]
    assert (stopped["text"], stopped["finish_reason"]) == ("one", "stop")


def test_a_stop_string_ends_the_generation_in_the_model_process() -> None:
    async def scenario(served: Served) -> None:
        answer = await served.ask("/v1/completions", {"prompt": "a", "max_tokens": 64, "stop": "\n"})
        assert answer.json["choices"][0]["text"] == "one"
        assert served.client.n_ended == 1

    run(scenario, lambda: FakeClient("one\n", hangs=True))


def test_a_stream_says_what_the_whole_answer_says() -> None:
    body = {"prompt": "a", "max_tokens": 64, "stream": True, "stream_options": {"include_usage": True}}
    answer = ask("/v1/completions", body, lambda: FakeClient("añb\n"))
    *choices, usage, done = answer.events
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "".join(event["choices"][0]["text"] for event in choices) == "añb\n"
    assert [event["choices"][0]["finish_reason"] for event in choices][-2:] == [None, "stop"]
    assert (usage["choices"], usage["usage"]["completion_tokens"], done) == ([], 5, "[DONE]")


def test_several_prompts_and_candidates_each_have_an_index() -> None:
    def client() -> FakeClient:
        made = FakeClient("one")
        made.others = ["two"]
        return made

    answer = ask("/v1/completions", {"prompt": ["a", [98]], "n": 3}, client)
    assert [(it["index"], it["text"]) for it in answer.json["choices"]] == [
        (0, "one"),
        (1, "two"),
        (3, "one"),
        (4, "two"),
    ]
    assert answer.json["usage"]["completion_tokens"] == 12


def test_the_log_probabilities_are_those_of_the_text() -> None:
    body = {"prompt": "a", "max_tokens": 64, "logprobs": 1, "stop": "c"}
    found = ask("/v1/completions", body, lambda: FakeClient("abcd")).json["choices"][0]["logprobs"]
    assert (found["tokens"], found["token_logprobs"], found["text_offset"]) == (["a", "b"], [-0.5, -0.5], [0, 1])
    assert found["top_logprobs"] == [{"a": -0.5}, {"b": -0.5}]


def test_an_answer_begins_as_it_must_and_tells_its_tokens() -> None:
    rule = {"structured_outputs": {"regex": regex("f(")}, "return_token_ids": True, "logprobs": 1}
    body = {"prompt": "a", "max_tokens": 64, "stop": ["\n"], **rule}
    (choice,) = ask("/v1/completions", body, lambda: FakeClient("x)\ny", could=-0.25)).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("f(x)", "stop")
    assert bytes(choice["token_ids"]) == b"f(x)\n", "what ends the text was said, too"
    assert choice["logprobs"]["token_logprobs"] == [-0.5] * 5
    assert choice["logprobs"]["spelled_logprobs"] == [-0.25, -0.25, 0, 0, 0]


def test_a_client_that_lays_out_its_prompt_names_the_sentinels_and_a_document_never_does() -> None:
    """Zed and others write them into the prompt; a file that spells one is text."""

    async def scenario(served: Served) -> None:
        spelled = "<fim_prefix>a<fim_suffix>b<fim_middle>"
        await served.ask("/v1/completions", {"prompt": spelled})
        assert list(served.client.prompts[0].token_ids) == [PREFIX, ord("a"), SUFFIX, ord("b"), MIDDLE]
        for path, body in (
            ("/v1/completions", {"prompt": spelled, "suffix": spelled}),
            ("/infill", {"input_prefix": spelled, "input_suffix": spelled}),
        ):
            await served.ask(path, body)
            ids = list(served.client.prompts[-1].token_ids)
            assert [ids.count(sentinel) for sentinel in (PREFIX, SUFFIX, MIDDLE)] == [1, 1, 1]
            assert ids.count(ord("<")) == 6
            assert served.client.prompts[-1].format is Format.FIM

    run(scenario)


def test_zed_is_answered_as_it_reads_answers() -> None:
    """Its OpenAI-compatible edit predictions: the body that it sends, and the fields that it cannot do without."""
    prompt = "<fim_prefix>def f():\n    return<fim_suffix>\n<fim_middle>"
    stop = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>"]
    body = {"model": "fake", "prompt": prompt, "max_tokens": 64, "stop": stop, "temperature": None}
    answer = ask("/v1/completions", body, lambda: FakeClient(" 1")).json
    assert answer["choices"][0]["text"] == " 1"
    assert {"id", "object", "created", "model", "choices", "usage"} <= answer.keys()
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= answer["usage"].keys()


def test_what_is_half_typed_is_spelled_anew_and_is_no_part_of_the_answer() -> None:
    async def scenario(served: Served) -> None:
        answer = await served.ask("/v1/completions", {"prompt": "def f():\n    ret", "suffix": "\n", "max_tokens": 4})
        assert served.client.prompts[0].heal == b"ret"
        choice = answer.json["choices"][0]
        assert (choice["text"], choice["finish_reason"]) == ("urn ", "length")
        assert answer.json["usage"]["completion_tokens"] == 4

    run(scenario, lambda: FakeClient("urn 1"))


# -- infill ----------------------------------------------------------------------------------------------------


def test_infill_sends_passages_of_other_files_as_blocks_the_last_one_nearest() -> None:
    async def scenario(served: Served) -> None:
        extra = [{"filename": "a.py", "text": "A\n"}, {"filename": "b.py", "text": "B\n"}]
        body: dict[str, Any] = {"input_prefix": "x\n", "prompt": "y", "input_suffix": "z\n", "input_extra": extra}
        body["t_max_prompt_ms"] = 500
        answer = await served.ask("/infill", body)
        prompt = served.client.prompts[0]
        assert [piece.block for piece in prompt.pieces][:2] == [True, True]
        text = bytes(one if one < 256 else 0x7C for one in prompt.token_ids).decode()
        assert text == "|a.py\nA\n|b.py\nB\n|untitled\n||z\n|x\n"
        assert (list(prompt.token_ids).count(FILE), prompt.deadline_ms) == (3, 500)
        assert (prompt.heal, answer.json["content"], answer.json["stop_type"]) == (b"y", " + 1", "eos")

    run(scenario, lambda: FakeClient(" + 1"))


def test_infill_answers_with_the_fields_that_are_wanted() -> None:
    body = {"input_prefix": "x", "response_fields": ["content", "timings/prompt_ms", "truncated", "nothing/here"]}
    assert ask("/infill", body, lambda: FakeClient("1")).json == {
        "content": "1", "timings/prompt_ms": 2.0, "truncated": False
    }  # fmt: skip
    assert ask("/infill", {"input_prefix": "x", "n_predict": 0, "response_fields": [""]}).json == {}


def test_infill_ends_before_a_line_that_is_indented_less_than_asked() -> None:
    text = "return 1\n\n    x = 2\n  y = 3\n"
    body = {"input_prefix": "def f():\n    ", "n_indent": 4}
    assert ask("/infill", body, lambda: FakeClient(text)).json["content"] == "return 1\n\n    x = 2"
    assert ask("/infill", {"input_prefix": "def f():\n    "}, lambda: FakeClient(text)).json["content"] == text


def test_an_infill_stream_ends_with_what_came_of_it() -> None:
    *parts, last = ask("/infill", {"input_prefix": "x", "stream": True}, lambda: FakeClient("1 + 2")).events
    assert "".join(part["content"] for part in [*parts, last]) == "1 + 2"
    assert [part["stop"] for part in parts] == [False] * len(parts)
    assert (last["stop"], last["tokens_predicted"]) == (True, 5)


# -- sessions --------------------------------------------------------------------------------------------------


def test_a_growing_prompt_stays_in_its_session_and_another_tool_has_another() -> None:
    async def scenario(served: Served) -> None:
        first, second = "alpha beta gamma delta", "1 22 333 4444 55555 666666"
        for prompt in (first, second, first + " epsilon", second + " 7", first + " epsilon zeta"):
            await served.ask("/v1/completions", {"prompt": prompt})
        sessions = served.client.sessions
        assert sessions[0] == sessions[2] == sessions[4] != sessions[1] == sessions[3]

    run(scenario)


def test_many_tools_have_no_more_than_eight_sessions() -> None:
    async def scenario(served: Served) -> None:
        for number in range(40):
            await served.ask("/v1/completions", {"prompt": f"{number}" * 30})
        assert len(set(served.client.sessions)) == 8

    run(scenario)


# -- who hangs up ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/completions", "/infill"])
def test_who_hangs_up_ends_his_generation(path: str, stream: bool) -> None:
    async def scenario(served: Served) -> None:
        _, writer = await served.open(path, {"prompt": "a", "stream": stream, "max_tokens": 500, "n_predict": 500})
        await served.client.hanging.wait()
        assert served.client.n_ended == 0
        writer.close()
        await served.client.ended.wait()
        assert 'outcome="cancelled"} 1.0' in await _metrics_with(served, "midfill_requests_running 0.0")

    run(scenario, lambda: FakeClient("one ", hangs=True))


def test_who_hangs_up_while_he_waits_for_a_session_is_never_asked_for() -> None:
    async def scenario(served: Served) -> None:
        body = {"prompt": "the same prompt for both", "max_tokens": 500}
        _, first = await served.open("/v1/completions", body)
        await served.client.hanging.wait()
        _, second = await served.open("/v1/completions", body)
        await _metrics_with(served, "midfill_requests_waiting 1.0")
        second.close()
        await _metrics_with(served, "midfill_requests_waiting 0.0")
        assert (len(served.client.prompts), served.client.n_ended) == (1, 0)
        first.close()
        await served.client.ended.wait()

    run(scenario, lambda: FakeClient("one", hangs=True))


def test_who_waits_too_long_for_a_session_hears_when_to_ask_again_and_those_behind_him_get_it() -> None:
    async def test() -> None:
        slots, ids = Slots(longest_wait_s=0.05), list(range(20))
        async with slots.held(ids) as session:
            with pytest.raises(Refused, match="too many ask") as refused:
                async with slots.held(ids):
                    pass
            assert (refused.value.status, refused.value.retry_after_s) == (503, 2)
            assert (slots.n_running, slots.n_waiting) == (1, 0)
        async with slots.held(ids) as again:
            assert again == session
        assert slots.n_running == 0

    asyncio.run(test())


async def _metrics_with(served: Served, line: str) -> str:
    for _ in range(500):
        if line in (found := (await served.ask("/metrics")).body.decode()):
            return found
    raise AssertionError(found)


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"prompt": 3}, "prompt is neither text nor token ids"),
        ({"prompt": [1, "a"]}, "prompt is no list of token ids"),
        ({"prompt": [-1]}, "prompt has a token id that is not from 0 to 1999999"),
        ({"prompt": ["a"] * 33}, "prompt has more than 32 prompts"),
        ({"prompt": [1], "suffix": "x"}, "prompt must be text where there is a suffix"),
        ({"prompt": "a", "max_tokens": "4"}, "max_tokens is no whole number"),
        ({"prompt": "a", "max_tokens": True}, "max_tokens is no whole number"),
        ({"prompt": "a", "max_tokens": 5_000}, "prompt has 1 tokens: with 5000 more that exceeds the model's 4096"),
        ({"prompt": "a", "n": 16, "max_tokens": 4_000}, "prompt has 1 tokens: with 64000 more"),
        ({"prompt": "a", "suffix": "b", "max_tokens": 4_000}, "so many tokens leave no room"),
        ({"prompt": "a", "logprobs": 5}, "logprobs is no whole number from 0 to 1"),
        ({"prompt": "a", "n": 0}, "n is no whole number from 1 to 16"),
        ({"prompt": "a", "best_of": 4}, "best_of is not supported"),
        ({"prompt": "a", "stop": 3}, "stop is no string and no list of strings"),
        ({"prompt": "a", "stream": 1}, "stream is neither true nor false"),
        ({"prompt": "a", "presence_penalty": 0.5}, "presence_penalty is not supported"),
        ({"prompt": "a", "logit_bias": {"50256": -100}}, "logit_bias is not supported"),
        ({"prompt": "a", "echo": True}, "echo is not supported"),
        ({"prompt": "a", "grammar": "root ::= x"}, "grammar is not supported"),
        ({"prompt": "a", "structured_outputs": {"regex": "a|b"}}, "structured_outputs is not supported but as a regex"),
        ({"prompt": "a", "structured_outputs": {"json": {}}}, "structured_outputs is not supported but as a regex"),
        ({"prompt": "a", "structured_outputs": {"regex": r"x[\s\S]*"}, "suffix": "b"}, "not supported around a cursor"),
        (b"{", "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[1]", "the body is no JSON object"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(body: Any, sentence: str) -> None:
    answer = ask("/v1/completions", body)
    assert answer.status == 400
    assert sentence in answer.error
    assert "Traceback" not in answer.error


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"input_prefix": 1}, "input_prefix is no string"),
        ({"structured_outputs": {"regex": r"x[\s\S]*"}}, "structured_outputs is not supported around a cursor"),
        ({"input_extra": "a"}, "input_extra is no list"),
        ({"input_extra": [{"filename": "a"}]}, "input_extra has something in it that is no object with a text"),
        ({"n_predict": 1.5}, "n_predict is no whole number"),
        ({"t_max_predict_ms": "1"}, "t_max_predict_ms is no number of milliseconds"),
        (b'{"t_max_prompt_ms": NaN}', "t_max_prompt_ms is no number of milliseconds"),
    ],
)  # fmt: skip
def test_bad_input_to_infill_gets_a_sentence(body: Any, sentence: str) -> None:
    answer = ask("/infill", body)
    assert answer.status == 400
    assert sentence in answer.error


def test_fields_that_only_choose_among_answers_are_named_as_left_out_of_account() -> None:
    llama_vim = {"input_prefix": "x", "top_k": 40, "top_p": 0.9, "samplers": ["top_k", "top_p", "infill"], "id_slot": 0}
    assert ask("/infill", llama_vim).headers["midfill-ignored"] == "top_p, top_k, samplers"
    asked = {"prompt": "x", "temperature": 0.7, "seed": 1, "stream": True}
    assert ask("/v1/completions", asked).headers["midfill-ignored"] == "temperature, seed"
    assert "midfill-ignored" not in ask("/v1/completions", {"prompt": "x", "temperature": 0, "top_p": 1}).headers


def test_another_model_is_not_found() -> None:
    answer = ask("/v1/completions", {"model": "gpt-4", "prompt": "x"})
    assert (answer.status, answer.json["error"]["param"]) == (404, "model")
    assert "'fake'" in answer.error
    for name in ("fake-1b-sha", "", None):
        assert ask("/v1/completions", {"model": name, "prompt": "x"}).status == 200


def test_paths_and_methods_that_there_are_not_get_a_sentence() -> None:
    assert (answer := ask("/v1/chat/completions", {})).status == 404
    assert "no such path" in answer.error
    assert ask("/infill").status == 405


def test_a_body_that_is_too_large_is_refused() -> None:
    answer = ask("/v1/completions", b'{"prompt": "' + b"x" * (9 << 20) + b'"}')
    assert (answer.status, answer.error) == (413, "the body is larger than 8 MiB")


@pytest.mark.parametrize(
    ("phase", "retry_after"), [(Phase.LOADING, "1"), (Phase.ASLEEP, "1"), (Phase.FETCHING, "10"), (Phase.FAILED, "10")]
)
def test_while_the_model_cannot_be_asked_clients_are_told_when_to_come_again(phase: Phase, retry_after: str) -> None:
    async def scenario(served: Served) -> None:
        served.client.is_away(phase, "the model is elsewhere")
        for path, body in (("/v1/completions", {"prompt": "x"}), ("/infill", {}), ("/tokenize", {})):
            answer = await served.ask(path, body)
            assert (answer.status, answer.error) == (503, "the model is elsewhere")
            assert answer.headers["retry-after"] == retry_after
        assert served.client.n_woken == 3  # whoever asks has it started again
        assert (await served.ask("/health")).status == (200 if phase is Phase.ASLEEP else 503)
        assert served.client.n_woken == 3
        assert (await served.ask("/v1/models")).json["data"][0]["id"] == "fake"
        assert b"midfill_engine_ready 0.0" in (await served.ask("/metrics")).body

    run(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_process_that_fails_at_once_is_503(stream: bool) -> None:
    async def scenario(served: Served) -> None:
        served.client.fails = EngineUnavailable("the model process ended during the request", Outcome.ENGINE_DOWN)
        answer = await served.ask("/v1/completions", {"prompt": "x", "stream": stream})
        assert (answer.status, answer.error) == (503, "the model process ended during the request")

    run(scenario)


def test_a_model_process_that_dies_on_the_way_is_told_in_the_stream_and_is_no_end_of_it() -> None:
    async def scenario(served: Served) -> None:
        served.client.breaks = EngineUnavailable("the model process ended during the request", Outcome.ENGINE_DOWN)
        body = {"prompt": "x", "max_tokens": 64}
        answer = await served.ask("/v1/completions", {**body, "stream": True})
        *parts, error = answer.events
        assert "".join(part["choices"][0]["text"] for part in parts) == "one"
        assert [part["choices"][0]["finish_reason"] for part in parts] == [None] * len(parts)
        assert error["error"]["message"] == "the model process ended during the request"
        assert (await served.ask("/v1/completions", body)).status == 503

    run(scenario, lambda: FakeClient("one"))


def test_an_error_inside_is_told_without_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(served: Served) -> None:
        served.client.loaded.tokenizer = None
        answer = await served.ask("/tokenize", {"content": "secret"})
        assert (answer.status, answer.error) == (500, "an error inside of midfill, which stands in its log")

    with caplog.at_level(logging.ERROR):
        run(scenario)


# -- who is let in ---------------------------------------------------------------------------------------------


def test_with_a_key_only_who_has_it_is_let_in() -> None:
    async def scenario(served: Served) -> None:
        body = {"prompt": "x"}
        for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": "sesame"}, {"authorization": "Bearer "}):
            answer = await served.ask("/v1/completions", body, sent)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await served.ask("/metrics")).status == 401
        assert (await served.ask("/health")).status == 200
        assert served.client.prompts == []
        assert (await served.ask("/v1/completions", body, {"authorization": "Bearer sesame"})).status == 200
        assert (
            await served.ask("/v1/models", None, {"host": "box.example", "authorization": "bearer sesame"})
        ).status == 200

    run(scenario, key="sesame")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8012", "localhost.evil.example", "10.0.0.1", ""])
def test_without_a_key_a_name_that_was_made_to_mean_this_machine_is_refused(host: str) -> None:
    assert ask("/v1/models", headers={"host": host}).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:8012", "127.0.0.1", "127.0.0.9:1", "[::1]", "[::1]:8012"])
def test_this_machines_own_names_are_let_in(host: str) -> None:
    assert ask("/v1/models", headers={"host": host}).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_page_can_send_to_another_site_is_refused(kind: str) -> None:
    answer = ask("/v1/completions", {"prompt": "x"}, headers={"content-type": kind})
    assert (answer.status, answer.error) == (415, "the body must be sent as Content-Type: application/json")


# -- the rest --------------------------------------------------------------------------------------------------


def test_text_becomes_tokens_and_tokens_text() -> None:
    async def scenario(served: Served) -> None:
        tokens = (await served.ask("/tokenize", {"content": "é<fim_prefix>"})).json
        assert tokens == {"tokens": [0xC3, 0xA9, PREFIX], "count": 3, "max_model_len": 4096}
        plain = (await served.ask("/tokenize", {"prompt": "<fim_prefix>", "parse_special": False})).json
        assert plain["count"] == 12
        spelled = (await served.ask("/tokenize", {"prompt": "é <fim_prefix>", "return_token_strs": True})).json
        assert spelled["token_strs"] == ["Ã", "©", "Ġ", "<fim_prefix>"]
        back = (await served.ask("/detokenize", {"tokens": [0xC3, 0xA9, PREFIX]})).json
        assert back == {"content": "é", "prompt": "é"}
        assert (await served.ask("/detokenize", {})).status == 400

    run(scenario)


def test_metrics_count_what_was_done() -> None:
    async def scenario(served: Served) -> None:
        await served.ask("/v1/completions", {"prompt": "abc"})
        await served.ask("/infill", {"input_prefix": "abc"})
        answer = await served.ask("/metrics")
        lines = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if line[0] != "#")
        assert answer.headers["content-type"].startswith("text/plain")
        assert lines['midfill_requests_total{outcome="ok"}'] == "2.0"
        assert lines["midfill_generated_tokens_total"] == "6.0"
        assert lines["midfill_cached_prompt_tokens_total"] == "6.0"
        assert lines["midfill_time_to_first_token_seconds_count"] == "2.0"
        assert lines["midfill_engine_ready"] == "0.0"  # this one has no status

    run(scenario, lambda: FakeClient("one"))
