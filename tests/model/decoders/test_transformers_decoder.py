"""Models of other architectures: what they say through our slots against transformers alone, and who is refused."""

import asyncio
import json
from array import array
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from completion.types import Format, Prompt
from model.decoders.interface import run_to_end
from model.decoders.kv import Span
from model.decoders.transformers_decoder import TransformersDecoder, load_transformers
from model.library.architecture import UnsupportedModel, foreign_reason, from_folder
from model.library.catalog import resolve
from model.library.vocabulary import VOCABULARY
from model.link.client import EngineClient, Phase
from model.link.spawn import EngineSettings
from model.weights.load import open_decoder
from tests.model.tiny import SIZES, make_tiny_model

SPECIAL = {"eos_token_id": 256, "bos_token_id": 256, "pad_token_id": 0}
# Where transformers calls a configuration or a model not as the others.
CONFIGS, MODELS = {"Gemma3": "Gemma3TextConfig"}, {"GPT2": "GPT2LMHeadModel"}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 64}
LAYERS = ["sliding_attention", "full_attention", "full_attention"]
N = 40
WINDOW = 24
# What each is there for: biases and LayerNorm behind a sliding window; norms of queries and keys; capped scores, and
# every second layer with a window; scaled logits; half-rotary dimensions; fused projections of another base;
# experts.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "starcoder2": ("Starcoder2", {"sliding_window": WINDOW, "use_bias": True}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "gemma2": ("Gemma2", {"head_dim": 16, "sliding_window": WINDOW, "attn_logit_softcapping": 5.0}),
    "granite": ("Granite", {"logits_scaling": 4.0, "attention_multiplier": 0.3, "residual_multiplier": 0.7}),
    "stablelm": ("StableLm", {"use_qkv_bias": True}),
    "gpt_neox": ("GPTNeoX", {"num_key_value_heads": 6}),
    "mixtral": ("Mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "mistral": ("Mistral", {"sliding_window": WINDOW}),
    "a llama with attention biases": ("Llama", {"attention_bias": True}),
    "a qwen2 with yarn": (
        "Qwen2",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1e4,
                "factor": 2.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
}


def make(folder: Path, name: str, extra: dict[str, Any]) -> torch.nn.Module:
    """Save a seeded random model as a safetensors folder with a tokenizer; transformers' own module of it."""
    make_tiny_model(folder)
    torch.manual_seed(11)
    config = getattr(transformers, CONFIGS.get(name, f"{name}Config"))(**{**SIZES, **SPECIAL, **extra})
    model: torch.nn.Module = getattr(transformers, MODELS.get(name, f"{name}ForCausalLM"))(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("bias"):
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    return model


def load(folder: Path, *, exact: bool = True) -> TransformersDecoder:
    config = json.loads((folder / "config.json").read_text())
    return load_transformers(folder, from_folder(config), exact=exact)


def run(decoder: TransformersDecoder, ids: torch.Tensor, kv: Any, spans: list[Span], begin: int) -> torch.Tensor:
    positions = torch.cat([torch.arange(span.n) for span in spans]) + begin
    return decoder.logits(run_to_end(decoder.forward(ids, positions, kv, spans)))


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[torch.nn.Module, TransformersDecoder]:
    reference = make(tmp_path, *CASES[request.param])
    assert foreign_reason(tmp_path)
    return reference, load(tmp_path)


def test_the_logits_are_those_of_transformers_however_a_text_is_divided(
    pair: tuple[torch.nn.Module, TransformersDecoder],
) -> None:
    reference, decoder = pair
    ids = torch.randint(256, (N,), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        truth = reference(ids[None]).logits[0]
    kv = decoder.new_kv(N)
    pieces = [run(decoder, ids[a:b], kv, [Span(b - a, ((0, a),), a)], a) for a, b in ((0, 17), (17, 33), (33, N))]
    torch.testing.assert_close(torch.cat(pieces), truth, rtol=1e-3, atol=1e-3)
    assert [best for best, _ in decoder.greedy(run_to_end(decoder.forward(
        ids[N - 1 :], torch.tensor([N - 1]), kv, [Span(1, ((0, N - 1),), N - 1)]
    )))] == [int(truth[N - 1].argmax())]  # fmt: skip


def test_text_that_moved_is_worth_what_it_would_be_computed_there(
    pair: tuple[torch.nn.Module, TransformersDecoder],
) -> None:
    _, decoder = pair
    ids = torch.arange(30, 50)
    source, computed, moved = (decoder.new_kv(N) for _ in range(3))
    run(decoder, ids, source, [Span(20, (), 0)], 0)
    run(decoder, ids, computed, [Span(20, (), 15)], 15)
    decoder.move(source, 0, 20, moved, 15, 15)
    for got, expected in ((moved.keys, computed.keys), (moved.values, computed.values)):
        torch.testing.assert_close(got[:, :, 15:35], expected[:, :, 15:35], rtol=1e-3, atol=1e-3)


def test_two_answers_side_by_side_do_not_see_each_other(pair: tuple[torch.nn.Module, TransformersDecoder]) -> None:
    _, decoder = pair
    prompt, one, other = torch.arange(20), torch.tensor([50, 51, 52]), torch.tensor([60, 61, 62])
    kv = decoder.new_kv(N)
    run(decoder, prompt, kv, [Span(20, (), 0)], 0)
    both = run(decoder, torch.cat([one, other]), kv, [Span(3, ((0, 20),), 20), Span(3, ((0, 20),), 23)], 20)
    for answer, got in ((one, both[:3]), (other, both[3:])):
        alone = run(decoder, answer, kv, [Span(3, ((0, 20),), 30)], 20)
        torch.testing.assert_close(got, alone, rtol=1e-4, atol=1e-4)


def test_in_8_bits_the_distribution_stays_near(tmp_path: Path) -> None:
    make(tmp_path, *CASES["starcoder2"])
    ids = torch.arange(N)
    exact, rounded = (load(tmp_path, exact=exact) for exact in (True, False))
    logits = [run(decoder, ids, decoder.new_kv(N), [Span(N, (), 0)], 0) for decoder in (exact, rounded)]
    assert 0 < (logits[0] - logits[1]).abs().mean() < 0.1 * logits[0].std()


@pytest.mark.parametrize(
    ("name", "extra", "why"),
    [
        ("GptOss", {"head_dim": 16, "num_local_experts": 2, "num_experts_per_tok": 1}, "cannot divide"),
        ("GPT2", {"n_embd": 96, "n_head": 6, "n_layer": 3}, "no num_hidden_layers"),
        ("Gemma3", {"head_dim": 16, "sliding_window": WINDOW, "layer_types": LAYERS}, "cannot be moved"),
    ],
)  # fmt: skip
def test_who_cannot_be_divided_or_moved_is_refused_with_the_reason(
    name: str, extra: dict[str, Any], why: str, tmp_path: Path
) -> None:
    make(tmp_path, name, extra)
    with pytest.raises(UnsupportedModel, match=why):
        load(tmp_path)


def test_a_folder_is_opened_with_a_store_that_holds_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    make(tmp_path / "coder", *CASES["starcoder2"])
    decoder, store = open_decoder(resolve(str(tmp_path / "coder")), tmp_path / "coder", "auto", 1)
    assert isinstance(decoder, TransformersDecoder)
    files = {file.name for file in store.iterdir()} - {VOCABULARY}
    assert files == {"manifest.json", "special_tokens.json", "tokenizer.json"}


def test_without_the_library_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *CASES["starcoder2"])
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(UnsupportedModel, match=r"'starcoder2' is not one .* pip install \"midfill\[transformers\]\""):
        load(tmp_path)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    make(tmp_path, *CASES["starcoder2"])
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "own.Own", "AutoConfig": "own.OwnConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text("raise SystemExit('was run')")
    with pytest.raises(UnsupportedModel, match="'own' is not one"):
        load(tmp_path)


@pytest.mark.e2e
def test_the_daemon_generates_what_transformers_does_with_what_it_kept_of_another_text(
    tiny_cache: Path, tmp_path: Path
) -> None:
    reference = make(tmp_path / "coder", *CASES["starcoder2"])
    prompts = [list(range(10, 90)), [*range(10, 60), 7, 8, 9]]

    def truth(ids: list[int]) -> list[int]:
        for _ in range(12):
            with torch.inference_mode():
                ids = [*ids, int(reference(torch.tensor([ids])).logits[0, -1].argmax())]
        return ids[-12:]

    async def scenario() -> None:
        settings = EngineSettings(model=str(tmp_path / "coder"), quantization="fp32", idle="never")
        async with asyncio.timeout(120):
            client = EngineClient(settings, lambda state: None)
            running = asyncio.create_task(client.run())
            while client.state.phase is not Phase.READY:
                assert client.state.phase is not Phase.FAILED, client.state.message
                await asyncio.sleep(0.02)
            for ids in prompts:
                prompt = Prompt(
                    token_ids=array("I", ids), heal=b"", stop_token_ids=(), max_tokens=12, format=Format.LEFT
                )
                got = [i async for delta in client.generate(prompt, session="s") for i in delta.token_ids]
                assert got == truth(ids)
            running.cancel()
            await asyncio.wait([running])
            await client.close()

    asyncio.run(scenario())
