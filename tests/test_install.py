"""Installing where there is no C++ compiler: everything works, on torch's kernels, and says so."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from model.library.catalog import resolve
from model.weights.quantize import make_store
from tests.environment import without
from tests.model.tiny import make_tiny_model

ROOT = Path(__file__).parents[1]
_PROBE = """
import sys
from pathlib import Path
from model.native import binding as native
from model.library.catalog import resolve
from model.weights.load import load
from model.weights.prepare import choose_kind
from model.weights.quantize import make_store
assert Path(native.__file__).is_relative_to(sys.argv[1]), native.__file__
folder = Path(sys.argv[2])
store = make_store(resolve(str(folder)), folder, choose_kind("auto"), lambda done: None)
print(repr(native.kernel_name()), store.name.split("-")[-3], type(load(store, 2)).__name__)
"""


_LOAD = """
import sys
from pathlib import Path
from model.library.catalog import ModelError
from model.weights.load import load
try:
    load(Path(sys.argv[1]), 2)
except ModelError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that pip installs when every compiler it tries fails."""
    work = tmp_path_factory.mktemp("install")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(work / "source")], check=True)
    environment = os.environ | {"CC": "/bin/false", "CXX": "/bin/false"}
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(work), str(work / "source")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    (wheel,) = work.glob("midfill-*-py3-none-any.whl")  # for any machine, as it has nothing of this one
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work / "installed")
    return work / "installed"


def test_without_a_compiler_torch_runs_the_model(installed: Path, tmp_path: Path) -> None:
    assert not list(installed.rglob("_native*"))
    folder = make_tiny_model(tmp_path / "tiny")
    environment = os.environ | {"PYTHONPATH": str(installed), "MIDFILL_CACHE": str(tmp_path / "cache")}
    output = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, str(installed), str(folder)],
        env=environment, cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert output.split() == ["''", "int8", "TorchDecoder"]


def test_without_a_compiler_and_without_torch_one_command_is_named(
    installed: Path, tiny_cache: Path, tmp_path: Path
) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    store = make_store(resolve(str(folder)), folder, "int8", lambda done: None)
    python = without({"torch", "gguf"}, tmp_path / "environment")
    environment = os.environ | {"PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [python, "-P", "-c", _LOAD, str(store)], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout.startswith("running a model without the native kernels needs torch, gguf: ")
    assert ran.stdout.endswith('"midfill[quantize]"\n')


def test_without_a_compiler_doctor_says_which_kernels_run(installed: Path, tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    environment = os.environ | {"PYTHONPATH": str(installed), "MIDFILL_CACHE": str(tmp_path / "cache")}
    # What doctor started is stopped: it would wait half an hour for another request.
    doctor = f"from lsp_server.cli.__main__ import main; main(['doctor', '--model', {str(folder)!r}]); main(['stop'])"
    command = [sys.executable, "-P", "-c", doctor]
    output = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "kernels: torch (the native extension was not built" in output
