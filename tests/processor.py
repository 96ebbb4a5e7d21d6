"""Which of our kernels a processor should get, as the operating system tells of it."""

from pathlib import Path

_AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}
_AVX2 = {"avx2", "fma", "f16c"}


def best_kernels() -> str:
    """By /proc/cpuinfo, on Linux on x86-64."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = set(next(line for line in lines if line.startswith("flags")).split())
    if flags >= _AVX512:
        return "avx512-vnni"
    if flags >= _AVX2:
        return "avx-vnni" if "avx_vnni" in flags else "avx2"
    return "scalar"
