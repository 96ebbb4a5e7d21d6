"""vLLM's real server with the tiny model: what it can do is found, its tokens are the weights', its slots are freed."""

import asyncio
import math
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen2ForCausalLM

from completion.types import Prompt
from tests.model.remote.test_faults import client_of, until
from tests.model.remote.test_llama_server import _TEXT, _greedy, _ids, _prompt
from tests.model.remote.vllm_server import VLLM, VllmServer, tiny_for_vllm, vllm_server

pytestmark = [pytest.mark.apart, pytest.mark.skipif(not VLLM, reason="MIDFILL_TEST_VLLM names no vllm")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_for_vllm(tmp_path_factory.mktemp("tiny-vllm"))


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    with vllm_server(model, tmp_path_factory.mktemp("log") / "vllm.log") as running:
        yield running


def test_all_that_it_can_do_is_found(server: VllmServer) -> None:
    async def test() -> str:
        async with client_of(server.url, kind="auto", timeout_s=60.0) as client:
            return client.describe()

    told = asyncio.run(test())
    assert told.startswith("openai with tiny; a context of 4,096 tokens; prompts as token ids; log-probabilities")
    assert "begins with what is typed; scoring" in told


def test_it_says_what_the_weights_say(server: VllmServer, model: Path) -> None:
    async def test() -> list[int]:
        async with client_of(server.url, kind="openai", timeout_s=60.0) as client:
            return await _ids(client, _prompt(_TEXT, 24))

    wanted = _greedy(model, list(_TEXT.encode()), 24)
    assert len(wanted) >= 8
    said = asyncio.run(test())
    end = next((n for n, i in enumerate(wanted) if i >= 256), len(wanted))
    assert said[:end] == wanted[:end]


def test_it_begins_with_what_is_typed_whatever_it_would_say(server: VllmServer) -> None:
    async def test() -> bytes:
        async with client_of(server.url, kind="openai", timeout_s=60.0) as client:
            asked = replace(_prompt(_TEXT, 12), heal=' x["é'.encode())
            return bytes(i for i in await _ids(client, asked) if i < 256)

    assert asyncio.run(test()).startswith(' x["é'.encode())


def test_its_scores_are_the_weights(server: VllmServer, model: Path) -> None:
    target = (40, 97, 41)

    async def test() -> list[float]:
        async with client_of(server.url, kind="openai", timeout_s=60.0) as client:
            asked = replace(_prompt(_TEXT, 1), target=array("I", target))
            return [v async for delta in client.generate(asked, session="s") for v in delta.logprobs]

    network = Qwen2ForCausalLM.from_pretrained(model).eval()
    ids = [*_TEXT.encode(), *target]
    with torch.inference_mode():
        values = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    wanted = [float(values[len(ids) - 4 + n, token]) for n, token in enumerate(target)]
    assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(asyncio.run(test()), wanted, strict=True))


def test_typing_on_finds_the_prompt_in_its_cache(server: VllmServer) -> None:
    text = _TEXT * 20

    async def test() -> Prompt:
        async with client_of(server.url, kind="openai", timeout_s=60.0) as client:
            for n in range(len(text) - 10, len(text)):
                await _ids(client, _prompt(text[:n], 1))
        return _prompt(text, 1)

    names = ("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total")
    before = [server.metric(name) for name in names]
    asyncio.run(test())
    hits, queries = (server.metric(name) - was for name, was in zip(names, before, strict=True))
    assert hits / queries > 0.8, "nine of ten prompts but their last block"


def test_closing_a_generation_frees_the_slot(server: VllmServer) -> None:
    n_asked = 3_000

    async def test() -> None:
        async with client_of(server.url, kind="openai", timeout_s=60.0) as client:
            answer = client.generate(replace(_prompt(_TEXT, n_asked)), session="s")
            async for delta in answer:
                if delta.token_ids:
                    break
            await until(lambda: server.metric("vllm:num_requests_running") == 1)
            await answer.aclose()  # type: ignore[attr-defined]
            await until(lambda: server.metric("vllm:num_requests_running") == 0)

    before = server.metric("vllm:generation_tokens_total")
    asyncio.run(test())
    assert server.metric("vllm:generation_tokens_total") - before < n_asked / 2
