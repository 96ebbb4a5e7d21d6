"""Every instruction set of our kernels that this processor has, for the tests: each is forced in turn.

Rules: which kernels are open is one fact of the process, so whoever opens others than the best opens the best again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CDLL

from model.native import binding

THREADS = 2
ALL = ("avx512-vnni", "avx-vnni", "avx2", "neon-dotprod", "scalar")


def available() -> list[str]:
    """The kernels that run here, the best first; none where the extension was not built."""
    return [name for name in ALL if binding.load(THREADS, name) is not None]


def opened(name: str, n_threads: int = THREADS) -> CDLL:
    """The library, computing with these kernels from here on."""
    library = binding.load(n_threads, name)
    assert library is not None
    return library


@contextmanager
def computing_with(name: str) -> Iterator[CDLL]:
    """The library with these kernels for a while."""
    try:
        yield opened(name)
    finally:
        binding.load(THREADS)
