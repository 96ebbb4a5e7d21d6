"""The hand-written forward against transformers, and the slot primitive against plain recomputation."""

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from model.decoders.kv import Span
from model.decoders.torch_decoder import TorchDecoder, attention
from model.decoders.torch_kv import KVBuffer
from model.weights.load_torch import load_fp32
from model.weights.source import open_source

SIZES = {
    "vocab_size": 160,
    "hidden_size": 96,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
CASES = {
    "qwen2 with an untied head": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": False}),
    "qwen2 with a tied head": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "llama with linear rope": (
        LlamaConfig,
        LlamaForCausalLM,
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}},
    ),
    "llama 3 with scaled rope": (LlamaConfig, LlamaForCausalLM, {"rope_parameters": LLAMA3_ROPE}),
}


def make_folder(folder: Path, case: str, **sizes: int) -> torch.nn.Module:
    """Save a seeded random model of `case` as a safetensors folder; returns transformers' own module."""
    config_class, model_class, extra = CASES[case]
    torch.manual_seed(7)
    model = model_class(config_class(**SIZES | extra | sizes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    vocab = {chr(33 + i): i for i in range(90)}
    tokenizer = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": vocab, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return model


def run(decoder: TorchDecoder, ids: torch.Tensor, kv: KVBuffer, start: int) -> torch.Tensor:
    """Run ids at slots and positions start.. after all earlier ones; returns logits (n, vocab)."""
    positions = torch.arange(start, start + len(ids))
    steps = decoder.forward(ids, positions, kv, [Span(len(ids), ((0, start),), start)])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return decoder.logits(done.value)


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[torch.nn.Module, TorchDecoder]:
    reference = make_folder(tmp_path, request.param)
    with open_source(tmp_path) as weights:
        return reference, load_fp32(weights)


@pytest.mark.parametrize("n", [1, 5, 16, 17, 130])
def test_logits_equal_those_of_transformers(pair: tuple[torch.nn.Module, TorchDecoder], n: int) -> None:
    reference, decoder = pair
    ids = torch.randint(0, 160, (n,), generator=torch.Generator().manual_seed(n))
    with torch.no_grad():
        expected = reference(ids[None]).logits[0]
    got = run(decoder, ids, decoder.new_kv(256), 0)
    assert expected.std() > 0.1  # else equality would say nothing
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("cuts", [(40,), (1, 2, 3, 60), (17, 34, 51), (64,)])
def test_chunked_prefill_equals_one_pass(pair: tuple[torch.nn.Module, TorchDecoder], cuts: tuple[int, ...]) -> None:
    _, decoder = pair
    ids = torch.randint(0, 160, (90,), generator=torch.Generator().manual_seed(3))
    whole = run(decoder, ids, decoder.new_kv(128), 0)
    kv, parts = decoder.new_kv(128), []
    for a, b in zip((0, *cuts), (*cuts, 90), strict=True):
        parts.append(run(decoder, ids[a:b], kv, a))
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=0)


def test_a_gap_of_free_slots_is_never_seen(pair: tuple[torch.nn.Module, TorchDecoder]) -> None:
    """Attend to ranges with a hole in it: garbage in the hole must not change anything."""
    _, decoder = pair
    ids = torch.randint(0, 160, (30,), generator=torch.Generator().manual_seed(4))
    whole = run(decoder, ids, decoder.new_kv(64), 0)
    kv = decoder.new_kv(64)
    kv.keys.fill_(1e6)
    kv.values.fill_(1e6)
    run(decoder, ids[:20], kv, 0)
    steps = decoder.forward(ids[20:], torch.arange(20, 30), kv, [Span(10, ((0, 20),), 50)])
    hidden = drain(steps)
    torch.testing.assert_close(decoder.logits(hidden), whole[20:], atol=1e-4, rtol=0)


def drain(steps: object) -> torch.Tensor:
    """Run a forward to its end."""
    while True:
        try:
            next(steps)  # type: ignore[call-overload]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


def test_forward_yields_once_per_layer(pair: tuple[torch.nn.Module, TorchDecoder]) -> None:
    _, decoder = pair
    steps = decoder.forward(torch.tensor([1, 2]), torch.tensor([0, 1]), decoder.new_kv(8), [Span(2, (), 0)])
    assert sum(1 for _ in steps) == SIZES["num_hidden_layers"]


@pytest.mark.parametrize(("n", "slots"), [(1, 1), (1, 50), (8, 8), (8, 50), (16, 90)])
def test_folded_attention_equals_fused_attention(n: int, slots: int) -> None:
    generator = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(h, s, 16, generator=generator) for h, s in ((6, n), (2, slots), (2, slots)))
    mask = torch.ones(n, slots, dtype=torch.bool).tril(slots - n)
    expected = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], mask, enable_gqa=True)[0]
    torch.testing.assert_close(attention(q, k, v), expected, atol=1e-5, rtol=1e-5)
