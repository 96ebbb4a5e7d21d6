"""Rounds matrices to 4 or 8 bits in groups of 32 inputs, so that a layer's output changes as little as possible.

The format: one fp16 scale (which may be negative) for each output row and each group of 32 inputs, 4.5 or 8.5
bits per weight. In 4 bits `value = scale * CODEBOOK[code]`, with the codebook of llama.cpp's IQ4_NL: its steps are
narrower near zero, where most weights are. In 8 bits `value = scale * (code - 128)`.

What is minimised is not the error of the weights, e, but that of the outputs, e H e^T, where H = X^T X is the
hessian of the layer's inputs X on a calibration text (`calibrate` collects it). Scales come from a search like that of
llama.cpp's `make_qx_quants`; roundings compensate the errors of the columns before them (GPTQ, Frantar et
al. 2022), with H in diagonal blocks where the whole would be too large to factor.

Rules: pure functions on CPU tensors; no files, no model.
"""

from typing import NamedTuple

import torch

from model.native.matrix_layout import GROUP

# What the sixteen 4-bit codes stand for, in units of the scale (llama.cpp's kvalues_iq4nl).
CODEBOOK = torch.tensor([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], dtype=torch.int8)
# The code that is nearest to -128..127, so that rounding is one look-up.
_NEAREST = (torch.arange(-128.0, 128.0)[:, None] - CODEBOOK).abs().argmin(1).to(torch.uint8)
_ROUNDED = CODEBOOK[_NEAREST.long()].float()
# Where the largest weight of a group may land.
_REACHES = (-127.0, 113.0, -119.0, 105.0, -111.0, -134.0)
# Rows that are rounded together: at (32, 4096) fp32 a group stays in the processor's second-level cache.
_CHUNK_ROWS = 4096
# H's diagonal is raised by this share of itself before it is factored. With a few thousand tokens of text in other
# languages than the user's, 0.01 overfits: the outputs of other text are then 15 to 30 % further off than at 0.2.
_DAMPING = 0.7


class Groups(NamedTuple):
    """A quantized matrix: codes (out, in) uint8 in 0..2**bits - 1, scales (out, in / 32) fp16."""

    codes: torch.Tensor
    scales: torch.Tensor
    bits: int

    def dequantize(self) -> torch.Tensor:
        """(out, in) fp32."""
        out, width = self.codes.shape
        values = self.codes.float().sub_(128) if self.bits == 8 else CODEBOOK.float()[self.codes.long()]
        return values.view(out, -1, GROUP).mul_(self.scales.float()[:, :, None]).view(out, width)


def quantize_groups(weight: torch.Tensor, bits: int, importance: torch.Tensor | None = None) -> Groups:
    """Round every weight by itself: (out, in) fp32 -> Groups.

    importance: (in,) E[x^2] of the inputs, which weighs the squared errors of the scale search; None: all
    inputs alike. ValueError for a width that is no multiple of 32, and for bits other than 4 and 8.
    """
    _check(weight, bits)
    if bits == 8:
        return _round_to_int8(weight)
    weights = torch.ones(weight.shape[1]) if importance is None else importance
    parts = [_round_rows(rows.t().contiguous(), weights[:, None], None) for rows in weight.split(_CHUNK_ROWS)]
    return _join(parts)


def quantize_compensated(weight: torch.Tensor, hessian: torch.Tensor) -> Groups:
    """Round to 4 bits column by column, each error made good by the columns after it (GPTQ).

    weight: (out, in) fp32; hessian: (n_blocks, block, block), X^T X of consecutive blocks of inputs; a block
    is a multiple of 32. ValueError when the shapes do not fit.
    """
    _check(weight, 4)
    n_blocks, block, _ = hessian.shape
    if n_blocks * block != weight.shape[1] or block % GROUP:
        raise ValueError(f"hessian {tuple(hessian.shape)} does not cover {weight.shape[1]} inputs in groups of {GROUP}")
    factors = [_inverse_factor(part) for part in hessian]
    parts = []
    for rows in weight.split(_CHUNK_ROWS):
        columns = rows.t().contiguous()
        for index, factor in enumerate(factors):
            span = columns[index * block : (index + 1) * block]
            parts.append(_round_rows(span, factor.diagonal()[:, None] ** -2, factor))
    return _join(parts, len(factors))


def hessian_blocks(x: torch.Tensor, block: int) -> torch.Tensor:
    """X^T X of inputs x (n, in), as (in / block, block, block)."""
    blocks = x.view(x.shape[0], -1, block).permute(1, 2, 0)
    return blocks @ blocks.transpose(1, 2)


