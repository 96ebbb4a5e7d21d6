"""LLM.int8 and NF4 against transformers with `BitsAndBytesConfig`, on the same weights, on the CPU."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.decoder import run_to_end
from model.gpu_linear import STEP_TOKENS, LlmInt8Linear, Nf4Linear, linear_of, tensors_of
from model.kv import Span
from tests.model.gpu import tiny_gpu_decoder
from tests.model.test_torch_decoder import make_folder

bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
transformers = pytest.importorskip("transformers")


def reference(folder: Path, **quantization: object) -> torch.nn.Module:
    """transformers' model of a folder, quantized as it does it, computing in fp32."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of every cast to fp16
    config = transformers.BitsAndBytesConfig(**quantization)
    model: torch.nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=config, dtype=torch.float32, device_map={"": "cpu"}
    )
    return model


def logits(folder: Path, kind: str, ids: torch.Tensor, outlier: float = 6.0) -> torch.Tensor:
    decoder = tiny_gpu_decoder(folder, kind, outlier=outlier)
    steps = decoder.forward(ids, torch.arange(len(ids)), decoder.new_kv(64), [Span(len(ids), (), 0)])
    return decoder.logits(run_to_end(steps))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_folder(path, "qwen2 with an untied head")
    weights = load_file(path / "model.safetensors")
    for name in (
        "model.embed_tokens.weight",
        "lm_head.weight",
    ):  # a store holds these in bf16: let nothing be lost by it
        weights[name] = weights[name].bfloat16().float()
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    return path


@pytest.mark.parametrize("n", [5, 40])
def test_nf4_is_what_transformers_computes(folder: Path, n: int) -> None:
    model = reference(
        folder,
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    ids = torch.randint(0, 160, (n,), generator=torch.Generator().manual_seed(n))
    with torch.no_grad():
        expected = model(ids[None]).logits[0]
    exact = logits(folder, "fp32", ids)
    # What remains: q, k and v share the second quantization's offset here, and gate and up do.
    assert (logits(folder, "nf4", ids) - expected).norm() < 0.05 * (exact - expected).norm()


@pytest.mark.parametrize(("n", "threshold"), [(40, 6.0), (40, 1.0), (STEP_TOKENS, 0.0), (40, 0.0)])
def test_llm_int8_is_what_transformers_computes(folder: Path, n: int, threshold: float) -> None:
    """With outliers (activations of a random model are small: 1.0 finds some) and, as in steps, without."""
    model = reference(folder, load_in_8bit=True, llm_int8_threshold=threshold)
    ids = torch.randint(0, 160, (n,), generator=torch.Generator().manual_seed(n))
    with torch.no_grad():
        expected = model(ids[None]).logits[0]
    exact = logits(folder, "fp32", ids)
    assert (exact - expected).norm() > 1e-3 * expected.norm()
    assert (logits(folder, "llmint8", ids, threshold) - expected).norm() < 0.02 * (exact - expected).norm()


def test_outliers_are_multiplied_in_16_bits() -> None:
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(1))
    x = torch.randn(40, 128, generator=torch.Generator().manual_seed(2))
    x[:, 5] = 300.0
    weight[:, 5] = weight[:, 5].sign()  # of the outliers' own rounding in int8 there shall be little
    exact = x @ weight.T
    errors = [
        (linear_of("m", tensors_of("m", weight, "llmint8"), None, outlier)(x) - exact).norm() for outlier in (6.0, 0.0)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_activations_beyond_fp16_give_numbers() -> None:
    weight = torch.eye(64) * 1e-3
    x = torch.full((20, 64), 1e5)
    y = linear_of("m", tensors_of("m", weight, "llmint8"), None)(x)
    assert y.isfinite().all()


def test_double_quantized_weights_are_what_bitsandbytes_dequantizes() -> None:
    weight = torch.randn(96, 128, generator=torch.Generator().manual_seed(3))
    library = bitsandbytes.functional
    codes, state = library.quantize_4bit(weight, blocksize=64, compress_statistics=True, quant_type="nf4")
    linear = linear_of("m", tensors_of("m", weight, "nf4"), None)
    assert isinstance(linear, Nf4Linear)
    torch.testing.assert_close(linear(torch.eye(128)).T, library.dequantize_4bit(codes, state), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("kind", "bits"), [("nf4", 4.2), ("llmint8", 8.3), ("bf16", 16.0)])
def test_a_store_takes_the_bits_it_says(kind: str, bits: float) -> None:
    weight = torch.randn(512, 1024)
    n_bytes = sum(t.nbytes for name, t in tensors_of("m", weight, kind).items() if not name.endswith("nested_map"))
    assert 8 * n_bytes / weight.numel() <= bits


def test_a_bias_is_added_by_every_kind() -> None:
    weight, bias, x = torch.randn(32, 64), torch.full((32,), 100.0), torch.randn(9, 64)
    for kind, made in (("nf4", Nf4Linear), ("llmint8", LlmInt8Linear)):
        tensors = tensors_of("m", weight, kind)
        with_bias, without = linear_of("m", tensors, bias), linear_of("m", tensors, None)
        assert isinstance(with_bias, made)
        for rows in (x, x[:1]):
            torch.testing.assert_close(with_bias(rows) - without(rows), bias.expand(len(rows), -1), atol=0.1, rtol=0)
