"""Picks the next token: greedy, and, after token healing, only among tokens that spell the typed bytes.

Token healing (Lundberg, guidance project): the prompt ends before the word the user is in the middle of,
and the generation must begin with that word's bytes. A token is allowed while bytes are outstanding when
it begins with all of them, or is a beginning of them.

Rules: pure functions over scores and a byte table; every id that is allowed advances by at least one byte.
"""

from bisect import bisect_left
from collections.abc import Callable

from model.decoders.interface import Scores


class ByteTable:
    """What every token id spells, and which ids can come next when certain bytes are outstanding."""

    def __init__(self, n_tokens: int, token_bytes: Callable[[int], bytes]) -> None:
        self._bytes = [token_bytes(token_id) for token_id in range(n_tokens)]
        spelled = sorted((text, token_id) for token_id, text in enumerate(self._bytes) if text)
        self._sorted_bytes = [text for text, _ in spelled]
        self._sorted_ids = [token_id for _, token_id in spelled]

    def __getitem__(self, token_id: int) -> bytes:
        return self._bytes[token_id] if token_id < len(self._bytes) else b""

    def allowed(self, outstanding: bytes) -> list[int]:
        """Ids whose bytes begin with `outstanding`, or that `outstanding` begins with."""
        ids: list[int] = []
        for length in range(1, len(outstanding) + 1):
            ids += self._between(outstanding[:length], None)
        return ids + self._between(outstanding, _successor(outstanding))

    def _between(self, low: bytes, high: bytes | None) -> list[int]:
        """Ids of tokens equal to `low` (high None), or longer than `low` and below `high`."""
        start = bisect_left(self._sorted_bytes, low)
        longer = bisect_left(self._sorted_bytes, low + b"\0", lo=start)
        if high is None:
            return self._sorted_ids[start:longer]
        return self._sorted_ids[longer : bisect_left(self._sorted_bytes, high, lo=longer)]


def _successor(prefix: bytes) -> bytes:
    """The smallest byte string greater than every string that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\xff" * (len(prefix) + 8)


def pick(scores: Scores, allowed: list[int]) -> tuple[int, float, float]:
    """The best id among `allowed` in the first row, its log-probability among all, and that of all `allowed`."""
    ((token_id, logprob),) = scores.best(0, 1, allowed)
    return token_id, logprob, scores.total(0, allowed)
