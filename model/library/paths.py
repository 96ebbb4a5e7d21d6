"""Where midfill keeps things on this machine: the cache, the state, and the runtime folder for sockets and locks.

Rules: nothing is ever kept in a repository or a workspace. `MIDFILL_CACHE` moves everything, and two caches
never share a daemon: the runtime folder's name holds a hash of a moved cache's path.
"""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

# A Unix socket's path may have 107 bytes (104 on macOS); a socket's own name takes up to 46 of them.
_MAX_FOLDER_BYTES = 56


class UnsafeFolder(OSError):
    """The runtime folder belongs to another user; the message says which folder it is and what to do."""


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


def adapters_dir() -> Path:
    """Copies of the LoRA adapters that were added, by name."""
    return cache_dir() / "adapters"


def blocks_dir() -> Path:
    """Keys and values of snippets, by the model they belong to."""
    return cache_dir() / "blocks"


def measured_file() -> Path:
    """What `midfill bench --quick` measured of this machine's devices."""
    return cache_dir() / "devices.json"


def state_dir() -> Path:
    """What midfill remembers of its use: below `MIDFILL_CACHE`, else the user's state folder. Not created."""
    return cache_dir() / "state" if os.environ.get("MIDFILL_CACHE") else user_state_path("midfill")


def runtime_dir() -> Path:
    """The 0700 folder for sockets, locks and daemon logs; made when missing. UnsafeFolder when not ours."""
    if sys.platform == "win32":  # below the user's profile, which others cannot read
        folder = cache_dir() / "run"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    name = "midfill"
    if os.environ.get("MIDFILL_CACHE"):
        name += "-" + hashlib.sha256(str(cache_dir()).encode()).hexdigest()[:8]
    own = f"{name}-{os.getuid()}"  # temporary folders are shared with other users
    # macOS has a temporary folder per user, whose long path may leave no room for a socket's name.
    places = [Path(tempfile.gettempdir()) / own, Path("/tmp") / own]
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        places.insert(0, Path(session) / name)
    folder = next((place for place in places if _is_usable(place)), places[-1])
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnsafeFolder(f"{folder} is not a folder of yours: remove it, or set TMPDIR to a folder of yours")
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def _is_usable(folder: Path) -> bool:
    return len(os.fsencode(folder)) <= _MAX_FOLDER_BYTES and os.access(folder.parent, os.W_OK)


def bytes_below(folder: Path) -> int:
    """The size of all files below a folder; what goes away meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
