"""LLM.int8 and NF4 against transformers with `BitsAndBytesConfig`, on the same weights, on the CPU.

bitsandbytes has other code for other processors. Rules: where its own computation is the truth the columns are
multiples of NF4's block of 64, which it has right everywhere; what it has wrong is a test of its own, below.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from model.decoders.gpu_linear import STEP_TOKENS, LlmInt8Linear, Nf4Linear, linear_of, tensors_of
from model.decoders.interface import run_to_end
from model.decoders.kv import Span
from tests.model.decoders.test_torch_decoder import make_folder
from tests.model.gpu import tiny_gpu_decoder

bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
transformers = pytest.importorskip("transformers")

CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")  # torch's names, from the least on
HERE = torch.backends.cpu.get_cpu_capability()


def reference(folder: Path, **quantization: object) -> torch.nn.Module:
    """transformers' model of a folder, quantized as it does it, computing in fp32."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of every cast to fp16
    config = transformers.BitsAndBytesConfig(**quantization)
    model: torch.nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=config, dtype=torch.float32, device_map={"": "cpu"}
    )
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # else it computes in bf16 where the processor can
    return model


def logits(folder: Path, kind: str, ids: torch.Tensor, outlier: float = 6.0) -> torch.Tensor:
    decoder = tiny_gpu_decoder(folder, kind, outlier=outlier)
    steps = decoder.forward(ids, torch.arange(len(ids)), decoder.new_kv(64), [Span(len(ids), (), 0)])
    return decoder.logits(run_to_end(steps))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_folder(path, "qwen2 with an untied head", hidden_size=128, intermediate_size=192)
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


@pytest.mark.parametrize(("n_out", "n_in"), [(96, 128), (96, 96), (64, 80), (3, 32), (5, 16), (160, 896)])
def test_nf4_on_the_processor_is_its_codes_times_their_scales(n_out: int, n_in: int) -> None:
    """By the definition, since what the library says of such sizes depends on the processor."""
    weight = torch.randn(n_out, n_in, generator=torch.Generator().manual_seed(4))
    tensors = tensors_of("m", weight, "nf4")
    absmax, nested = tensors["m.absmax"].int(), tensors["m.nested_absmax"]
    scales = tensors["m.nested_map"][absmax] * nested[torch.arange(len(absmax)) // 256] + tensors["m.offset"]
    packed = tensors["m.codes"].flatten().int()
    codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten()
    levels = bitsandbytes.functional.get_4bit_type("nf4", device="cpu")
    expected = (levels[codes] * scales[torch.arange(len(codes)) // 64]).view(n_out, n_in)
    assert (expected - weight).norm() < 0.12 * weight.norm()
    got = linear_of("m", tensors, None)(torch.eye(n_in)).T
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)


class Calls(TorchDispatchMode):
    """The operators of bitsandbytes that are called, with their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "bitsandbytes":
            self.made.append((func.overloadpacket.__name__, args))
        return func(*args, **(kwargs or {}))


def test_on_the_processor_nf4_asks_for_one_row_of_all_values() -> None:
    """What the library has right on every processor, whatever the matrix's shape is."""
    linear = linear_of("m", tensors_of("m", torch.randn(96, 96), "nf4"), None)
    with Calls() as calls:
        linear(torch.randn(3, 96))
    assert [name for name, _ in calls.made] == ["dequantize_blockwise", "dequantize_4bit"]
    assert calls.made[-1][1][4] == [1, 96 * 96]


@pytest.mark.skipif(HERE != "AVX512", reason=f"bitsandbytes' fault needs a processor with AVX-512; here: {HERE}")
def test_bitsandbytes_has_rows_that_end_within_a_block_wrong() -> None:
    """Its dequantization with AVX-512 takes `columns // 64` scales a row: in a row of 96 one, and the next one's.

    Fails when the library has mended it: then `Nf4Linear._dequantized` may go, and the sizes of `folder`.
    """
    weight = torch.randn(96, 96, generator=torch.Generator().manual_seed(5))
    codes, state = bitsandbytes.functional.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    operator = torch.ops.bitsandbytes.dequantize_4bit.default
    as_rows = operator(codes, state.absmax, 64, "nf4", (96, 96), torch.float32)
    as_one = operator(codes, state.absmax, 64, "nf4", (1, 96 * 96), torch.float32).view(96, 96)
    assert (as_one - weight).norm() < 0.12 * weight.norm()
    assert (as_rows - weight).norm() > 0.2 * weight.norm()


@pytest.mark.parametrize("capability", CAPABILITIES[: CAPABILITIES.index(HERE)] if HERE in CAPABILITIES else ())
def test_lesser_processors_compute_the_same(capability: str) -> None:
    """This file and FBGEMM's linears, as torch and bitsandbytes would run them on a processor that has less."""
    files = [__file__, str(Path(__file__).parents[1] / "weights/test_linear.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not lesser_processors", *files],
        env=os.environ | {"ATEN_CPU_CAPABILITY": capability.lower()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


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
