"""The layout of low-bit weights, as the native kernels read them from the mapped store.

A matrix (out, in) is cut into blocks of 16 output rows, a block into groups of 32 input columns; a group is

    16 fp16 scales, one per row | codes

8 bits: for each 4 columns, 16 rows x 4 codes. 4 bits: for each 8 columns, 16 rows x 4 bytes, the low nibble
of byte j being column j, the high nibble column 4 + j. So one load of 64 bytes gives 16 rows, and an 8-bit
dot product of 4 columns adds into 16 lanes (VNNI, NEON's sdot).

Rules: rows are a multiple of 16 and columns of 32, which `packable` says. What codes mean: see `lowbit`.
"""

import torch

from model.weights.lowbit import GROUP, Groups

ROWS = 16
_SCALE_BYTES = 2 * ROWS


def packable(rows: int, cols: int) -> bool:
    """Whether a matrix of this shape can be packed."""
    return rows % ROWS == 0 and cols % GROUP == 0


def group_bytes(bits: int) -> int:
    """Bytes of one group of 16 rows."""
    return _SCALE_BYTES + ROWS * GROUP * bits // 8


def bits_of(blocks: torch.Tensor) -> int:
    """4 or 8, from the last dimension of packed blocks."""
    return {group_bytes(bits): bits for bits in (4, 8)}[blocks.shape[2]]


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
    bits, (n_blocks, n_groups, _) = bits_of(blocks), blocks.shape
    scales = blocks[..., :_SCALE_BYTES].contiguous().view(torch.float16).transpose(1, 2).reshape(-1, n_groups)
    codes = blocks[..., _SCALE_BYTES:].reshape(n_blocks, n_groups, -1, ROWS, 4)
    if bits == 4:
        codes = torch.cat([codes & 15, codes >> 4], dim=4)
    return Groups(codes.permute(0, 3, 1, 2, 4).reshape(n_blocks * ROWS, n_groups * GROUP), scales, bits)
