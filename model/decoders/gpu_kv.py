"""Keys and values on a graphics card, in tiles; and blocks of them in the host's pinned memory.

    GpuKV       keys, values: (layers, tiles, kv_heads, TILE, head_dim), one tile more than the capacity needs
    HostBlock   keys, values: (layers, kv_heads, slots, head_dim), page-locked, so that copies need not be waited for

A step (`model.decoders.gpu_steps`) reads the first tiles whole and masks what it must not see. So whatever lies there
is finite from the beginning (zeros), and rows that only fill a step up write into the spare tile, which is never read.

Rules: no arithmetic here but copies. Captured graphs hold a buffer's addresses: they die when it grows.
"""

from collections.abc import Callable

import torch

from model.decoders.kv import Slots
from model.decoders.torch_kv import block_bytes, load_block

# Slots a tile: 256 rows of 128 numbers keep a multiprocessor busy. Half of the last one, on average, is read in vain.
TILE = 256


class GpuKV:
    """One session's keys and values. `replays` holds what `model.decoders.gpu_steps` captured over this buffer."""

    def __init__(self, shape: tuple[int, int, int], capacity: int, device: torch.device, dtype: torch.dtype) -> None:
        """shape: (layers, kv_heads, head_dim). The capacity is rounded up to whole tiles."""
        self._shape, self._n_tiles = shape, max(1, -(-capacity // TILE))
        n_layers, n_kv_heads, head_dim = shape
        size = (n_layers, self._n_tiles + 1, n_kv_heads, TILE, head_dim)
        self.keys = torch.zeros(size, device=device, dtype=dtype)
        self.values = torch.zeros(size, device=device, dtype=dtype)
        self.replays: dict[tuple[int, int], Callable[[], None] | None] = {}

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def capacity(self) -> int:
        """Slots in this buffer, without the spare ones."""
        return self._n_tiles * TILE

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to at least `capacity` slots, keeping the first `n_valid`."""
        bigger = GpuKV(self._shape, capacity, self.keys.device, self.keys.dtype)
        n = -(-n_valid // TILE)
        bigger.keys[:, :n], bigger.values[:, :n] = self.keys[:, :n], self.values[:, :n]
        self.replays.clear()
        self.keys, self.values, self._n_tiles = bigger.keys, bigger.values, bigger._n_tiles

    def write(self, layer: int, begin: int, k: torch.Tensor, v: torch.Tensor) -> None:
        """Put k, v (n, kv_heads, dim) into the slots from `begin`."""
        slots = torch.arange(begin, begin + len(k), device=k.device)
        self.scatter(layer, slots // TILE, slots % TILE, k, v)

    def scatter(self, layer: int, tiles: torch.Tensor, offsets: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
        """Put k, v (n, kv_heads, dim) into slots given by tile and offset, each (n,): shapes alone say what runs."""
        self.keys[layer, tiles, :, offsets] = k
        self.values[layer, tiles, :, offsets] = v

    def read(self, layer: int, ranges: Slots) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of slot ranges, in their order: each (kv_heads, slots, dim), a view where it can be."""
        return _read(self.keys[layer], ranges), _read(self.values[layer], ranges)


def _read(tiles: torch.Tensor, ranges: Slots) -> torch.Tensor:
    parts = []
    for begin, end in ranges:
        first, last = begin // TILE, -(-end // TILE)
        flat = tiles[first:last].transpose(0, 1).flatten(1, 2)
        parts.append(flat[:, begin - first * TILE : end - first * TILE])
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class HostBlock:
    """A block's keys and values in the host's memory; page-locked where a card will read them."""

    def __init__(self, shape: tuple[int, int, int], n_slots: int, dtype: torch.dtype, *, pinned: bool) -> None:
        n_layers, n_kv_heads, head_dim = shape
        size = (n_layers, n_kv_heads, n_slots, head_dim)
        self.keys = torch.zeros(size, dtype=dtype, pin_memory=pinned)
        self.values = torch.zeros(size, dtype=dtype, pin_memory=pinned)

    @property
    def n_bytes(self) -> int:
        """Memory of this block."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def capacity(self) -> int:
        """Slots of this block."""
        return self.keys.shape[2]

    def to_bytes(self) -> bytes:
        """As `model.decoders.kv.BlockKV.to_bytes`."""
        return block_bytes(self.keys, self.values)

    def load(self, body: bytes) -> None:
        """As `model.decoders.kv.BlockKV.load`, where it lies: a card reads from there without being waited for."""
        load_block(body, self.keys, self.values)
