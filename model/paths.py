"""Where midfill keeps things on this machine: the cache, and the runtime folder for sockets and locks.

Rules: nothing is ever kept in a repository or a workspace. `MIDFILL_CACHE` moves everything, and two caches
never share a daemon: the runtime folder's name holds a hash of a moved cache's path.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

# A Unix socket's path may have 107 bytes (104 on macOS); a socket's own name takes up to 46 of them.
_MAX_FOLDER_BYTES = 56


class UnsafeFolder(OSError):
    """The runtime folder belongs to someone else; the message says which and what to do."""


def cache_dir() -> Path:
    """The cache folder: `MIDFILL_CACHE`, else the user's cache folder. Not created."""
    override = os.environ.get("MIDFILL_CACHE")
    return Path(override).expanduser().absolute() if override else user_cache_path("midfill")


def models_dir() -> Path:
    """Model files as they were published."""
    return cache_dir() / "models"


def stores_dir() -> Path:
    """Models quantized for this machine."""
    return cache_dir() / "stores"


def runtime_dir() -> Path:
    """The 0700 folder for sockets, locks and daemon logs; made when missing. UnsafeFolder when not ours."""
    name = "midfill"
    if "MIDFILL_CACHE" in os.environ:
        name += "-" + hashlib.sha256(str(cache_dir()).encode()).hexdigest()[:8]
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if not os.access(parent, os.W_OK) or len(os.fsencode(parent / name)) > _MAX_FOLDER_BYTES:
        parent, name = Path(tempfile.gettempdir()), f"{name}-{os.getuid()}"
    folder = parent / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnsafeFolder(f"{folder} belongs to another user: remove it, or set TMPDIR to a folder of yours")
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
