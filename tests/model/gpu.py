"""Decoders of `model.decoders.gpu_decoder` on tiny weights, for the tests; and what is skipped without a card."""

from pathlib import Path

import pytest
import torch

from model.decoders.gpu_decoder import GpuDecoder
from model.decoders.gpu_steps import Capture
from model.weights.gpu_store import gpu_decoder, gpu_parts
from model.weights.source import WeightSource, open_source

CPU = torch.device("cpu")
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card here: this test has not been run")


def tiny_gpu_decoder(
    weights: WeightSource | Path,
    kind: str = "fp32",
    device: torch.device = CPU,
    dtype: torch.dtype | None = torch.float32,
    outlier: float = 6.0,
    capture: Capture | None = None,
) -> GpuDecoder:
    """A model's decoder; by default in fp32 on the CPU."""
    if isinstance(weights, Path):
        with open_source(weights) as opened:
            return tiny_gpu_decoder(opened, kind, device, dtype, outlier, capture)
    tensors: dict[str, torch.Tensor] = {}
    for part in gpu_parts(weights, kind):
        tensors |= {name: tensor.to(device) for name, tensor in part.items()}
    return gpu_decoder(weights.architecture, tensors, dtype=dtype, outlier=outlier, capture=capture)
