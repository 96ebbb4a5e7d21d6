"""The `openai` package, which nobody here wrote, against a real `midfill serve` with a tiny model."""

import asyncio
import json
import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from completion.types import Format, Prompt
from model.link.client import EngineClient, Phase
from model.link.spawn import EngineSettings
from tests.conftest import stop_daemons
from tests.lsp_server.serve.process import fetched, serve_process
from tests.model.tiny import SPECIAL

pytestmark = pytest.mark.e2e
KEY = "a-key-of-the-test"


@pytest.fixture(scope="module")
def url(tiny_model: Path, tiny_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        shutil.copytree(tiny_stores, cache / "stores")
        patch.setenv("MIDFILL_CACHE", str(cache))
        try:
            with serve_process("--model", str(tiny_model)) as url:
                yield url
        finally:
            stop_daemons(cache)


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def model(client: openai.OpenAI) -> str:
    (model,) = client.models.list().data
    return model.id


def test_it_completes_what_the_engine_says(client: openai.OpenAI, model: str, tiny_model: Path) -> None:
    ids = list(b"def area(self):\n    return ")
    answer = client.completions.create(model=model, prompt=ids, max_tokens=24, logprobs=1, temperature=0)
    again = client.completions.create(model=model, prompt=bytes(ids).decode(), max_tokens=24, logprobs=1, temperature=0)

    async def asked() -> list[float]:
        ready = asyncio.Event()
        settings = EngineSettings(model=str(tiny_model))
        engine = EngineClient(settings, lambda state: ready.set() if state.phase is Phase.READY else None)
        running = asyncio.create_task(engine.run())
        await ready.wait()
        prompt = Prompt(
            token_ids=array("I", ids),
            heal=b"",
            stop_token_ids=engine.loaded.spec.stop_token_ids if engine.loaded else (),
            max_tokens=24,
            format=Format.LEFT,
        )
        found = [p async for delta in engine.generate(prompt, session="test") for p in delta.logprobs]
        running.cancel()
        await asyncio.wait([running])
        await engine.close()
        return found

    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.token_logprobs == pytest.approx(asyncio.run(asked()), abs=1e-4)
    assert again.choices[0].text == answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(ids)


def test_a_stream_is_the_whole_answer(client: openai.OpenAI, model: str) -> None:
    asked = {"model": model, "prompt": "x = [1, 2, 3]\n", "max_tokens": 40}
    whole = client.completions.create(**asked).choices[0]
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == whole.text
    assert chunks[-2].choices[0].finish_reason == whole.finish_reason
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_a_document_is_filled_in_and_several_answers_differ(client: openai.OpenAI, model: str) -> None:
    answer = client.completions.create(model=model, prompt="def f(x):\n    return ", suffix="\n\n", max_tokens=8, n=3)
    texts = [choice.text for choice in answer.choices]
    assert len(set(texts)) == len(texts) > 1


def test_a_prompt_that_grows_reuses_its_keys_and_values(client: openai.OpenAI, model: str) -> None:
    prompt = "".join(f"line {number}\n" for number in range(60))
    client.completions.create(model=model, prompt=prompt, max_tokens=1)
    client.completions.create(model=model, prompt="another tool's, which is about something else", max_tokens=1)
    usage = client.completions.create(model=model, prompt=prompt + "one more", max_tokens=1).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens is not None
    assert usage.prompt_tokens_details.cached_tokens >= len(prompt) - 1


def test_closing_a_stream_ends_the_generation(client: openai.OpenAI, model: str, url: str) -> None:
    more = {"ignore_eos": True}
    stream = client.completions.create(model=model, prompt="count: ", max_tokens=4_000, stream=True, extra_body=more)
    assert next(iter(stream)).choices[0].finish_reason is None
    stream.close()
    for _ in range(2_000):
        if "midfill_requests_running 0.0" in (told := fetched(f"{url}/metrics").decode()):
            break
    assert 'outcome="cancelled"} 1.0' in told
    (n_generated,) = (line.split()[1] for line in told.splitlines() if line.startswith("midfill_generated_tokens_"))
    assert float(n_generated) < 4_000


def test_the_names_of_special_tokens_are_these_in_a_prompt(url: str) -> None:
    told = json.loads(fetched(f"{url}/tokenize", {"content": "a<|fim_prefix|>b"}))
    assert told["tokens"] == [ord("a"), 256 + SPECIAL.index("<|fim_prefix|>"), ord("b")]
    plain = json.loads(fetched(f"{url}/tokenize", {"content": "<|fim_prefix|>", "parse_special": False}))
    assert plain["count"] == len("<|fim_prefix|>")


def test_its_errors_are_those_of_the_package(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-4'"):
        client.completions.create(model="gpt-4", prompt="x")
    with pytest.raises(openai.BadRequestError, match="frequency_penalty is not supported"):
        client.completions.create(model=model, prompt="x", frequency_penalty=1)
    raw = client.completions.with_raw_response.create(model=model, prompt="x", temperature=0.5, max_tokens=1)
    assert raw.headers["midfill-ignored"] == "temperature"


def test_a_key_from_the_environment_and_from_a_file_is_asked_for(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    for arguments, environment in (((), {"MIDFILL_SERVE_KEY": KEY}), (("--key-file", str(file)), {})):
        with serve_process("--model", str(tiny_model), "--host", "0.0.0.0", *arguments, environment=environment) as url:
            base = url.replace("0.0.0.0", "127.0.0.1") + "/v1"
            with pytest.raises(openai.AuthenticationError):
                openai.OpenAI(base_url=base, api_key="wrong", max_retries=0).models.list()
            assert openai.OpenAI(base_url=base, api_key=KEY, max_retries=0).models.list().data


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host", "0.0.0.0"], "midfill: to serve at 0.0.0.0 takes a key: --key-file FILE, or MIDFILL_SERVE_KEY"),
        (["--key-file", "/nonexistent/key"], "No such file"),
        (["--model", "no-such-model"], "no-such-model"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(tiny_cache: Path, arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "lsp_server.cli", "serve", "--port", "0", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert sentence in ended.stderr


def test_a_missing_package_is_one_sentence_with_the_command(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; from lsp_server.cli.__main__ import main; sys.exit(main(['serve']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    sentence = f'midfill: serving other tools needs uvicorn: {sys.executable} -m pip install "midfill[serve]"\n'
    assert (ended.returncode, ended.stderr) == (2, sentence)
