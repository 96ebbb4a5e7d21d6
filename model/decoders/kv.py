"""Keys and values: the buffers that a decoder reads and writes, by explicit slots.

Rules: a buffer knows nothing of tokens; `model.engine.session` says what its slots hold.
"""

import itertools
from dataclasses import dataclass
from typing import Protocol

import torch

# Half-open ranges of slots, for example ((0, 40), (56, 128)).
Slots = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens of one sequence in a forward pass.

    `attend` names the slots that every one of the `n` tokens sees (half-open ranges, in any order: positions
    were fixed when their keys were rotated); besides, token i sees tokens 0..i of the span. Keys and values
    go to slots `write`..`write` + n.
    """

    n: int
    attend: Slots
    write: int


class KV(Protocol):
    """Keys and values of all layers, in whatever layout a decoder likes."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        ...

    @property
    def capacity(self) -> int:
        """Slots in this buffer."""
        ...

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to at least `capacity` slots, keeping the first `n_valid`."""
        ...


class KVBuffer:
    """The torch decoder's, fp32: keys and values, each (layers, kv_heads, capacity, head_dim)."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_dim: int, capacity: int) -> None:
        self._shape = (n_layers, n_kv_heads, capacity, head_dim)
        self.keys = torch.empty(self._shape)
        self.values = torch.empty(self._shape)

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
