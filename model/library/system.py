"""What differs between operating systems: locks, priorities, signals, processes. Everything else asks here.

Rules: no torch. The branches for Windows are written after its documentation and have never been run; so have
those for macOS but where they are the ones of Linux (docs/install.md says what has been run where).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil

from model.library.quota import quota_cores

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(file: IO[Any]) -> bool:
    """Take an open file's exclusive lock, which lasts until it is closed; False when another process has it."""
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def be_nice(niceness: int) -> None:
    """Let other programs go first; `niceness` as Unix counts it."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(niceness)


def on_termination(loop: asyncio.AbstractEventLoop, leave: Callable[[], object]) -> None:
    """Call `leave` in the loop when the process is asked to end. Windows has no such request for such a process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, leave)


def start_detached(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its terminal, with its output in a file."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return subprocess.Popen(command, **pipes, creationflags=flags)
    return subprocess.Popen(command, **pipes, cwd="/", start_new_session=True)


def start_child(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process that works for this one, over pipes; what it says on standard error goes where ours does."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def n_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: those it may run on, and no more than a container's quota pays for."""
    if sys.platform == "linux":
        n = len(os.sched_getaffinity(0))
        return min(n, quota_cores(root) or n)
    return os.cpu_count() or 1


def rss_mb() -> float:
    """Resident memory of this process now, in MB."""
    return float(psutil.Process().memory_info().rss) / 1e6


def libc() -> ctypes.CDLL | None:
    """This process's C library; Windows gives none this way."""
    return None if sys.platform == "win32" else ctypes.CDLL(None)


def give_back_memory() -> None:
    """Give what was freed back to the system; glibc alone keeps it, for who knows what."""
    trim = getattr(libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)
