"""What a request wants the model to see, as the engine plans it: one layout of parts over consecutive slots.

    header | block | block | ... | path | text above | ... | current line

A *flow* part sees everything before it. A *block* is a snippet of another file whose keys and values see only
the header and the snippet itself, so that they are the same in every window and are computed once, ever (see
`model.engine.blocks`). Parts of rank 0 must be computed before anything is generated; the others are better to have, a
lower rank first.

Rules: pure data. Token i of a window belongs at slot i and position i, whether it is there yet or not.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from completion.types import Piece


@dataclass(frozen=True, slots=True)
class Part:
    """Slots begin..end of a window. `rank` 0 is required; a block is independent of what stands before it; what is
    `loose` is good enough as it was computed for another window."""

    begin: int
    end: int
    rank: int
    block: bool
    loose: bool = False

    def __len__(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids in their order, cut into parts."""

    ids: "array[int]"
    parts: tuple[Part, ...]

    @property
    def n_header(self) -> int:
        """Tokens that stand before the first block, which all blocks see; 0 without blocks."""
        return next((part.begin for part in self.parts if part.block), 0)

    @property
    def blocks(self) -> list[Part]:
        """The blocks, best rank first."""
        return sorted((part for part in self.parts if part.block), key=lambda part: part.rank)

    @property
    def flow(self) -> list[Part]:
        """The other parts, in their order."""
        return [part for part in self.parts if not part.block]

    @property
    def tail(self) -> int:
        """The slot after the last block: from here on the parts are flow."""
        return max((part.end for part in self.parts if part.block), default=0)


def window_of(ids: "array[int]", pieces: Sequence[Piece]) -> Window:
    """Lay pieces out over the ids (`wire.problem_of` has found them right); none make all of it one required part."""
    if not pieces:
        return Window(ids, (Part(0, len(ids), 0, False),))
    parts, end = [], 0
    for piece in pieces:
        if piece.n_tokens:
            parts.append(Part(end, end + piece.n_tokens, piece.rank, piece.block, piece.loose))
            end += piece.n_tokens
    assert end == len(ids), "the pieces add up to the prompt"
    return Window(ids, tuple(parts))


def block_key(header: "array[int]", ids: "array[int]") -> str:
    """The name of a block's keys and values, within one model's folder."""
    digest = hashlib.blake2b(len(header).to_bytes(4, "little"), digest_size=20)
    digest.update(header.tobytes())
    digest.update(ids.tobytes())
    return digest.hexdigest()
