"""BM25 (Robertson and Zaragoza 2009), and how a chunk keeps the counts of its words so that scoring is fast.

A chunk's counts are one unsigned 32-bit number per distinct word, in the order of the text: 24 bits of a hash of the
word, 8 bits how often it is there (at most 255). A query of 60 words takes one word for another in a chunk of 4,000.

Rules: pure. Numbers are in the machine's byte order: an index never leaves its machine.
"""

import math
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_K1, _B = 1.2, 0.75
_MAX_TIMES = 255


def saturated(n_times: int, length: float) -> float:
    """BM25's count of a word that is in a chunk so often; `length` is the chunk's, the mean is 1."""
    return n_times * (_K1 + 1) / (n_times + _K1 * (1 - _B + _B * length))


def weighted(counts: Mapping[str, float], frequency: Mapping[str, int], n_chunks: int) -> dict[str, float]:
    """A query's weights times how rare each word is; `frequency` says in how many of the chunks it is."""
    return {w: counts[w] * math.log(1 + (n_chunks - n + 0.5) / (n + 0.5)) for w, n in frequency.items()}


def packed(words: Iterable[str]) -> bytes:
    """The counts of a chunk's words."""
    return array("I", (_hash(word) << 8 | min(n, _MAX_TIMES) for word, n in Counter(words).items())).tobytes()


def scores(weight: Mapping[str, float], lengths: Sequence[float], chunks: Sequence[bytes]) -> NDArray[np.float64]:
    """The score of each chunk for words with weights; `lengths` as in `saturated`, `chunks` as `packed` gave them."""
    hashes = np.fromiter(map(_hash, weight), np.uint32, len(weight))
    order = np.argsort(hashes)
    hashes, weights = hashes[order], np.fromiter(weight.values(), np.float64, len(weight))[order]
    entries = np.frombuffer(b"".join(chunks), np.uint32)
    owners = np.repeat(np.arange(len(chunks)), [len(chunk) // entries.itemsize for chunk in chunks])
    found = np.minimum(np.searchsorted(hashes, entries >> 8), len(hashes) - 1)
    hits = np.flatnonzero(hashes[found] == entries >> 8)
    owners, times = owners[hits], (entries[hits] & 255).astype(np.float64)
    norm = _K1 * (1 - _B + _B * np.asarray(lengths)[owners])
    return np.asarray(
        np.bincount(owners, weights[found[hits]] * times * (_K1 + 1) / (times + norm), len(chunks)), np.float64
    )


def _hash(word: str) -> int:
    return zlib.crc32(word.encode()) >> 8
