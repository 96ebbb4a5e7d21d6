"""`make dist`: what it makes, and that the wheel serves where there is neither a compiler nor torch."""

import os
import platform
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from tests.conftest import daemons_of, stop_daemons
from tests.processor import best_kernels

ROOT = Path(__file__).parents[1]
QEMU, ARM_LIBRARIES = shutil.which("qemu-aarch64-static"), Path("/usr/aarch64-linux-gnu")
MANYLINUX = {f"manylinux_2_{minor}" for minor in (17, 28)}
KERNELS = {"x86_64": ("avx512-vnni", "avx-vnni", "avx2", "scalar"), "aarch64": ("neon-dotprod", "scalar")}
# Of the environment, without pip, in which the wheel and what it needs are all there is.
MOST_BYTES = 350_000_000
_ARM_PROBE = """
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char** arguments) {
    void* library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return puts(dlerror());
    puts(((const char* (*)(void))dlsym(library, "midfill_best"))());
}
"""
pytestmark = [
    # It loads the real model, and has the machine to itself while compilers run.
    pytest.mark.apart,
    pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="made on Linux x86-64"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make dist` has run."""
    source = tmp_path_factory.mktemp("dist") / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    # The checkout's tools: zig compiles a C++ library first wherever it was not before, which takes minutes.
    subprocess.run(["make", "-C", str(ROOT), ".venv-dist/.ready"], check=True, capture_output=True)
    (ROOT / ".venv-dist/.ready").touch()
    (source / ".venv-dist").symlink_to(ROOT / ".venv-dist")
    made = subprocess.run(["make", "-C", str(source), "dist"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    return source


def wheel_for(source: Path, words: str) -> Path:
    (wheel,) = source.glob(f"dist/*{words}.whl")
    return wheel


def test_one_version_stands_on_everything(source: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (sdist,) = source.glob("dist/*.tar.gz")
    wheels = list(source.glob("dist/*.whl"))
    assert {str(parse_sdist_filename(sdist.name)[1]), *(str(parse_wheel_filename(w.name)[1]) for w in wheels)} == {
        version
    }
    assert len(wheels) == 3


@pytest.mark.parametrize("processor", KERNELS)
def test_a_wheel_has_all_kernels_of_its_processor_for_every_python_and_glibc_2_28(
    source: Path, processor: str, tmp_path: Path
) -> None:
    wheel = wheel_for(source, f"_{processor}")
    tags = parse_wheel_filename(wheel.name)[3]
    assert {(tag.interpreter, tag.abi) for tag in tags} == {("cp311", "abi3")}
    assert MANYLINUX & {tag.platform.removesuffix(f"_{processor}") for tag in tags}
    with zipfile.ZipFile(wheel) as archive:
        library = Path(archive.extract("model/_native.abi3.so", tmp_path))
        names = archive.namelist()
    text = library.read_bytes()
    assert [name for name in KERNELS[processor] if f"{name}\0".encode() not in text] == []
    assert {"evals/samples/session.ts", "parsers/queries/python.scm", "tuning/sources.toml"} <= set(names)
    assert [name for name in names if name.startswith("tests/")] == []


def test_the_wheel_for_other_machines_has_no_kernels(source: Path) -> None:
    with zipfile.ZipFile(wheel_for(source, "-py3-none-any")) as archive:
        names = archive.namelist()
        (facts,) = [archive.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL")]
    assert "Root-Is-Purelib: true" in facts
    assert [name for name in names if Path(name).name.startswith("_native")] == []


@pytest.mark.skipif(QEMU is None, reason="no emulator: qemu-user-static")
@pytest.mark.skipif(not ARM_LIBRARIES.is_dir(), reason="no C library for it: libc6-arm64-cross")
def test_the_library_for_arm_loads_and_chooses_its_kernels_in_an_emulator(source: Path, tmp_path: Path) -> None:
    assert QEMU is not None
    with zipfile.ZipFile(wheel_for(source, "_aarch64")) as archive:
        library = archive.extract("model/_native.abi3.so", tmp_path)
    (zig,) = source.glob(".venv-dist/lib/*/site-packages/ziglang/zig")
    (tmp_path / "probe.c").write_text(_ARM_PROBE)
    compile_it = [zig, "cc", "-target", "aarch64-linux-gnu.2.28", "probe.c", "-ldl", "-o", "probe"]
    subprocess.run(compile_it, cwd=tmp_path, check=True)
    ran = subprocess.run(
        [QEMU, "-L", ARM_LIBRARIES, "./probe", library], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "neon-dotprod\n"


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment's programs, with the wheel and what it asks for, and nothing else."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "install", "-q", "--no-compile"]
    subprocess.run([*pip, str(wheel_for(source, "_x86_64"))], check=True)
    return environment / "bin"


def test_what_is_installed_is_small_and_has_no_torch(installed: Path) -> None:
    tried = subprocess.run([installed / "python", "-c", "import torch"], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in tried.stderr
    used = subprocess.run(["du", "-s", "-B1", installed.parent], capture_output=True, text=True, check=True).stdout
    assert int(used.split()[0]) <= MOST_BYTES


@pytest.fixture
def quiet_cache(real_cache: Path) -> Iterator[Path]:
    """The real model's, in which nothing of another test runs."""
    stop_daemons(real_cache)
    yield real_cache
    stop_daemons(real_cache)


def test_it_completes_with_the_real_model_and_says_which_kernels_run(installed: Path, quiet_cache: Path) -> None:
    """No program is on the PATH but its own: no compiler, no git, no other Python."""
    kept = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    environment = {**kept, "PATH": str(installed), "MIDFILL_CACHE": str(quiet_cache)}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        program = [str(installed / command[0]), *command[1:]]
        return subprocess.run(program, env=environment, cwd="/", capture_output=True, text=True, check=False)

    shown = run("python", "-I", "-m", "evals.showcase")
    assert shown.returncode == 0, shown.stdout
    assert "6 of 6 files got a completion" in shown.stdout
    (daemon,) = daemons_of(quiet_cache)
    mapped = Path(f"/proc/{daemon}/maps").read_text()
    assert str(installed.parent) in next(line for line in mapped.splitlines() if "_native" in line)
    assert "libtorch" not in mapped
    assert f"kernels: {best_kernels()}\n" in run("midfill", "status").stdout
