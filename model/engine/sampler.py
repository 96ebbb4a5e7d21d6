"""Picks the next token: greedy, and, after token healing, only among tokens that spell the typed bytes.

Token healing (Lundberg, guidance project): the prompt ends before the word the user is in the middle of,
and the generation must begin with that word's bytes. A token is allowed while bytes are outstanding when
it begins with all of them, or is a beginning of them.

Rules: pure functions over scores and a byte table; every id that is allowed advances by at least one byte.
"""

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from model.decoders.interface import Scores


class ByteTable:
    """What every token id spells, and which ids can come next when certain bytes are outstanding."""

    def __init__(
        self, n_tokens: int, token_bytes: Callable[[int], bytes], in_order: npt.NDArray[np.uint32] | None = None
    ) -> None:
        """`in_order`: the ids that spell something, below `n_tokens`, by what they spell; else it is found out."""
        self._n_tokens, self._spelled = n_tokens, token_bytes
        if in_order is None:
            spelling = (i for i in range(n_tokens) if token_bytes(i))
            in_order = np.array(sorted(spelling, key=token_bytes), np.uint32)
        self._in_order = in_order

    def __getitem__(self, token_id: int) -> bytes:
        return self._spelled(token_id) if token_id < self._n_tokens else b""

    def allowed(self, outstanding: bytes) -> list[int]:
        """Ids whose bytes begin with `outstanding`, or that `outstanding` begins with."""
        ids: list[int] = []
        for length in range(1, len(outstanding) + 1):
            ids += self._between(outstanding[:length], None)
        return ids + self._between(outstanding, _successor(outstanding))

    def _between(self, low: bytes, high: bytes | None) -> list[int]:
        """Ids of tokens equal to `low` (high None), or longer than `low` and below `high`."""
        start = self._first(low)
        longer = self._first(low + b"\0", start)
        found = self._in_order[start:longer] if high is None else self._in_order[longer : self._first(high, longer)]
        ids: list[int] = found.tolist()
        return ids

    def _first(self, text: bytes, begin: int = 0) -> int:
        """Where the ids begin that spell a text, or what comes behind it."""
        return bisect_left(self._in_order, text, lo=begin, key=self._spelled)


def _successor(prefix: bytes) -> bytes:
    """The smallest byte string greater than every string that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\xff" * (len(prefix) + 8)


def pick(scores: Scores, allowed: list[int]) -> tuple[int, float, float]:
    """The best id among `allowed` in the first row, its log-probability among all, and that of all `allowed`."""
    ((token_id, logprob),) = scores.best(0, 1, allowed)
    return token_id, logprob, scores.total(0, allowed)
