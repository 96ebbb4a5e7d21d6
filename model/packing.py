"""The layout of low-bit weights, as the native kernels read them from the mapped store.

A matrix (out, in) is cut into blocks of 16 output rows, a block into groups of 32 input columns; a group is

    16 fp16 scales, one per row | codes

8 bits: for each 4 columns, 16 rows x 4 codes, code = integer + 128. 4 bits: for each 8 columns, 16 rows x 4
bytes, the low nibble of byte j being column j, the high nibble column 4 + j; code = integer + 8. One load
of 64 bytes so gives 16 rows, and an 8-bit dot product of 4 columns adds into 16 lanes (VNNI, NEON's sdot).

Rules: value = scale * integer. Rows are a multiple of 16 and columns of 32: `packable` says so.
"""

import torch

GROUP = 32
ROWS = 16
_SCALE_BYTES = 2 * ROWS
_ZERO = {4: 8, 8: 128}


def packable(rows: int, cols: int) -> bool:
    """Whether a matrix of this shape can be packed."""
    return rows % ROWS == 0 and cols % GROUP == 0


def group_bytes(bits: int) -> int:
    """Bytes of one group of 16 rows."""
    return _SCALE_BYTES + ROWS * GROUP * bits // 8


def bits_of(blocks: torch.Tensor) -> int:
    """4 or 8, from the last dimension of packed blocks."""
    return {group_bytes(bits): bits for bits in _ZERO}[blocks.shape[2]]


def pack(integers: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """(out, in) int8 and (out, in / 32) fp16 -> blocks, (out / 16, in / 32, group_bytes) uint8."""
    out, n_groups = scales.shape
    codes = (integers.to(torch.int16) + _ZERO[bits]).to(torch.uint8)
    step = 32 // bits  # columns in 64 bytes: 4 or 8
    # -> (block, group, columns / step, row, step)
    codes = codes.view(out // ROWS, ROWS, n_groups, GROUP // step, step).permute(0, 2, 3, 1, 4)
    if bits == 4:
        codes = codes[..., :4] | codes[..., 4:] << 4
    by_row = scales.view(out // ROWS, ROWS, n_groups).transpose(1, 2).contiguous().view(torch.uint8)
    return torch.cat([by_row, codes.reshape(out // ROWS, n_groups, -1)], dim=2)


def unpack(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse of `pack`: integers (out, in) int8 and scales (out, in / 32) fp16."""
    bits, (n_blocks, n_groups, _) = bits_of(blocks), blocks.shape
    scales = blocks[..., :_SCALE_BYTES].contiguous().view(torch.float16).transpose(1, 2).reshape(-1, n_groups)
    codes = blocks[..., _SCALE_BYTES:].reshape(n_blocks, n_groups, -1, ROWS, 4)
    if bits == 4:
        codes = torch.cat([codes & 15, codes >> 4], dim=4)
    integers = (codes.to(torch.int16) - _ZERO[bits]).to(torch.int8)
    return integers.permute(0, 3, 1, 2, 4).reshape(n_blocks * ROWS, n_groups * GROUP), scales


def dequantize(blocks: torch.Tensor) -> torch.Tensor:
    """The weights that packed blocks stand for, (out, in) fp32."""
    integers, scales = unpack(blocks)
    return integers.float() * scales.float().repeat_interleave(GROUP, dim=1)
