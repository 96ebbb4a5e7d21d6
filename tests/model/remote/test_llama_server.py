"""llama.cpp's real server with the tiny model: the same tokens as from the weights themselves, its own counters."""

import asyncio
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen2ForCausalLM

from completion.types import EngineUnavailable, Format, Prompt
from model.link.client import Phase
from model.remote.client import RemoteClient
from tests.model.remote.llama_server import LlamaServer, llama_server
from tests.model.remote.test_faults import client_of, until
from tests.model.tiny_gguf import make_tiny_gguf

_TEXT = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - "
_NEAR_TIE = 1e-3


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("tiny-gguf"))[0]


@pytest.fixture(scope="module")
def server(gguf: Path) -> Iterator[LlamaServer]:
    with llama_server(gguf) as running:
        yield running


def _prompt(text: str, max_tokens: int) -> Prompt:
    ids = array("I", list(text.encode()))
    return Prompt(token_ids=ids, heal=b"", stop_token_ids=(), max_tokens=max_tokens, format=Format.LEFT)


async def _ids(client: RemoteClient, prompt: Prompt) -> list[int]:
    return [i async for delta in client.generate(prompt, session="s") for i in delta.token_ids]


def _greedy(folder: Path, ids: list[int], n: int) -> list[int]:
    """What the weights themselves say in fp32, up to the first token that is as good as another."""
    model = Qwen2ForCausalLM.from_pretrained(folder).eval()
    said: list[int] = []
    with torch.inference_mode():
        while len(said) < n:
            best = model(torch.tensor([ids + said])).logits[0, -1].topk(2)
            if best.values[0] - best.values[1] < _NEAR_TIE:
                break
            said.append(int(best.indices[0]))
    return said


@pytest.mark.parametrize("kind", ["llamacpp", "openai"])
def test_it_says_what_the_weights_say(server: LlamaServer, gguf: Path, kind: str) -> None:
    async def test() -> list[int]:
        async with client_of(server.url, kind=kind) as client:
            return await _ids(client, _prompt(_TEXT, 24))

    wanted = _greedy(gguf.parent / "published", list(_TEXT.encode()), 24)
    said = asyncio.run(test())
    # The end of a text is not said, and bytes that begin a character and do not go on with it are lost on the way.
    end = next((n for n, i in enumerate(wanted) if 0xC0 <= i <= 256), len(wanted))
    assert end >= 8
    assert said[:end] == wanted[:end]


@pytest.mark.parametrize("kind", ["llamacpp", "openai"])
def test_it_begins_with_what_is_typed_whatever_it_would_say(server: LlamaServer, kind: str) -> None:
    async def test() -> bytes:
        async with client_of(server.url, kind=kind) as client:
            assert "begins with what is typed" in client.describe()
            asked = replace(_prompt(_TEXT, 12), heal=' x["é'.encode())
            return bytes(i for i in await _ids(client, asked) if i < 256)

    assert asyncio.run(test()).startswith(' x["é'.encode())


def test_typing_on_finds_the_prompt_in_the_servers_cache(server: LlamaServer) -> None:
    async def test() -> list[int]:
        missed = []
        async with client_of(server.url) as client:
            for n in range(40, len(_TEXT)):
                asked = client.generate(_prompt(_TEXT[:n], 1), session="s")
                (*_, stats) = [delta.stats async for delta in asked if delta.stats]
                missed.append(stats.n_computed)
        return missed

    before = server.metrics()
    missed = asyncio.run(test())
    assert max(missed[1:]) <= 2, "the new key, and the token that the server computes again"
    after = server.metrics()
    read = after["prompt_tokens_total"] - before["prompt_tokens_total"]
    assert read <= missed[0] + 2 * len(missed), "by its own counters, too"


def test_closing_a_generation_frees_the_slot(server: LlamaServer) -> None:
    n_asked = 3_000

    async def test() -> None:
        async with client_of(server.url) as client:
            answer = client.generate(_prompt(_TEXT, n_asked), session="s")
            async for delta in answer:
                if delta.token_ids:
                    break
            assert server.n_busy() == 1
            await answer.aclose()  # type: ignore[attr-defined]
            await until(lambda: server.n_busy() == 0)

    before = server.metrics()["tokens_predicted_total"]
    asyncio.run(test())
    metrics = server.metrics()
    assert metrics["requests_processing"] == metrics["requests_deferred"] == 0
    assert metrics["tokens_predicted_total"] - before < n_asked / 2


def test_a_server_that_is_killed_in_the_middle_of_an_answer_and_started_again(gguf: Path) -> None:
    async def test(server: LlamaServer) -> None:
        async with client_of(server.url) as client:
            answer = client.generate(_prompt(_TEXT, 3_000), session="s")
            await anext(answer)
            server.kill()
            with pytest.raises(EngineUnavailable, match=r"hung up|cannot be reached"):
                _ = [delta async for delta in answer]
            assert client.state.phase is Phase.DOWN
            again = await asyncio.to_thread(LlamaServer, gguf, server.port)
            try:
                await until(lambda: client.state.phase is Phase.READY)
                assert await _ids(client, _prompt(_TEXT, 4))
            finally:
                again.stop()

    with llama_server(gguf) as server:
        asyncio.run(test(server))


def test_a_key(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHT_KEY", "right")
    monkeypatch.setenv("WRONG_KEY", "wrong")

    async def test(server: LlamaServer) -> None:
        async with client_of(server.url, key_variable="RIGHT_KEY") as client:
            assert await _ids(client, _prompt(_TEXT, 4))
        for kind in ("llamacpp", "openai", "auto"):
            async with client_of(server.url, key_variable="WRONG_KEY", kind=kind, phases=(Phase.FAILED,)) as client:
                assert "wants a key (engine.keyFile)" in client.state.message

    with llama_server(gguf, key="right") as server:
        asyncio.run(test(server))
