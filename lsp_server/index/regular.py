"""Reads small files that a workspace or a repository names: only what is a regular file, and only so much of it.

Rules: a pipe, a device or a folder of that name is no file; nothing here waits. A path on another machine
(`//host/...`) is not looked at: a workspace could so have Windows log in there.
"""

import os
import stat
from pathlib import Path

MAX_BYTES = 1_000_000


def read_regular(file: Path, max_bytes: int = MAX_BYTES) -> bytes | None:
    """The content; None when there is no such file, it is too large, or may not be read."""
    path = str(file)
    if path.startswith(("//", "\\\\")):
        return None
    try:
        # Without waiting: to open a pipe would last until something is written.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read(max_bytes)
    except OSError:
        return None
    finally:
        os.close(descriptor)
