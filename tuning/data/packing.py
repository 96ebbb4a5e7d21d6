"""Puts examples of different lengths end to end, so that no arithmetic is spent on padding.

A pack is one row of tokens, the examples in it one behind the other, with positions that begin anew at each. The
linear layers see the row; attention must not look from one example into another, so it is done per block: examples of
about one length, padded at their right, under the causal mask alone. No query of a real token sees what is right of
it, so padding changes nothing, and no mask of (tokens x tokens) is ever made.

Rules: the result is that of the examples one by one (a test compares losses and gradients). Deterministic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tuning.data.example_file import ExampleFile

# Within a block no example is shorter than this share of the longest one: little padding, few calls of attention.
_ALIKE = 0.75


@dataclass(frozen=True, slots=True)
class Block:
    """Examples of about one length: rows `start` to `end` of the pack, attended to as (n, length)."""

    start: int
    end: int
    n: int
    length: int
    padded: torch.Tensor  # (n * length,): the row, counted from `start`, that stands at each place; any at padding
    places: torch.Tensor  # (end - start,): the place of each row
    is_real: torch.Tensor  # (n * length, 1): 1.0 but at padding

    def to(self, device: torch.device) -> "Block":
        """The same on a device."""
        moved = (tensor.to(device, non_blocking=True) for tensor in (self.padded, self.places, self.is_real))
        return Block(self.start, self.end, self.n, self.length, *moved)


@dataclass(frozen=True, slots=True)
class Pack:
    """Some examples, longest first, ready for the network."""

    numbers: tuple[int, ...]  # of the examples in their file
    ids: torch.Tensor  # (tokens,)
    positions: torch.Tensor  # (tokens,)
    scored: torch.Tensor  # (targets' tokens,): the rows that foretell them
    labels: torch.Tensor  # (targets' tokens,)
    owners: torch.Tensor  # (targets' tokens,): index in `numbers`; stays on the processor
    blocks: tuple[Block, ...]

    def to(self, device: torch.device) -> "Pack":
        """The same on a device."""
        ids, positions, scored, labels = (
            tensor.to(device, non_blocking=True) for tensor in (self.ids, self.positions, self.scored, self.labels)
        )
        blocks = tuple(block.to(device) for block in self.blocks)
        return Pack(self.numbers, ids, positions, scored, labels, self.owners, blocks)


def packs_of(examples: ExampleFile, numbers: Sequence[int], max_tokens: int) -> list[Pack]:
    """Packs that hold all of `numbers`, each of at most `max_tokens` or of one example. Alike lengths go together."""
    by_length = sorted(numbers, key=lambda number: (-len(examples[number]), number))
    packs: list[list[int]] = []
    room = 0
    for number in by_length:
        length = len(examples[number])
        if not packs or length > room:
            packs.append([])
            room = max_tokens
        packs[-1].append(number)
        room -= length
    return [_pack(examples, pack) for pack in packs]


def _pack(examples: ExampleFile, numbers: list[int]) -> Pack:
    sequences = [examples[number] for number in numbers]
    lengths = np.array([len(sequence) for sequence in sequences])
    targets = examples.targets[numbers].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    scored = [
        np.arange(start + target - 1, end - 1)
        for start, end, target in zip(starts[:-1], starts[1:], targets, strict=True)
    ]
    ids = np.concatenate(sequences).astype(np.int64)
    rows = np.concatenate(scored)
    return Pack(
        numbers=tuple(numbers),
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])),
        scored=torch.from_numpy(rows),
        labels=torch.from_numpy(ids[rows + 1]),
        owners=torch.from_numpy(np.repeat(np.arange(len(numbers)), lengths - targets)),
        blocks=tuple(_blocks(lengths, starts)),
    )


def _blocks(
    lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]", starts: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> list[Block]:
    """Cut examples, longest first, where they become much shorter than the block's first."""
    cuts = [0]
    for index, length in enumerate(lengths):
        if length < _ALIKE * lengths[cuts[-1]]:
            cuts.append(index)
    blocks = []
    for first, last in zip(cuts, [*cuts[1:], len(lengths)], strict=True):
        n, longest, start = last - first, int(lengths[first]), int(starts[first])
        places = np.concatenate([i * longest + np.arange(lengths[first + i]) for i in range(n)])
        padded = np.zeros(n * longest, dtype=np.int64)
        padded[places] = np.arange(len(places))
        is_real = np.zeros((n * longest, 1), dtype=np.float32)
        is_real[places] = 1
        tensors = (torch.from_numpy(array) for array in (padded, places, is_real))
        blocks.append(Block(start, int(starts[last]), n, longest, *tensors))
    return blocks
