"""The linears of a graphics card: plain (bf16, fp32), and bitsandbytes' LLM.int8 and NF4.

LLM.int8 (Dettmers et al. 2022): int8 weights with a scale per row, int8 activations with a scale per token, and
input columns that hold an outlier multiplied in 16 bits. Whether there are outliers bitsandbytes asks the host,
which no captured graph can do, and a step of few tokens pays for it more than it gains: up to STEP_TOKENS rows
outliers are rounded like the rest. NF4 (Dettmers et al. 2023): 4-bit codes, a scale for every 64 weights, these
scales in 8 bits again ("double quantization"); products are computed in the type of the activations.

Rules: bitsandbytes is imported when a quantized linear is made, and only its operators are called (`torch.ops`),
which run on the CPU as well; NF4 is called there so that what 0.50.2 has wrong cannot matter (`_dequantized`).
`tensors_of` says what a store keeps, `linear_of` makes the linear from it.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from model.library.catalog import ModelError
from model.library.extras import command_for
from model.weights.linear import Linear

# The most tokens of a step that is run with static shapes; `model.decoders.gpu_steps` has the sizes.
STEP_TOKENS = 8
# What LLM.int8 calls an outlier, in activations; transformers' own default.
OUTLIER = 6.0
_NF4_BLOCK, _NESTED_BLOCK = 64, 256
_FP16_MAX = 65_504.0


class PlainLinear:
    """weight: (out, in), bias: (out,) or None, both in the type of the activations."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self._weight, self._bias)


class LlmInt8Linear:
    """rows: (out, in) int8; scale: (out,) fp32, the rows' absolute maxima; bias: (out,) or None."""

    def __init__(
        self, rows: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, outlier: float = OUTLIER
    ) -> None:
        bitsandbytes()
        self._rows, self._scale, self._bias, self._outlier = rows, scale, bias, outlier

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        ops = torch.ops.bitsandbytes
        if len(x) <= STEP_TOKENS or not self._outlier:
            codes, maxima, _ = ops.int8_vectorwise_quant.default(x.half(), 0.0)
            result: torch.Tensor = ops.int8_scaled_mm.default(
                codes, self._rows, maxima, self._scale, bias=self._bias, dtype=x.dtype
            )
            return result
        # bf16 reaches further than fp16: the first tokens of a prompt may hold larger activations.
        codes, maxima, columns = ops.int8_vectorwise_quant.default(x.clamp(-_FP16_MAX, _FP16_MAX).half(), self._outlier)
        mixed: torch.Tensor = ops.int8_mixed_scaled_mm.default(
            x, codes, self._rows, maxima, self._scale, columns, self._bias
        )[0]
        return mixed


class Nf4Linear:
    """codes: (out * in / 2, 1) uint8; absmax: (blocks,) uint8 in `nested_map`, with `nested_absmax` and `offset`.

    shape: (out, in). The scale of block i is nested_map[absmax[i]] * nested_absmax[i // 256] + offset.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        codes: torch.Tensor,
        absmax: torch.Tensor,
        nested_absmax: torch.Tensor,
        nested_map: torch.Tensor,
        offset: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> None:
        bitsandbytes()
        self._shape, self._codes, self._absmax, self._bias = shape, codes, absmax, bias
        self._nested_absmax, self._nested_map, self._offset = nested_absmax, nested_map, offset

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu":
            return F.linear(x, self._dequantized(x.dtype), self._bias)
        result: torch.Tensor = torch.ops.bitsandbytes.gemm_4bit.default(
            x,
            self._codes,
            self._shape,
            self._nested_absmax,
            _NF4_BLOCK,
            "nf4",
            bias=self._bias,
            absmax_8bit=self._absmax,
            absmax_code=self._nested_map,
            absmax_offset=self._offset,
        )
        return result

    def _dequantized(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight (out, in), as one row of all values.

        With AVX-512, 0.50.2 begins a scale anew in every row, where NF4's blocks run on over the rows' ends: wrong
        wherever the columns are no multiple of the block, and right of one row
        (tests/model/decoders/test_gpu_linear.py).
        """
        ops = torch.ops.bitsandbytes
        scales = ops.dequantize_blockwise.default(
            self._absmax, self._nested_absmax, self._nested_map, _NESTED_BLOCK, torch.float32
        )
        n_out, n_in = self._shape
        row: torch.Tensor = ops.dequantize_4bit.default(
            self._codes, scales + self._offset, _NF4_BLOCK, "nf4", (1, n_out * n_in), dtype
        )
        return row.view(n_out, n_in)


def bitsandbytes() -> Any:
    """The library's functions; ModelError when it is not installed."""
    try:
        return importlib.import_module("bitsandbytes.functional")
    except ImportError as error:
        why = f"a quantized model on a graphics card needs bitsandbytes ({error}): {command_for('cuda')}"
        raise ModelError(why) from error


def tensors_of(name: str, weight: torch.Tensor, kind: str) -> dict[str, torch.Tensor]:
    """What a store keeps of a matrix (out, in) fp32, on the weight's device; kind: "nf4", "llmint8", "bf16", "fp32"."""
    if kind == "llmint8":
        bitsandbytes()
        rows, maxima, _ = torch.ops.bitsandbytes.int8_vectorwise_quant.default(weight.half(), 0.0)
        return {f"{name}.rows": rows, f"{name}.scale": maxima}
    if kind == "nf4":
        library = bitsandbytes()
        codes, state = library.quantize_4bit(weight, blocksize=_NF4_BLOCK, compress_statistics=True, quant_type="nf4")
        return {
            f"{name}.codes": codes,
            f"{name}.shape": torch.tensor(weight.shape),
            f"{name}.absmax": state.absmax,
            f"{name}.nested_absmax": state.state2.absmax,
            f"{name}.nested_map": state.state2.code,
            f"{name}.offset": state.offset,
        }
    return {f"{name}.weight": weight.to(torch.float32 if kind == "fp32" else torch.bfloat16)}


def linear_of(
    name: str, tensors: Mapping[str, torch.Tensor], bias: torch.Tensor | None, outlier: float = OUTLIER
) -> Linear:
    """The linear that `tensors_of` described, on the device of its tensors; KeyError when one is missing."""
    if f"{name}.rows" in tensors:
        return LlmInt8Linear(tensors[f"{name}.rows"], tensors[f"{name}.scale"], bias, outlier)
    if f"{name}.codes" in tensors:
        n_out, n_in = tensors[f"{name}.shape"].tolist()
        parts = {
            part: tensors[f"{name}.{part}"] for part in ("codes", "absmax", "nested_absmax", "nested_map", "offset")
        }
        return Nf4Linear((n_out, n_in), **parts, bias=bias)
    return PlainLinear(tensors[f"{name}.weight"], bias)
