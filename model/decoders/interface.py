"""What a decoder is: one primitive that serves prefix reuse, independent blocks and gaps alike.

"Run these tokens at these positions, attend to these slots, write those slots." Implemented by `torch_decoder` (fp32
or FBGEMM int8, the truth), by `native_decoder` (low-bit kernels, what users run), by `gpu_decoder` (graphics cards) and
by `transformers_decoder` (architectures that none of these knows).

Rules: `forward` is a generator that yields between layers, so that the scheduler can suspend it (the hidden
state lives in the generator) or drop it; slots written by a dropped forward are beyond what their session
counts as valid. No tokenizer, no sampling, no session here.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from model.decoders.kv import KV, Span
from model.library.architecture import Architecture

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Embedding:
    """Rows gathered from the (memory-mapped) matrix. With a scale, (vocab,) fp32, rows are int8."""

    weight: torch.Tensor
    scale: torch.Tensor | None

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        rows = self.weight[ids].float()
        return rows if self.scale is None else rows * self.scale[ids, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Tokens per forward: of a prefill (a smaller chunk is kept sooner when its request is cancelled), of a block, and
    of idle work (a keystroke waits for the end of a layer: at 16k slots 25 ms with 64 tokens, 0.5B on two cores)."""

    prefill: int = 256
    block: int = 128
    idle: int = 64


CPU_CHUNKS = Chunks()


class Decoder(Protocol):
    """A loaded model. `forward` gives hidden states, `logits` turns chosen rows of them into scores."""

    architecture: Architecture
    chunks: Chunks

    def new_kv(self, capacity: int) -> KV:
        """An empty KV buffer of at least `capacity` slots for this model."""
        ...

    def new_block(self, n_slots: int) -> KV:
        """A buffer for a block that is kept: in the host's memory, moved to and from a `new_kv` by `move`."""
        ...

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, kv: KV, spans: Sequence[Span]
    ) -> Generator[None, None, torch.Tensor]:
        """Run tokens through all layers; yields after each layer, returns hidden states (n, hidden).

        ids, positions: (n,) int64, on the CPU. The spans cover the n tokens in order: several are several sequences
        in one batch. `kv` is one that `new_kv` made. The hidden states are valid until the next forward.
        """
        ...

    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """Copy slots `begin`.. + n of `source` to `slot`.. of `kv`, as if computed `distance` positions later.

        Keys are turned by RoPE's angles of that distance, which may be negative; ranges of one buffer may overlap.
        """
        ...

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores over the vocabulary: (n, hidden) -> (n, vocab)."""
        ...

    def greedy(self, hidden: torch.Tensor) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        ...


def best_tokens(logits: torch.Tensor) -> list[tuple[int, float]]:
    """Per row of (n, vocab): the best token id (the first of equals) and its log-probability."""
    ids = logits.argmax(1)
    logprobs = logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1)
    return list(zip(ids.tolist(), logprobs.tolist(), strict=True))


def run_to_end(steps: Generator[None, None, _T]) -> _T:
    """Run a forward, or other work in steps, without anything in between; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: _T = done.value
            return result
