"""Runs a generated Python program and says whether it came to its end.

Stopped: endless loops (CPU and wall time), memory beyond a limit, big files, child processes (where the
limit applies: see below), writing into the current folder (it is a temporary one), reading standard input,
and passing by leaving early (`sys.exit(0)`, `os._exit(0)`): only a program that ran to its end passes.

NOT stopped: reading any file that the user can read, writing where the user may write by an absolute path,
the network, signals to the user's other processes, and any exploit of the kernel. When run as root the
program becomes `nobody` first where Python's library is readable to everyone; where it is not, it stays
root, and then child processes are not limited in number, only killed with their group. On macOS the memory
limit is not enforced. So: for programs written by a small model in good faith, not for hostile ones.

Rules: nothing of the program's output is kept but the name of its exception.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# HumanEval's tests take milliseconds; what takes longer is an endless loop.
TIMEOUT_S = 10.0
MEMORY_MB = 1024
_FILE_MB = 8

# Runs as `python -I -c`: the limits are set in the child itself, since a fork with Python code between fork
# and exec is not safe in a process that has threads. The verdict file is open before the limits apply.
_LAUNCHER = """
import os, resource, sys
cpu_s, memory_mb, file_mb, nonce = sys.argv[1:]
source = open("program.py", encoding="utf-8").read()
verdict = open("verdict", "w")
if os.geteuid() == 0:
    parents, path = [], os.path.realpath(os.__file__)
    while path != "/":
        path = os.path.dirname(path)
        parents.append(path)
    if all(os.stat(parent).st_mode & 1 for parent in parents):
        os.mkdir("work")
        os.chown("work", 65534, 65534)
        os.chmod(".", 0o711)
        os.chdir("work")
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
def limit(name, value):
    try:
        resource.setrlimit(getattr(resource, name), (value, value))
    except (ValueError, OSError, AttributeError):
        pass
limit("RLIMIT_CPU", int(cpu_s))
limit("RLIMIT_AS", int(memory_mb) << 20)
limit("RLIMIT_FSIZE", int(file_mb) << 20)
limit("RLIMIT_CORE", 0)
limit("RLIMIT_NPROC", 0)
sys.argv = ["program.py"]
sys.setrecursionlimit(2000)
try:
    exec(compile(source, "program.py", "exec"), {"__name__": "__main__"})
except BaseException as error:
    verdict.write(type(error).__name__)
else:
    verdict.write(nonce)
verdict.close()
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the program ended normally, else what stopped it.

    `error` is "" when it passed, an exception's name, "timeout", "signal N", or "left early".
    """

    passed: bool
    error: str


def run_python(program: str, timeout_s: float = TIMEOUT_S, memory_mb: int = MEMORY_MB) -> Verdict:
    """Run a program in a process of its own, without input; blocks until it has ended or was killed."""
    nonce = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="midfill-eval-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "program.py").write_text(program, encoding="utf-8", errors="replace")
        limits = [str(int(timeout_s) + 1), str(memory_mb), str(_FILE_MB), nonce]
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _LAUNCHER, *limits],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return Verdict(False, "timeout")
        finally:
            _kill_group(process.pid)
            process.wait()
        return _verdict(Path(folder) / "verdict", code, nonce)


def _verdict(file: Path, code: int, nonce: str) -> Verdict:
    if code < 0:
        number = -code
        return Verdict(False, "timeout" if number == signal.SIGXCPU else f"signal {number}")
    try:
        said = file.read_text()
    except OSError:
        said = ""
    return Verdict(True, "") if said == nonce else Verdict(False, said or "left early")


def _kill_group(pid: int) -> None:
    """Kill what is left of the program and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
