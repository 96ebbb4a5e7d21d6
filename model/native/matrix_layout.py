"""The layout of low-bit matrices in a store, as the native kernels read them where it is mapped.

A matrix (out, in) is cut into blocks of 16 output rows, a block into groups of 32 input columns; a group is

    16 fp16 scales, one per row | codes

8 bits: for each 4 columns, 16 rows x 4 codes. 4 bits: for each 8 columns, 16 rows x 4 bytes, the low nibble
of byte j being column j, the high nibble column 4 + j. So one load of 64 bytes gives 16 rows, and an 8-bit
dot product of 4 columns adds into 16 lanes (VNNI, NEON's sdot).

Rules: numbers alone, no array library. `model.weights.packing` writes and reads the layout; what codes mean says
`model.weights.lowbit`.
"""

from collections.abc import Sequence

ROWS = 16
GROUP = 32
SCALE_BYTES = 2 * ROWS


def packable(rows: int, cols: int) -> bool:
    """Whether a matrix of this shape can be packed."""
    return rows % ROWS == 0 and cols % GROUP == 0


def group_bytes(bits: int) -> int:
    """Bytes of one group of 16 rows."""
    return SCALE_BYTES + ROWS * GROUP * bits // 8


def bits_of(shape: Sequence[int]) -> int:
    """4 or 8, from the shape of packed blocks."""
    return {group_bytes(bits): bits for bits in (4, 8)}[shape[2]]
