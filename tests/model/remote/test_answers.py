"""What is asked of each kind of server and what its answers are taken for, over real sockets."""

import json
import math
import re
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from completion.prompt.layout import build_prompt
from completion.prompt.segments import SegmentCache
from completion.types import Delta, EngineUnavailable, Mode, Prompt
from model.library.architecture import from_folder
from model.library.catalog import resolve
from model.library.paths import stores_dir
from model.library.sentinels import spec_of
from model.library.store import NUMERICS_VERSION, SPECIAL_TOKENS, Manifest, write_manifest
from model.library.tokenizer import build_bpe, byte_alphabet
from model.link.client import Phase
from model.remote.client import RemoteClient
from model.remote.healing import grammar, regex, spelled
from tests.fakes import LIMITS, request_at
from tests.model.remote.server import SAYS, Call, ModelServer, tokens_of
from tests.model.remote.test_faults import client_of, prompt, run, said
from tests.model.tiny import SPECIAL, byte_tokens, make_tiny_model
from tests.model.tiny_gguf import make_tiny_gguf

_HEALED = prompt("def add(a, b):\n   ", heal=" ret")


async def deltas(client: RemoteClient, asked: Prompt) -> list[Delta]:
    return [delta async for delta in client.generate(asked, session="s") if delta.token_ids]


def test_a_llama_cpp_server_is_made_to_begin_with_what_is_typed() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            assert await said(client, _HEALED) == f" ret{SAYS}"
            body = server.completions[-1].body
            assert body["grammar"] == 'root ::= "\\x20ret" [^\\x00]*'
            assert body["n_probs"] == 20
            await said(client)
            assert "grammar" not in server.completions[-1].body

    run(test)


def test_the_text_of_a_grammar_or_a_pattern_is_itself() -> None:
    assert grammar('a"\\é漢😀') == 'root ::= "a\\x22\\x5C\\xE9\\u6F22\\U0001F600" [^\\x00]*'
    assert regex("f(x) + [") == r"f\(x\)\ \+\ \[[\s\S]*"


def test_a_token_that_spells_what_is_typed_is_never_surer_than_is_known() -> None:
    top = ((b" return", math.log(0.3)), (b" raise", math.log(0.2)), (b" ret", math.log(0.1)))
    could = math.exp(spelled(b" ret", b" return", math.log(0.3), top))
    assert could == pytest.approx(0.3 + 0.1 + 0.4)  # ` raise` cannot spell it; of .4 nobody knows
    assert math.exp(spelled(b" ret", b" rets", math.log(0.05), top)) == pytest.approx(0.05 + 0.3 + 0.1 + 0.35)
    assert spelled(b" ret", b" return", math.log(0.3), ()) == 0.0


def test_the_counters_are_the_servers() -> None:
    async def test(server: ModelServer) -> None:
        async with client_of(server.url) as client:
            found = [delta.stats async for delta in client.generate(prompt(), session="s") if delta.stats]
            assert found[-1].n_cached == 5
            assert found[-1].n_computed == found[-1].n_prompt - 5
            assert found[-1].n_generated == len(SAYS)

    run(test)


# -- OpenAI-style ------------------------------------------------------------------------------------------


