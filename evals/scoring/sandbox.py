"""Runs a generated program and says whether it came to its end: Python in `run_python`, others in `run_command`.

Stopped: endless loops (CPU and wall time), memory beyond a limit, big files, child processes (where the
limit applies: see below), writing into the current folder (it is a temporary one), reading standard input,
and in Python passing by leaving early (`sys.exit(0)`, `os._exit(0)`): only a program that ran to its end passes.

NOT stopped: reading any file that the user can read, writing where the user may write by an absolute path,
the network, signals to the user's other processes, and any exploit of the kernel. When run as root the
program becomes `nobody` first where its interpreter is readable to everyone; where it is not, it stays
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# HumanEval's tests take milliseconds; what takes longer is an endless loop.
TIMEOUT_S = 10.0
MEMORY_MB = 1024
_FILE_MB = 8
# Compilers write whole programs.
_COMMAND_FILE_MB = 64

# Run as `python -I -c`: the limits are set in the child itself, since a fork with Python code between fork
# and exec is not safe in a process that has threads.
_CONFINE = """
import os, resource, shutil, sys
def become_nobody(interpreter):
    parents, path = [], os.path.realpath(interpreter)
    while path != "/":
        path = os.path.dirname(path)
        parents.append(path)
    may = os.geteuid() == 0 and all(os.stat(parent).st_mode & 1 for parent in parents)
    if may:
        os.mkdir("work")
        os.chown("work", 65534, 65534)
        os.chmod(".", 0o711)
        os.chdir("work")
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    return may
def limit(name, value):
    try:
        resource.setrlimit(getattr(resource, name), (value, value))
    except (ValueError, OSError, AttributeError):
        pass
def limits(cpu_s, memory_mb, file_mb):
    limit("RLIMIT_CPU", int(cpu_s))
    if int(memory_mb):
        limit("RLIMIT_AS", int(memory_mb) << 20)
    limit("RLIMIT_FSIZE", int(file_mb) << 20)
    limit("RLIMIT_CORE", 0)
"""
# The verdict file is open before the limits apply.
_RUN_PYTHON = f"""{_CONFINE}
*sizes, nonce = sys.argv[1:]
source = open("program.py", encoding="utf-8").read()
verdict = open("verdict", "w")
become_nobody(os.__file__)
limits(*sizes)
limit("RLIMIT_NPROC", 0)
sys.argv = ["program.py"]
sys.setrecursionlimit(2000)
try:
    exec(compile(source, "program.py", "exec"), {{"__name__": "__main__"}})
except BaseException as error:
    verdict.write(type(error).__name__)
else:
    verdict.write(nonce)
verdict.close()
"""
# Shells and virtual machines need processes and threads: nobody's are bounded, not forbidden. A user's own limit would
# count the rest of the desktop.
_RUN_COMMAND = f"""{_CONFINE}
trusted, *sizes = sys.argv[1:5]
command = sys.argv[5:]
# Before anything else: nobody may be unable to import what this needs.
program = shutil.which(command[0]) or sys.exit("not found")
if trusted == "0" and become_nobody(program):
    limit("RLIMIT_NPROC", 256)
limits(*sizes)
os.execv(program, command)
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
        sizes = [str(int(timeout_s) + 1), str(memory_mb), str(_FILE_MB)]
        code = _run([sys.executable, "-I", "-c", _RUN_PYTHON, *sizes, nonce], Path(folder), os.defpath, timeout_s)
        return Verdict(False, "timeout") if code is None else _verdict(Path(folder) / "verdict", code, nonce)


def run_command(
    command: Sequence[str], folder: Path, *, trusted: bool, memory_mb: int = 0, timeout_s: float = TIMEOUT_S
) -> int | None:
    """Exit code of a command that runs in `folder`, None when its time was up; minus the signal that ended it.

    A trusted one (a compiler) stays the user; others become `nobody` as above. No memory limit where it is 0:
    virtual machines reserve far more address space than they use, and have options of their own.
    """
    sizes = [str(int(timeout_s) + 1), str(memory_mb), str(_COMMAND_FILE_MB)]
    launcher = [sys.executable, "-I", "-c", _RUN_COMMAND, str(int(trusted)), *sizes, *command]
    return _run(launcher, folder, os.environ.get("PATH", os.defpath), timeout_s, home=trusted)


def _run(command: Sequence[str], folder: Path, path: str, timeout_s: float, home: bool = False) -> int | None:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": path, "HOME": str(Path.home() if home else folder), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _kill_group(process.pid)
        process.wait()


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
