"""Packs low-bit matrices into the layout that the native kernels read (`model.native.matrix_layout`), and unpacks them.

Rules: rows are a multiple of 16 and columns of 32, which `matrix_layout.packable` says. What codes mean: see `lowbit`.
"""

import torch

from model.native.matrix_layout import GROUP, ROWS, SCALE_BYTES, bits_of
from model.weights.lowbit import Groups


def pack(groups: Groups) -> torch.Tensor:
    """A quantized matrix (out, in) -> blocks (out / 16, in / 32, group_bytes) uint8."""
    codes, scales, bits = groups
    out, n_groups = scales.shape
    step = 32 // bits  # columns in 64 bytes: 4 or 8
    # -> (block, group, columns / step, row, step)
    codes = codes.view(out // ROWS, ROWS, n_groups, GROUP // step, step).permute(0, 2, 3, 1, 4)
    if bits == 4:
        codes = codes[..., :4] | codes[..., 4:] << 4
    by_row = scales.view(out // ROWS, ROWS, n_groups).transpose(1, 2).contiguous().view(torch.uint8)
    return torch.cat([by_row, codes.reshape(out // ROWS, n_groups, -1)], dim=2)


def unpack(blocks: torch.Tensor) -> Groups:
    """The inverse of `pack`."""
    bits, (n_blocks, n_groups, _) = bits_of(blocks.shape), blocks.shape
    scales = blocks[..., :SCALE_BYTES].contiguous().view(torch.float16).transpose(1, 2).reshape(-1, n_groups)
    codes = blocks[..., SCALE_BYTES:].reshape(n_blocks, n_groups, -1, ROWS, 4)
    if bits == 4:
        codes = torch.cat([codes & 15, codes >> 4], dim=4)
    return Groups(codes.permute(0, 3, 1, 2, 4).reshape(n_blocks * ROWS, n_groups * GROUP), scales, bits)