class OpenAiPages:
    """`/v1/completions` of a server that can some things: it says what a regular expression forces, then `says`."""

    def __init__(
        self, server: ModelServer, *, ids: bool, logprobs: bool, constraint: str, scores: bool = False
    ) -> None:
        self.says = SAYS
        self._ids, self._logprobs, self._constraint, self._scores = ids, logprobs, constraint, scores
        self._model = server.model
        server.pages = {"/v1/completions": self._complete, "/tokenize": self._tokenize if ids else _missing}
        server.pages["/props"] = _missing

    async def _tokenize(self, call: Call) -> None:
        if "prompt" not in call.body:
            await call.answer({"error": {"message": "prompt: field required"}}, 422)
            return
        tokens = tokens_of(call.body["prompt"])
        byte_level = [says.decode() if i >= 256 else _spelling(says[0]) for i, says in tokens]
        await call.answer({"tokens": [i for i, _ in tokens], "token_strs": byte_level})

    async def _complete(self, call: Call) -> None:
        body = call.body
        if isinstance(body["prompt"], list) and not self._ids:
            await call.answer({"error": {"message": "prompt must be a string"}}, 400)
            return
        forced = ""
        if self._constraint and self._constraint in body:
            rule = body[self._constraint]
            forced = (rule["regex"] if isinstance(rule, dict) else rule).removesuffix(r"[\s\S]*").replace("\\", "")
        text = (forced + self.says)[: body["max_tokens"]]
        if body.get("stream"):
            await self._stream(call, text)
            return
        choice: dict[str, Any] = {"text": text, "logprobs": self._of(text) if self._logprobs else None}
        if self._ids and body.get("return_token_ids"):
            choice["token_ids"] = list(text.encode())
        if self._scores and "prompt_logprobs" in body:
            rows = [{str(i): {"logprob": -i / 100}} for i in body["prompt"]]
            choice["prompt_logprobs"] = [None, *rows[1:]]
        await call.answer({"choices": [choice], "model": self._model})

    async def _stream(self, call: Call, text: str) -> None:
        await call.head()
        for character in text:
            choice: dict[str, Any] = {"text": character, "finish_reason": None}
            if self._ids and call.body.get("return_token_ids"):
                choice["token_ids"] = list(character.encode())
            if self._logprobs:
                choice["logprobs"] = self._of(character)
            await call.event({"model": self._model, "choices": [choice]})
        await call.event({"model": self._model, "choices": [{"text": "", "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}}
        await call.event({"model": self._model, "choices": [], "usage": usage})
        await call.send(b"data: [DONE]\n\n")

    def _of(self, text: str) -> dict[str, Any]:
        return {"tokens": list(text), "token_logprobs": [-0.25] * len(text), "top_logprobs": [{c: -0.25} for c in text]}


async def _missing(call: Call) -> None:
    await call.answer({"detail": "Not Found"}, 404)


def _spelling(byte: int) -> str:
    return next(character for character, own in byte_alphabet().items() if own == byte)


@pytest.fixture
def local_model(tiny_cache: Path, tiny_model: Path) -> str:
    """A model whose tokens are bytes, as far as this machine needs it for a server's: a store without weights."""
    source = resolve(str(tiny_model))
    store = stores_dir() / f"{source.model_id}-int8-0123456789ab-n{NUMERICS_VERSION}"
    store.mkdir(parents=True)
    special = {name: 256 + n for n, name in enumerate(SPECIAL)}
    (store / SPECIAL_TOKENS).write_text(json.dumps(special))
    (store / "tokenizer.json").write_text(build_bpe([*byte_tokens(), *SPECIAL], [], "qwen2").to_str())
    spec = spec_of(special, special.values(), bos=None, row=None)
    architecture = from_folder(json.loads((tiny_model / "config.json").read_text()))
    manifest = Manifest(
        model_id=source.model_id,
        kind="int8",
        numerics_version=NUMERICS_VERSION,
        source="",
        source_sha256="0123456789ab",
        architecture=architecture,
        prompt=spec,
        n_tokens=262,
        file_bytes={},
    )
    write_manifest(store, manifest)
    return str(tiny_model)


@pytest.mark.parametrize("constraint", ["structured_outputs", "guided_regex", "regex"])
def test_a_server_that_can_all_is_asked_for_all(constraint: str) -> None:
    async def test(server: ModelServer) -> None:
        OpenAiPages(server, ids=True, logprobs=True, constraint=constraint, scores=True)
        async with client_of(server.url, kind="auto") as client:
            told = client.describe()
            assert told.startswith("openai with tiny")
            assert "prompts as token ids; log-probabilities; begins with what is typed; scoring" in told
            found = await deltas(client, _HEALED)
            assert bytes(i for delta in found for i in delta.token_ids).decode() == f" ret{SAYS}"
            assert {delta.logprobs for delta in found} == {(-0.25,)}
            body = server.completions[-1].body
            assert body["prompt"] == list(_HEALED.token_ids)
            assert constraint in body
            assert body["repetition_penalty"] == 1, "not the one of the model's own files"
            scored = await deltas(client, prompt("ab", target=(99, 100)))
            assert scored == [Delta(token_ids=(99, 100), logprobs=(-0.99, -1.0))]

    run(test)


def test_a_server_without_ids_gets_text_and_without_a_constraint_is_checked(local_model: str) -> None:
    async def test(server: ModelServer) -> None:
        pages = OpenAiPages(server, ids=False, logprobs=False, constraint="")
        async with client_of(server.url, kind="openai", tokenizer_of=local_model) as client:
            told = client.describe()
            assert "prompts as text; no log-probabilities" in told
            assert "what is typed is checked" in told
            assert client.loaded is not None
            assert not client.loaded.has_logprobs

            pages.says = " return a"  # by itself as it should
            n_before = len(server.completions)
            assert await said(client, _HEALED) == " return a"
            assert len(server.completions) == n_before + 1
            assert server.completions[-1].body["prompt"] == "def add(a, b):\n   "

            pages.says = "urn a"  # not: asked once more with the typed text in the prompt
            assert await said(client, _HEALED) == " return a"
            assert len(server.completions) == n_before + 3
            assert server.completions[-1].body["prompt"] == "def add(a, b):\n    ret"

            await said(client, replace(prompt(), token_ids=array("I", [259, *b"x"]), stop_token_ids=(256, 257)))
            assert server.completions[-1].body["prompt"] == "<|fim_prefix|>x"
            assert server.completions[-1].body["stop"] == ["\n", "<|endoftext|>", "<|repo_name|>"]

            with pytest.raises(EngineUnavailable, match="cannot say how probable a given text is"):
                await deltas(client, prompt("ab", target=(99,)))

    run(test)


def test_several_models_want_a_choice() -> None:
    async def test(server: ModelServer) -> None:
        async def models(call: Call) -> None:
            await call.answer({"data": [{"id": "small"}, {"id": "large"}]})

        OpenAiPages(server, ids=False, logprobs=False, constraint="")
        server.pages["/v1/models"] = models
        for wanted, words in (("", "has several models: set engine.model; it has small, large"), ("x", "no model x")):
            async with client_of(server.url, kind="openai", model=wanted, phases=(Phase.FAILED,)) as client:
                assert words in client.state.message

    run(test)


async def _sentence_piece(call: Call) -> None:
    """A text's tokens where each text begins with a blank."""
    text = call.body["content"]
    await call.answer({"tokens": [{"id": 900 + i, "piece": p} for i, p in enumerate(f" {text}")] if text else []})


def test_a_server_whose_tokens_do_not_say_the_text_as_it_is_gets_text(local_model: str) -> None:
    async def test(server: ModelServer) -> None:
        server.pages["/tokenize"] = _sentence_piece
        async with client_of(server.url, tokenizer_of=local_model) as client:
            assert "prompts as text" in client.describe()
            assert await said(client, _HEALED) == f" ret{SAYS}"
            assert server.completions[-1].body["prompt"] == "def add(a, b):\n   "
            assert client.loaded is not None
            assert client.loaded.context_tokens == 3_276, "another tokenizer measures: not all of it is used"

    run(test)


@pytest.mark.parametrize("bos", [None, 300])
def test_ids_begin_with_what_the_server_puts_before_a_text(bos: int | None) -> None:
    async def test(server: ModelServer) -> None:
        server.bos = bos
        async with client_of(server.url) as client:
            assert client.loaded is not None
            assert client.loaded.spec.bos == bos

    run(test)


# -- Ollama ------------------------------------------------------------------------------------------------


def _ollama(server: ModelServer, *, logprobs: bool, model: str = "tiny") -> None:
    async def generate(call: Call) -> None:
        rows = [{"token": "u", "logprob": -0.5, "bytes": [117]}]
        if not call.body["stream"]:
            await call.answer({"response": "u", "done": True, **({"logprobs": rows} if logprobs else {})})
            return
        await call.head()
        for character in SAYS:
            piece: dict[str, Any] = {"model": f"{model}:latest", "response": character, "done": False}
            if logprobs:
                piece["logprobs"] = [{"token": character, "logprob": -0.5, "bytes": list(character.encode())}]
            await call.send(json.dumps(piece).encode() + b"\n")
        last = {"model": f"{model}:latest", "response": "", "done": True, "prompt_eval_duration": 5_000_000}
        await call.send(json.dumps(last).encode() + b"\n")

    def page(answer: Any) -> Any:
        async def behave(call: Call) -> None:
            await call.answer(answer)

        return behave

    server.pages = {
        "/props": _missing,
        "/api/version": page({"version": "0.12.11"}),
        "/api/tags": page({"models": [{"name": f"{model}:latest"}, {"name": "other:7b"}]}),
        "/api/show": page({"parameters": 'num_ctx    8192\nstop "<|endoftext|>"'}),
        "/api/generate": generate,
    }


@pytest.mark.parametrize("logprobs", [True, False])
def test_ollama_gets_the_prompt_as_it_is(local_model: str, logprobs: bool) -> None:
    async def test(server: ModelServer) -> None:
        _ollama(server, logprobs=logprobs)
        async with client_of(server.url, kind="auto", model="tiny", tokenizer_of=local_model) as client:
            assert client.describe().startswith("ollama with tiny:latest; a context of 8,192 tokens; prompts as text")
            found = await deltas(client, prompt())
            assert bytes(i for delta in found for i in delta.token_ids).decode() == SAYS
            assert {delta.logprobs for delta in found} == {(-0.5,) if logprobs else (0.0,)}
            body = server.completions[-1].body
            assert (body["raw"], body["prompt"]) == (True, "def add(a, b):\n    ret")
            assert (body["options"]["num_predict"], body["options"]["repeat_penalty"]) == (40, 1)

    run(test)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("starcoder2", ["<fim_prefix>", "A = 1", "<fim_suffix>", "B = 2", "<fim_middle>"]),
        ("codestral:22b", ["[SUFFIX]", "B = 2", "[PREFIX]", "A = 1"]),
        ("seed-coder-8b", ["<[fim-suffix]>", "B = 2", "<[fim-prefix]>", "A = 1", "<[fim-middle]>"]),
    ],
)
def test_text_is_laid_out_as_the_models_family_wants_it(local_model: str, model: str, wanted: list[str]) -> None:
    async def test(server: ModelServer) -> None:
        _ollama(server, logprobs=True, model=model)
        async with client_of(server.url, kind="ollama", model=model, tokenizer_of=local_model) as client:
            assert client.loaded is not None
            request = request_at("A = 1\n" + "a\n" * 9 + "C▮\nB = 2\n", repo="", mode=Mode.LINE)
            tokenizer = client.loaded.tokenizer
            segments = SegmentCache(tokenizer)
            built = build_prompt(client.loaded.spec, tokenizer, segments, LIMITS, request, Mode.LINE)
            await said(client, replace(built, heal=b""))
            asked = str(server.completions[-1].body["prompt"])
            assert re.findall(r"<\[?fim.*?>|\[\w+FIX]|A = 1|B = 2", asked) == wanted

    run(test)


def test_without_tokenizers_at_both_ends_it_is_said_what_is_missing() -> None:
    async def test(server: ModelServer) -> None:
        _ollama(server, logprobs=True)
        async with client_of(server.url, kind="ollama", model="tiny", phases=(Phase.FAILED,)) as client:
            assert "run `midfill model pull qwen2.5-coder-7b`" in client.state.message

    run(test)


@pytest.mark.parametrize("kind", ["json", "gguf"])
def test_a_tokenizer_of_the_users_measures_for_a_server_that_has_none(kind: str, tmp_path: Path) -> None:
    file = make_tiny_gguf(tmp_path)[0] if kind == "gguf" else tmp_path / "published"
    make_tiny_model(tmp_path / "published")

    async def test(server: ModelServer) -> None:
        _ollama(server, logprobs=True, model="ours")
        async with client_of(server.url, kind="ollama", model="ours", tokenizer=str(file)) as client:
            assert client.loaded is not None
            assert client.loaded.context_tokens == 8_192, "all of it: the tokenizer is the model's own"
            assert client.loaded.spec.fim_prefix == 259
            assert client.loaded.tokenizer.encode("def") == list(b"def")
            await said(client, replace(prompt(), token_ids=array("I", [259, *b"x"])))
            assert server.completions[-1].body["prompt"] == "<|fim_prefix|>x"

    run(test)


@pytest.mark.parametrize("text", ["{", '{"model": {"type": "WordPiece"}}', None])
def test_a_tokenizer_that_cannot_be_used_is_named(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    if text is not None:
        file.write_text(text)

    async def test(server: ModelServer) -> None:
        _ollama(server, logprobs=True)
        async with client_of(
            server.url, kind="ollama", model="tiny", tokenizer=str(file), phases=(Phase.FAILED,)
        ) as client:
            assert f"engine.tokenizer {file} cannot be used" in client.state.message

    run(test)
