"""Keys and values: the buffers the decoder reads and writes, and the sessions that own them.

A session is one document in one editor window. Its slot i holds token i of the last prompt (rotated keys),
and `ids` says which tokens those are. A new prompt reuses the longest common prefix of tokens; which prompt
that helps is the session's business alone, a request always carries its whole prompt.

Rules: `ids` grows only when a forward has completed, so slots beyond it are scratch and may hold anything.
The pool's books must balance: reserved slots never exceed `max_slots` while more than one session lives.
"""

import itertools
from array import array
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
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


# Buffers grow by doubling from here: a short file should not reserve a 16k window.
_INITIAL_SLOTS = 1024


class KV(Protocol):
    """Keys and values of all layers, in whatever layout a decoder likes."""

    keys: torch.Tensor
    values: torch.Tensor

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


@dataclass(slots=True)
class Inflight:
    """A forward that was started for a session: tokens `ids` for slots from `start`, suspended or running."""

    start: int
    ids: "array[int]"
    steps: Generator[None, None, torch.Tensor]


@dataclass(slots=True)
class Session:
    """One document's KV. `ids[i]` is the token in slot i; `inflight` survives its request's cancellation.

    `suggestion` is the end of the last prompt with what was generated after it, to draft from.
    """

    kv: KV
    ids: "array[int]" = field(default_factory=lambda: array("I"))
    suggestion: "array[int]" = field(default_factory=lambda: array("I"))
    inflight: Inflight | None = None

    def reuse(self, prompt: "array[int]") -> int:
        """Cut `ids` back to the longest common prefix with `prompt` and return its length.

        At least the prompt's last token is left to compute, since its hidden state is needed. A
        suspended forward is kept only when it computes the very tokens that come next.
        """
        n = min(common_prefix(self.ids, prompt), len(prompt) - 1)
        if (job := self.inflight) is not None:
            follows = job.start == len(self.ids) == n and prompt[n : n + len(job.ids)] == job.ids
            if not follows:
                job.steps.close()
                self.inflight = None
        del self.ids[n:]
        return n


def common_prefix(a: "array[int]", b: "array[int]") -> int:
    """Length of the longest common prefix, found by halving so that comparing runs at C speed."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:  # a[:low] == b[:low], a[:high] != b[:high]
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


class SessionPool:
    """Sessions by name, least recently used last, within `max_slots` slots altogether."""

    def __init__(self, new_kv: Callable[[int], KV], max_slots: int) -> None:
        self._new_kv = new_kv
        self._max_slots = max_slots
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def reserved_slots(self) -> int:
        """Slots held by all sessions."""
        return sum(session.kv.capacity for session in self._sessions.values())

    def acquire(self, name: str, n_slots: int) -> Session:
        """The session `name` with room for `n_slots`; other sessions leave, oldest first, to make room."""
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session(kv=self._new_kv(max(_INITIAL_SLOTS, n_slots)))
        elif session.kv.capacity < n_slots:
            if session.inflight is not None:  # its forward writes into the old buffer
                session.inflight.steps.close()
                session.inflight = None
            session.kv.grow(max(2 * session.kv.capacity, n_slots), len(session.ids))
        self._sessions.move_to_end(name)
        while self.reserved_slots > self._max_slots and len(self._sessions) > 1:
            self._sessions.popitem(last=False)
        return session

    def check(self) -> None:
        """Raise AssertionError when the books do not balance. Called when the engine is idle."""
        for name, session in self._sessions.items():
            assert len(session.ids) <= session.kv.capacity, f"session {name}: more tokens than slots"
        assert self.reserved_slots <= self._max_slots or len(self._sessions) <= 1, "pool over its limit"
