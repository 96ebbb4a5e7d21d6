"""Whatever JSON comes, a request is read or refused with a sentence."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lsp_server.config import Config
from lsp_server.serve import completions, infill
from lsp_server.serve.fields import Fields
from lsp_server.serve.prompts import Prompts
from lsp_server.serve.refusals import Refused
from model.remote.healing import regex
from tests.lsp_server.serve.served import FakeClient

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "a\r\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "filename", "x"]), inner),
    max_leaves=5,
)
_NAMES = (
    "prompt", "suffix", "max_tokens", "n", "best_of", "logprobs", "stop", "stream", "stream_options", "temperature",
    "presence_penalty", "logit_bias", "top_k", "samplers", "ignore_eos", "model", "input_prefix", "input_suffix",
    "input_extra", "n_predict", "n_indent", "t_max_prompt_ms", "t_max_predict_ms", "response_fields",
    "structured_outputs", "return_token_ids",
)  # fmt: skip


async def _loaded() -> Any:
    return FakeClient().loaded


LOADED = asyncio.run(_loaded())
PROMPTS = Prompts(LOADED, LOADED.spec, Config().limits())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4))
@example({"prompt": "a", "structured_outputs": {"regex": "\ud800[\\s\\S]*"}})
def test_a_request_is_read_or_refused(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    for read in (
        lambda fields: completions.read(fields, PROMPTS, "m", 300),
        lambda fields: infill.read(fields, PROMPTS, "m"),
    ):
        try:
            fields = Fields(data)
            fields.unheeded()
            request = read(fields)
        except Refused:  # nothing else is raised
            continue
        wishes = request.wishes if isinstance(request, completions.CompletionsRequest) else [request.wish]
        for wish in wishes:
            prompt = wish.prompt
            assert len(prompt.token_ids) > 0
            assert len(prompt.token_ids) + prompt.max_tokens * prompt.n_candidates <= LOADED.context_tokens


@given(st.text(min_size=1, max_size=9))
@example("f(x) + [\\\n\t.*é]")
def test_what_an_answer_begins_with_is_read_as_it_was_meant(text: str) -> None:
    fields = Fields(json.dumps({"structured_outputs": {"regex": regex(text)}}).encode())
    assert fields.begins_with() == text


@pytest.mark.parametrize("pattern", ["a", r"a.[\s\S]*", r"\d[\s\S]*", r"a|b[\s\S]*", r"[\s\S]*b", 3, None])
def test_a_pattern_that_says_more_is_refused(pattern: object) -> None:
    with pytest.raises(Refused, match="structured_outputs is not supported"):
        Fields(json.dumps({"structured_outputs": {"regex": pattern}}).encode()).begins_with()


@pytest.mark.parametrize(("value", "is_refused"), [(0, False), (0.0, False), (None, False), (0.1, True), ("x", True)])
def test_a_penalty_that_does_nothing_is_let_be(value: object, is_refused: bool) -> None:
    fields = Fields(json.dumps({"presence_penalty": value}).encode())
    if is_refused:
        with pytest.raises(Refused, match="presence_penalty is not supported"):
            fields.unheeded()
    else:
        assert fields.unheeded() == ()
