"""Gives memory back to the system after a large document was closed. Called by the server.

The allocator keeps what was freed, and the children that parse keep trees for as long as nothing pushes them out: right
while the user types, and 300 MB too much for the rest of the day after one look at a generated file.

Rules: off the event loop; nothing is lost that cannot be computed again.
"""

import asyncio
import gc
from collections.abc import Callable

from model.library.system import give_back_memory, libc
from parsers.parse import SyntaxTree

# Of glibc's mallopt.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MMAP_BYTES, _MAX_ARENAS = 128 * 1024, 2
# Smaller texts are not worth a child's start.
_LARGE_BYTES = 200_000
# A user who closes one file and opens the next has that parsed first.
_WAIT_S = 5.0


def be_frugal() -> None:
    """Have large texts allocated so that each goes back when it is freed. Called as the process starts.

    By itself glibc raises the size from which it does so to that of the largest text freed yet, and keeps a heap for
    each thread.
    """
    mallopt = getattr(libc(), "mallopt", None)  # glibc's
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_ARENA_MAX, _MAX_ARENAS)


def give_back_later(tree: SyntaxTree | None) -> None:
    """Note that a document was closed, by its last tree."""
    if tree is None or len(tree.source) < _LARGE_BYTES:
        return
    loop = asyncio.get_running_loop()
    loop.call_later(_WAIT_S, lambda: loop.run_in_executor(None, _give_back, tree.release))


def _give_back(release: Callable[[], None]) -> None:
    release()
    gc.collect()  # finished tasks hold the texts that they were about, in circles
    give_back_memory()
