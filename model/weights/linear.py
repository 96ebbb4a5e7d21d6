"""The pluggable linear layer of the torch decoder: fp32 (the truth) and FBGEMM int8.

The int8 kernel, `quantized.linear_dynamic`, picks one activation scale per call, so a token's result would
depend on the tokens beside it (and the NLL of a 512-token chunk rises from 1.71 to 2.04). `Int8Linear`
gives every token its own scale: rows are divided by their absolute maximum, and one extra row holding +1
and -1 pins the call's scale to exactly 2/255, whatever the other rows are.

Rules: `__call__` maps (n, in) -> (n, out), fp32 in and out; an output row depends on its input row alone.
"""

import functools
import warnings
from typing import Protocol

import torch

# `linear_dynamic` and its prepack are deprecated upstream; pyproject pins the minor version because of it.
warnings.filterwarnings("ignore", message=".*deprecated.*", module="model.weights.linear")


class Linear(Protocol):
    """A linear map with its bias inside: (n, in) fp32 -> (n, out) fp32."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...


class Fp32Linear:
    """weight: (out, in) fp32; bias: (out,) or None."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self._weight, self._bias)


class Int8Linear:
    """Int8 weights, one scale per output row; int8 activations, one scale per token.

    weight: (out, in) int8 in -127..127; scale: (out,) fp32; bias: (out,) fp32 or None. The weights are
    packed for FBGEMM here (about 200 MB/s a thread) and the arguments are not kept.
    """

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, *, reduce_range: bool
    ) -> None:
        zero_points = torch.zeros(weight.shape[0], dtype=torch.long)
        quantized = torch._make_per_channel_quantized_tensor(weight, scale.double(), zero_points, 0)
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self._bias = bias
        self._reduce_range = reduce_range

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[0]
        maximum = x.abs().amax(1, keepdim=True).clamp_min_(1e-30)
        rows = torch.empty(n + 1, x.shape[1])
        torch.div(x, maximum, out=rows[:n])
        rows[n].zero_()
        rows[n, 0], rows[n, 1] = 1.0, -1.0
        result: torch.Tensor = torch.ops.quantized.linear_dynamic(rows, self._packed, self._reduce_range)[:n]
        result.mul_(maximum)
        return result if self._bias is None else result.add_(self._bias)


class RowBlocks:
    """A linear cut into blocks of output rows. FBGEMM packs a 150,000-row head four times slower in one piece."""

    def __init__(self, blocks: list[Linear]) -> None:
        self._blocks = blocks

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([block(x) for block in self._blocks], dim=1)


@functools.cache
def needs_reduced_range() -> bool:
    """Whether this processor's int8 kernel saturates, so that activations must use 7 bits.

    Without VNNI, FBGEMM adds pairs of u8*s8 products in 16 bits: 2 * 255 * 127 overflows (on such a CPU
    the NLL would be 3.18 instead of 1.72). The vector below overflows if anything does.
    """
    weight = torch.full((16, 64), 127, dtype=torch.int8)
    layer = Int8Linear(weight, torch.full((16,), 1 / 127), None, reduce_range=False)
    got = layer(torch.ones(1, 64))
    return bool((got - 64.0).abs().max() > 0.64)


def quantize_rows(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round (out, in) fp32 to int8 with one symmetric scale per row: ((out, in) int8, (out,) fp32)."""
    scale = weight.abs().amax(1).clamp_min(1e-12) / 127
    return torch.round(weight / scale[:, None]).clamp_(-127, 127).to(torch.int8), scale
