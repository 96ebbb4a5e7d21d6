"""Keys and values in torch on the processor, and how torch's blocks are kept as files.

Rules: as of `model.decoders.kv`; what a card's decoder keeps there is `gpu_kv`'s.
"""

import itertools
from collections.abc import Sequence
from typing import cast

import safetensors.torch
import torch

from model.decoders.interface import Ids, States
from model.decoders.kv import Slots
from model.library.architecture import Architecture


def as_tensors(*arrays: Ids) -> list[torch.Tensor]:
    """Ids and positions as torch takes them: the same memory."""
    return [torch.as_tensor(array) for array in arrays]


def joined(parts: Sequence[States]) -> torch.Tensor:
    """As `model.decoders.interface.Decoder.join`, of torch's decoders."""
    return torch.cat([cast(torch.Tensor, part) for part in parts])


def block_bytes(keys: torch.Tensor, values: torch.Tensor) -> bytes:
    """A block as a file."""
    body: bytes = safetensors.torch.save({"keys": keys.contiguous(), "values": values.contiguous()})
    return body


def load_block(body: bytes, keys: torch.Tensor, values: torch.Tensor) -> None:
    """Read such a file into a block's tensors; as `model.decoders.kv.BlockKV.load`."""
    tensors = safetensors.torch.load(body)
    for mine, read in ((keys, tensors["keys"]), (values, tensors["values"])):
        if read.shape != mine.shape or read.dtype != mine.dtype:
            raise ValueError("it is another model's")
        mine.copy_(read)


class KVBuffer:
    """The torch decoder's, fp32: keys and values, each (layers, kv_heads, capacity, head_dim)."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_dim: int, capacity: int) -> None:
        self._shape = (n_layers, n_kv_heads, capacity, head_dim)
        self.keys = torch.zeros(self._shape)
        self.values = torch.zeros(self._shape)

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def capacity(self) -> int:
        """Slots in this buffer."""
        return self._shape[2]

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to `capacity` slots, keeping the first `n_valid`."""
        n_layers, n_kv_heads, _, head_dim = self._shape
        bigger = KVBuffer(n_layers, n_kv_heads, head_dim, capacity)
        bigger.keys[:, :, :n_valid] = self.keys[:, :, :n_valid]
        bigger.values[:, :, :n_valid] = self.values[:, :, :n_valid]
        self._shape, self.keys, self.values = bigger._shape, bigger.keys, bigger.values

    def to_bytes(self) -> bytes:
        """As `model.decoders.kv.BlockKV.to_bytes`."""
        return block_bytes(self.keys, self.values)

    def load(self, body: bytes) -> None:
        """As `model.decoders.kv.BlockKV.load`."""
        load_block(body, self.keys, self.values)

    def append(
        self, layer: int, k: torch.Tensor, v: torch.Tensor, *, attend: Slots, write: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write k, v (kv_heads, n, dim) at slot `write`; return what to attend to, these last.

        The common case, one range that ends where the writing starts, is a view; others are gathered.
        """
        end = write + k.shape[1]
        keys, values = self.keys[layer], self.values[layer]
        keys[:, write:end], values[:, write:end] = k, v
        ranges = (*(r for r in attend if r[0] < r[1]), (write, end))
        if all(left[1] == right[0] for left, right in itertools.pairwise(ranges)):
            return keys[:, ranges[0][0] : end], values[:, ranges[0][0] : end]
        return (
            torch.cat([keys[:, a:b] for a, b in ranges], dim=1),
            torch.cat([values[:, a:b] for a, b in ranges], dim=1),
        )


class BufferedDecoder:
    """What torch's decoders on the processor have in common: a `KVBuffer` for a session and for a block alike."""

    architecture: Architecture

    def new_kv(self, capacity: int) -> KVBuffer:
        """An empty KV buffer of `capacity` slots for this model."""
        a = self.architecture
        return KVBuffer(a.n_layers, a.n_kv_heads, a.head_dim, capacity)

    def new_block(self, n_slots: int) -> KVBuffer:
        """As `model.decoders.interface.Decoder.new_block`: the same kind of buffer."""
        return self.new_kv(n_slots)

    @torch.inference_mode()
    def join(self, parts: Sequence[States]) -> torch.Tensor:
        """As `model.decoders.interface.Decoder.join`."""
        return joined(parts)
