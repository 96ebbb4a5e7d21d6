"""Puts examples end to end, so that no arithmetic is spent on padding, nor twice on what examples begin with alike.

A pack is one row of tokens. Examples of one place in a file have the header, the snippets and most lines above the
cursor in common: these stand in the row once, and what each has of its own stands behind them, so that the row is a
tree that was cut into runs. The linear layers see the row; in attention a run sees its ancestors and itself, under a
causal mask, so no mask of (row x row) is ever made. Positions are those in the example.

Prefix sharing: Wang and Hegde, "Accelerating Direct Preference Optimization with Prefix Sharing" (2024), whose trees
have two branches; these have as many as there are examples.

Rules: the result is that of the examples one by one (a test compares losses and gradients). Deterministic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from tuning.data.example_file import ExampleFile

# Examples are of one family when they begin alike for this many tokens; with fewer, sharing costs more than it saves.
_LEAST_SHARED = 64
# A family is one step's at most, or its examples would be the whole of it.
_MOST_IN_FAMILY = 16

Ids: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True, slots=True)
class Run:
    """Rows `start` to `end` of a pack, which one example has of its own; `seen` are those before it in the example."""

    start: int
    end: int
    seen: torch.Tensor | None  # (tokens before,): rows; None where the example begins here
    mask: torch.Tensor | None  # (end - start, tokens before + end - start): what is seen

    def to(self, device: torch.device) -> "Run":
        """The same on a device."""
        if self.seen is None or self.mask is None:
            return self
        seen, mask = (tensor.to(device, non_blocking=True) for tensor in (self.seen, self.mask))
        return Run(self.start, self.end, seen, mask)


@dataclass(frozen=True, slots=True)
class Pack:
    """Some examples, ready for the network."""

    numbers: tuple[int, ...]  # of the examples in their file
    ids: torch.Tensor  # (tokens,)
    positions: torch.Tensor  # (tokens,)
    scored: torch.Tensor  # (targets' tokens,): the rows that foretell them
    labels: torch.Tensor  # (targets' tokens,)
    owners: torch.Tensor  # (targets' tokens,): index in `numbers`; stays on the processor
    runs: tuple[Run, ...]

    def to(self, device: torch.device) -> "Pack":
        """The same on a device."""
        ids, positions, scored, labels = (
            tensor.to(device, non_blocking=True) for tensor in (self.ids, self.positions, self.scored, self.labels)
        )
        runs = tuple(run.to(device) for run in self.runs)
        return Pack(self.numbers, ids, positions, scored, labels, self.owners, runs)


def families(examples: ExampleFile, numbers: Sequence[int]) -> list[list[int]]:
    """`numbers` in groups that begin alike, each in an order in which neighbours have most in common."""
    # Big-endian bytes are in the order of the ids.
    ordered = sorted(numbers, key=lambda number: (examples[number].astype(">u4").tobytes(), number))
    found: list[list[int]] = []
    for number in ordered:
        family = found[-1] if found else []
        is_kin = family and n_alike(examples[family[-1]], examples[number]) >= _LEAST_SHARED
        if is_kin and len(family) < _MOST_IN_FAMILY:
            family.append(number)
        else:
            found.append([number])
    return found


def shuffled(examples: ExampleFile, numbers: Sequence[int], seed: int) -> list[list[int]]:
    """The families of `numbers` in a random order that follows from the seed."""
    found = families(examples, numbers)
    return [found[index] for index in torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))]


def n_alike(a: "np.ndarray[Any, Any]", b: "np.ndarray[Any, Any]") -> int:
    """How many ids two sequences begin with alike."""
    n = min(len(a), len(b))
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n


def packs_of(examples: ExampleFile, numbers: Sequence[int], max_tokens: int) -> list[Pack]:
    """Packs that hold all of `numbers`, each of at most `max_tokens`.

    An example that is longer begins a pack with room for so many tokens more, which its kin need.
    """
    packs: list[list[int]] = []
    room = 0
    for family in families(examples, numbers):
        previous = examples[family[0]][:0]
        for number in family:
            example = examples[number]
            length = len(example) - n_alike(previous, example)
            if not packs or length > room:
                packs.append([])
                length = len(example)
                room = max_tokens + (length if length > max_tokens else 0)
            packs[-1].append(number)
            room -= length
            previous = example
    return [_pack(examples, pack) for pack in packs]


def _pack(examples: ExampleFile, numbers: list[int]) -> Pack:
    ids: list[Ids] = []
    positions: list[Ids] = []
    scored: list[Ids] = []
    labels: list[Ids] = []
    runs: list[Run] = []
    n_rows = 0
    previous, path = examples[numbers[0]][:0], np.zeros(0, dtype=np.int64)
    for number in numbers:
        example = examples[number]
        # The last token is nobody's ancestor, and each run has one row at least.
        n_seen = min(n_alike(previous, example), len(example) - 1)
        n_seen = n_seen if n_seen >= _LEAST_SHARED else 0
        n_own = len(example) - n_seen
        seen = path[:n_seen]
        path = np.concatenate([seen, np.arange(n_rows, n_rows + n_own)])
        runs.append(_run(n_rows, n_own, seen))
        n_rows += n_own
        ids.append(example[n_seen:].astype(np.int64))
        positions.append(np.arange(n_seen, len(example)))
        target = int(examples.targets[number])
        scored.append(path[target - 1 : -1])
        labels.append(example[target:].astype(np.int64))
        previous = example
    return Pack(
        numbers=tuple(numbers),
        ids=torch.from_numpy(np.concatenate(ids)),
        positions=torch.from_numpy(np.concatenate(positions)),
        scored=torch.from_numpy(np.concatenate(scored)),
        labels=torch.from_numpy(np.concatenate(labels)),
        owners=torch.from_numpy(np.repeat(np.arange(len(numbers)), [len(row) for row in labels])),
        runs=tuple(runs),
    )


def _run(start: int, n_own: int, seen: Ids) -> Run:
    if not len(seen):
        return Run(start, start + n_own, None, None)
    mask = torch.ones(n_own, len(seen) + n_own, dtype=torch.bool).tril(len(seen))
    return Run(start, start + n_own, torch.from_numpy(seen), mask)