def _check(weight: torch.Tensor, bits: int) -> None:
    if bits not in (4, 8):
        raise ValueError(f"{bits} bits are not supported (supported: 4, 8)")
    if weight.ndim != 2 or weight.shape[1] % GROUP or not weight.numel():
        raise ValueError(f"a matrix of {tuple(weight.shape)} has no rows of whole groups of {GROUP}")


def _round_to_int8(weight: torch.Tensor) -> Groups:
    groups = weight.view(weight.shape[0], -1, GROUP)
    scales = (groups.abs().amax(2) / 127).half()
    codes = (groups * _inverse(scales.float())[:, :, None]).round_().clamp_(-127, 127).add_(128)
    return Groups(codes.to(torch.uint8).view(weight.shape), scales, 8)


def _round_rows(columns: torch.Tensor, importance: torch.Tensor, factor: torch.Tensor | None) -> Groups:
    """Round columns (in, rows), which are overwritten; codes (in, rows), scales (in / 32, rows).

    importance: (in, 1). factor: upper Cholesky factor of the inverse hessian (in, in), or None.
    """
    codes = torch.empty(columns.shape, dtype=torch.uint8)
    scales = torch.empty(columns.shape[0] // GROUP, columns.shape[1], dtype=torch.half)
    for group, begin in enumerate(range(0, columns.shape[0], GROUP)):
        span = slice(begin, begin + GROUP)
        values = columns[span]
        scales[group] = _search_scales(values, importance[span])
        scale = scales[group].float()
        if factor is None:
            positions = _positions(values, _inverse(scale))
        else:
            positions, errors = _compensate(values, scale, factor[span, span])
            rest = factor[span, begin + GROUP :]
            columns[begin + GROUP :].addmm_(rest.t(), errors, alpha=-1)
        codes[span] = _look_up(_NEAREST, positions)
    return Groups(codes, scales, 4)


def _compensate(values: torch.Tensor, scale: torch.Tensor, corner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round one group's columns (32, rows) in turn, moving each error to those after it; positions and errors."""
    inverse = _inverse(scale)
    positions = torch.empty(values.shape, dtype=torch.int32)
    errors = torch.empty_like(values)
    for j in range(GROUP):
        positions[j] = _positions(values[j], inverse)
        rounded = _look_up(_ROUNDED, positions[j])
        errors[j] = torch.addcmul(values[j], rounded, scale, value=-1).div_(corner[j, j])
        values[j + 1 :].addr_(corner[j, j + 1 :], errors[j], alpha=-1)
    return positions, errors


def _search_scales(values: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
    """The fp16 scale of each column of values (32, rows) with the least squared error, weighted by (32, 1)."""
    lowest, highest = values.aminmax(dim=0)
    largest = torch.where(highest > -lowest, highest, lowest)  # five times faster than argmax
    toward = _inverse(largest)
    weighted = values * importance
    best = torch.zeros_like(largest)
    best_gain = torch.full_like(largest, -1.0)
    for reach in _REACHES:
        rounded = _look_up(_ROUNDED, _positions(values, toward * reach))
        fit = (weighted * rounded).sum(0)
        size = rounded.square_().mul_(importance).sum(0).clamp_min_(1e-30)
        gain = fit.square() / size
        better = gain > best_gain
        best = torch.where(better, fit / size, best)
        best_gain = torch.where(better, gain, best_gain)
    return best.half()


def _positions(values: torch.Tensor, inverse_scale: torch.Tensor) -> torch.Tensor:
    """Indices into _NEAREST: values in units of the scale, rounded to whole numbers and moved by 128."""
    return (values * inverse_scale).add_(128.5).clamp_(0, 255).int()


def _look_up(table: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """table[positions], which would take four times as long."""
    return table.index_select(0, positions.flatten()).view(positions.shape)


def _inverse(scale: torch.Tensor) -> torch.Tensor:
    """1 / scale, and 0 where the scale is 0: a group of zeros."""
    return torch.where(scale == 0, 0.0, 1 / scale)


def _inverse_factor(hessian: torch.Tensor) -> torch.Tensor:
    """The upper Cholesky factor U of the damped inverse, H^-1 = U^T U."""
    diagonal = hessian.diagonal()
    damped = hessian + torch.diag(diagonal * _DAMPING + diagonal.mean() * 1e-6 + 1e-12)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor: torch.Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _join(parts: list[Groups], n_blocks: int = 1) -> Groups:
    """Assemble transposed parts, blocks of one chunk of rows after one another, into (out, in)."""
    chunks = [parts[begin : begin + n_blocks] for begin in range(0, len(parts), n_blocks)]
    codes = torch.cat([torch.cat([part.codes for part in chunk]).t() for chunk in chunks])
    scales = torch.cat([torch.cat([part.scales for part in chunk]).t() for chunk in chunks])
    return Groups(codes.contiguous(), scales.contiguous(), 4)
