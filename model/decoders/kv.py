"""Keys and values: the buffers that a decoder reads and writes, by explicit slots.

Rules: a buffer knows nothing of tokens; `model.engine.session` says what its slots hold. In which arrays it lies, and
where, is its decoder's own business: the engine sees what stands here.
"""

from dataclasses import dataclass
from typing import Protocol

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

    @property
    def n_bytes(self) -> int:
        """Memory of this buffer."""
        ...

    @property
    def capacity(self) -> int:
        """Slots in this buffer."""
        ...


class SessionKV(KV, Protocol):
    """A session's, which grows with its document."""

    def grow(self, capacity: int, n_valid: int) -> None:
        """Move to at least `capacity` slots, keeping the first `n_valid`."""
        ...


class BlockKV(KV, Protocol):
    """A block's, which is kept: in the host's memory and on disk, as a safetensors file with `keys` and `values`."""

    def to_bytes(self) -> bytes:
        """All of it, as a file."""
        ...

    def load(self, body: bytes) -> None:
        """Take what `to_bytes` gave; SafetensorError, KeyError or ValueError when it is not of this model and size."""
        ...
