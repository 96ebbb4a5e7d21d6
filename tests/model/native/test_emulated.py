"""Kernels for processors that this repository is not built on, against the scalar ones: what they lack is emulated.

NEON needs a cross compiler (`pip install ziglang`) and an emulator of the processor (Debian's `qemu-user-static`);
AVX-VNNI a processor with AVX2 and a compiler: its one instruction is a function there. Skipped without them.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.native import binding

NATIVE = Path(__file__).parents[3] / "model/native"
HERE = Path(__file__).parent
QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
COMPILER = shutil.which("g++") or shutil.which("clang++")
FLAGS = ["-std=c++20", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", f"-I{NATIVE}"]


def check(compile_with: list[str], sources: list[Path], run_with: list[str], name: str, program: Path) -> None:
    """Build a program that compares the kernels called `name` with the scalar ones, and run it."""
    files = [str(source) for source in [*sources, HERE / "kernels_check.cpp"]]
    subprocess.run([*compile_with, *FLAGS, *files, "-o", str(program)], check=True, cwd=program.parent)
    done = subprocess.run([*run_with, str(program), name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("same bits") == 36
    assert done.stdout.endswith("all agree\n")


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no cross compiler: pip install ziglang")
@pytest.mark.skipif(QEMU is None, reason="no emulator: qemu-user-static")
def test_neon_gives_the_bits_of_the_scalar_kernels(tmp_path: Path) -> None:
    assert QEMU is not None
    compiler = [sys.executable, "-m", "ziglang", "c++", "-target", "aarch64-linux-musl", "-mcpu=generic", "-static"]
    check(compiler, sorted(NATIVE.glob("*.cpp")), [QEMU], "neon-dotprod", tmp_path / "check")


@pytest.mark.skipif(COMPILER is None, reason="no compiler")
@pytest.mark.skipif(binding.load(1, "avx2") is None, reason="no AVX2")
def test_avx_vnni_gives_the_bits_of_the_scalar_kernels(tmp_path: Path) -> None:
    assert COMPILER is not None
    own = [path for path in sorted(NATIVE.glob("*.cpp")) if path.name != "avxvnni.cpp"]
    # The rest of the file is compiled for a processor that has the instruction; nothing else of it may use it.
    sources = [*own, HERE / "avxvnni_emulated.cpp"]
    check([COMPILER, "-pthread", "-fno-tree-vectorize"], sources, [], "avx-vnni", tmp_path / "check")
