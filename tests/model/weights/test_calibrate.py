"""The calibration walk sees what the decoder computes, with everything before it already quantized."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from model.decoders.interface import Decoder
from model.decoders.kv import Span
from model.weights.calibrate import WINDOW_TOKENS, block_size, calibration_windows, quantize_layers
from model.weights.load_torch import load_fp32
from model.weights.lowbit import Groups, hessian_blocks, quantize_groups
from model.weights.source import open_source
from tests.model.tiny import make_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@dataclass
class Exact:
    """Stands for Groups, but keeps the weight as it is."""

    weight: torch.Tensor

    def dequantize(self) -> torch.Tensor:
        return self.weight


class Bytes:
    """A tokenizer: one token a byte."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


def last_hidden(decoder: Decoder, window: torch.Tensor) -> torch.Tensor:
    steps = decoder.forward(window, torch.arange(len(window)), decoder.new_kv(len(window)), [Span(len(window), (), 0)])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def test_the_walk_is_the_decoders_forward_pass(folder: Path) -> None:
    windows = torch.randint(0, 256, (3, 40), generator=torch.Generator().manual_seed(1))
    seen: dict[str, torch.Tensor] = {}

    def choose(name: str, weight: torch.Tensor, hessian: torch.Tensor) -> Groups:
        seen[name] = hessian
        return Exact(weight)  # type: ignore[return-value]

    with open_source(folder) as weights:
        layers = list(quantize_layers(weights, windows, choose))
        decoder = load_fp32(weights)
    expected = torch.cat([last_hidden(decoder, window) for window in windows])
    assert [list(layer) for layer in layers] == [["qkv", "o", "gate_up", "down"]] * 3 + [["head"]]
    torch.testing.assert_close(seen["head"], hessian_blocks(expected, 96), rtol=1e-3, atol=1e-3)


def test_the_quantized_matrices_are_those_of_the_store(folder: Path) -> None:
    windows = torch.randint(0, 256, (2, 40), generator=torch.Generator().manual_seed(1))
    with open_source(folder) as weights:
        layers = list(quantize_layers(weights, windows, lambda name, weight, hessian: quantize_groups(weight, 8)))
        gate_up = torch.cat([weights.tensor("layers.1.gate"), weights.tensor("layers.1.up")])
    assert torch.allclose(layers[1]["gate_up"].dequantize(), gate_up, atol=0.01)
    assert layers[0]["qkv"].codes.shape == (96 + 2 * 32, 96)
    assert layers[-1]["head"].codes.shape == (272, 96)


def test_the_text_is_there_offline_and_begins_with_the_samples() -> None:
    windows = calibration_windows(Bytes(), 40)  # type: ignore[arg-type]
    assert windows.shape == (40, WINDOW_TOKENS)
    text = bytes(windows.flatten().tolist()).decode(errors="replace")
    assert "class Account" in text[:512]
    assert "package ratelimit" in text
    assert "def " in text[-4096:]


@pytest.mark.parametrize(("width", "block"), [(896, 896), (4864, 1216), (1536, 1536), (8960, 1280), (96, 96), (32, 32)])
def test_a_block_divides_the_width_into_whole_groups(width: int, block: int) -> None:
    assert block_size(width) == block
