"""The NEON kernels against the scalar ones, on an emulated processor: what this repository is built on is x86.

Needs a cross compiler (`pip install ziglang`) and an emulator (Debian's `qemu-user-static`); skipped without them.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "model/native"
QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no cross compiler: pip install ziglang")
@pytest.mark.skipif(QEMU is None, reason="no emulator: qemu-user-static")
def test_neon_gives_the_bits_of_the_scalar_kernels(tmp_path: Path) -> None:
    sources = [str(path) for path in sorted(NATIVE.glob("*.cpp"))] + [str(Path(__file__).with_name("neon_check.cpp"))]
    flags = [
        "-std=c++20",
        "-O2",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fvisibility=hidden",
        "-static",
        f"-I{NATIVE}",
    ]
    program = tmp_path / "check"
    compiler = [sys.executable, "-m", "ziglang", "c++", "-target", "aarch64-linux-musl", "-mcpu=generic"]
    subprocess.run([*compiler, *flags, *sources, "-o", str(program)], check=True, cwd=tmp_path)
    assert QEMU is not None
    done = subprocess.run([QEMU, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("same bits") == 36
    assert done.stdout.endswith("all agree\n")
