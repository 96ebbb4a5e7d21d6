"""Gives memory back to the system after a large document was closed. Called by the server.

The allocator keeps what was freed, and the children that parse keep trees for as long as nothing pushes them out: right
while somebody types, and 300 MB too much for the rest of the day after one look at a generated file.

Rules: off the event loop; nothing is lost that cannot be computed again.
"""

import asyncio
import ctypes
import sys
from collections.abc import Callable

from parsers.parse import SyntaxTree

# Smaller texts are not worth a child's start.
_LARGE_BYTES = 200_000
# Whoever closes one file and opens the next has it parsed first.
_WAIT_S = 5.0


def give_back_later(tree: SyntaxTree | None) -> None:
    """Note that a document was closed, by its last tree."""
    if tree is None or len(tree.source) < _LARGE_BYTES:
        return
    loop = asyncio.get_running_loop()
    loop.call_later(_WAIT_S, lambda: loop.run_in_executor(None, _give_back, tree.release))


def _give_back(release: Callable[[], None]) -> None:
    release()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # glibc
        trim(0)
