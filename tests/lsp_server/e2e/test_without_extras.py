"""Where a part of midfill is not installed, everybody who needs it is told the one command that brings it.

In an environment without torch and all that needs it: the editor, the terminal and `doctor`.
"""

import json
import subprocess
from pathlib import Path

import pytest

from model.library.catalog import resolve
from model.library.extras import PACKAGES
from model.native import binding
from model.weights.quantize import make_store
from tests.environment import without
from tests.lsp_server.session import Session
from tests.model.tiny import make_tiny_model

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has no extras."""
    packages = {package for packages in PACKAGES.values() for package in packages} | {"peft", "accelerate"}
    python = without(packages, tmp_path_factory.mktemp("bare") / "environment")
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 1
    return python


def command(python: Path, extra: str) -> str:
    return f'{python} -m pip install --extra-index-url https://download.pytorch.org/whl/cpu "midfill[{extra}]"'


def midfill(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "lsp_server.cli", *words], capture_output=True, text=True, cwd="/", timeout=120, check=False
    )


def test_first_use_names_the_command_in_the_editor(bare: Path, tiny_cache: Path, tiny_model: Path) -> None:
    with Session(
        tiny_model, options={"model": str(tiny_model)}, command=(str(bare), "-P", "-m", "lsp_server")
    ) as session:
        status = session.wait_for_phase("failed")
        session.allowed_errors = 1
    assert status["message"].endswith(f" needs torch, gguf: {command(bare, 'quantize')}")
    (shown,) = [m["params"]["message"] for m in session.messages if m["method"] == "window/showMessage"]
    assert command(bare, "quantize") in shown


def test_first_use_names_the_command_on_the_terminal_and_in_doctor(
    bare: Path, tiny_cache: Path, tiny_model: Path
) -> None:
    done = midfill(bare, "doctor", "--model", str(tiny_model))
    assert f"store: not made yet; quantizing needs torch, gguf: {command(bare, 'quantize')}\n" in done.stdout
    assert done.returncode == 2
    assert done.stderr.endswith(f" needs torch, gguf: {command(bare, 'quantize')}\n")


@pytest.mark.skipif(not binding.kernel_name(), reason="the native extension was not built")
def test_a_card_without_torch_is_a_reason_and_no_error(bare: Path, tiny_cache: Path, tiny_model: Path) -> None:
    make_store(resolve(str(tiny_model)), tiny_model, "int4", lambda done: None)
    why = f'an NVIDIA card needs torch, gguf, bitsandbytes: {bare} -m pip install "midfill[cuda]"'
    options = {"model": str(tiny_model), "device": "cuda"}
    with Session(tiny_model, options=options, command=(str(bare), "-P", "-m", "lsp_server")) as session:
        status = session.wait_for_phase("ready", "failed")
        daemon = session.status()["daemon"]
    assert status["phase"] == "ready", status
    assert daemon["device"] == f"on the processor (int4): {why}"
    assert daemon["kernels"] == binding.kernel_name()
    done = midfill(bare, "doctor", "--config", json.dumps(options))
    assert f"store: ready\nkernels: {binding.kernel_name()}\ndevice: the processor: {why}\n" in done.stdout


def test_a_model_for_transformers_names_its_extra(bare: Path, tiny_cache: Path, tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "strange")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "phi"}))
    done = midfill(bare, "doctor", "--model", str(folder))
    assert f"needs torch, gguf, transformers: {command(bare, 'transformers')}\n" in done.stdout


@pytest.mark.parametrize(("word", "extra"), [("tune", "tune"), ("bench", "eval")])
def test_a_command_names_its_extra(bare: Path, tiny_cache: Path, word: str, extra: str) -> None:
    done = midfill(bare, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"midfill: {word} needs torch, gguf, ")
    assert done.stderr.endswith(f"{command(bare, extra)}\n")
    assert done.stderr.count("\n") == 1
