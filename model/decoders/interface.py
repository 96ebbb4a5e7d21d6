"""What a decoder is: one primitive that serves prefix reuse, independent blocks and gaps alike.

"Run these tokens at these positions, attend to these slots, write those slots." Implemented by `native_decoder`
(low-bit kernels, what users run), by `torch_decoder` (fp32 or FBGEMM int8, the truth), by `gpu_decoder` (graphics
cards) and by `transformers_decoder` (architectures that none of these knows).

Rules: `forward` is a generator that yields between layers, so that the scheduler can suspend it (the hidden
state lives in the generator) or drop it; slots written by a dropped forward are beyond what their session
counts as valid. No tokenizer, no sampling, no session here. Token ids and positions come as NumPy arrays; hidden
states, scores, keys and values stay in a decoder's own arrays, on its own device, and the engine asks for what it
wants to know of them. So who computes without torch never imports it.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from model.decoders.kv import KV, BlockKV, SessionKV, Span
from model.library.architecture import Architecture

_T = TypeVar("_T")
Ids = npt.NDArray[np.int64]


class States(Protocol):
    """Hidden states (n, hidden): rows of a decoder's own arrays."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> "States": ...


class Scores(Protocol):
    """What a model thinks of every token of its vocabulary, in n rows. Log-probabilities are among all tokens."""

    def __len__(self) -> int: ...

    def best(self, row: int, n: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The n best tokens of a row (of those in `among`, if given), best first, with their log-probabilities."""
        ...

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """The log-probability of a token for each row: of ids[i] in row i."""
        ...

    def total(self, row: int, among: Sequence[int]) -> float:
        """The log-probability that it is any of `among`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Tokens per forward: of a prefill (a smaller chunk is kept sooner when its request is cancelled), of a block, and
    of idle work (a keystroke waits for the end of a layer: at 16k slots 25 ms with 64 tokens, 0.5B on two cores)."""

    prefill: int = 256
    block: int = 128
    idle: int = 64


CPU_CHUNKS = Chunks()


class Decoder(Protocol):
    """A loaded model. `forward` gives hidden states, `scores` says what chosen rows of them mean."""

    architecture: Architecture
    chunks: Chunks

    def new_kv(self, capacity: int) -> SessionKV:
        """An empty KV buffer of at least `capacity` slots for this model."""
        ...

    def new_block(self, n_slots: int) -> BlockKV:
        """A buffer for a block that is kept: in the host's memory, moved to and from a `new_kv` by `move`.

        Of zeros: slots of padding go to disk, too, and not what memory happened to hold.
        """
        ...

    def forward(self, ids: Ids, positions: Ids, kv: KV, spans: Sequence[Span]) -> Generator[None, None, States]:
        """Run tokens through all layers; yields after each layer, returns hidden states (n, hidden).

        ids, positions: (n,). The spans cover the n tokens in order: several are several sequences in one batch. `kv`
        is one that `new_kv` made. The hidden states are valid until the next forward.
        """
        ...

    def join(self, parts: Sequence[States]) -> States:
        """The rows of all parts after one another, in memory of their own: they stay valid."""
        ...

    def move(self, source: KV, begin: int, n: int, kv: KV, slot: int, distance: int) -> None:
        """Copy slots `begin`.. + n of `source` to `slot`.. of `kv`, as if computed `distance` positions later.

        Keys are turned by RoPE's angles of that distance, which may be negative; ranges of one buffer may overlap.
        """
        ...

    def scores(self, hidden: States) -> Scores:
        """What each row of (n, hidden) says of the token that comes next."""
        ...

    def greedy(self, hidden: States) -> list[tuple[int, float]]:
        """Per row of (n, hidden): the best token id (the first of equals) and its log-probability."""
        ...


def run_to_end(steps: Generator[None, None, _T]) -> _T:
    """Run a forward, or other work in steps, without anything in between; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: _T = done.value
            return result
