"""Caches for tests: an empty one, one in which a tiny model is quantized, and one that borrows the user's real model.

Each has a runtime folder of its own, so that no test ever meets the daemon the user works with.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.system import try_lock


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What stands apart runs only where its marker is named: `-m apart`."""
    if "apart" not in config.option.markexpr:
        apart = [item for item in items if item.get_closest_marker("apart")]
        items[:] = [item for item in items if item not in apart]
        config.hook.pytest_deselected(items=apart)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file that does not name the marker asked for is not imported: all of them, and what they need, take seconds."""
    asked = re.fullmatch(r"(\w+)(?: and not \w+)*", config.option.markexpr)
    if collection_path.suffix != ".py" or asked is None or asked[1] == "not":
        return None
    return True if f"mark.{asked[1]}" not in collection_path.read_text(encoding="utf-8") else None


def stop_daemons(cache: Path) -> None:
    """End whatever daemons were started for a cache."""
    for pid in daemons_of(cache):
        os.kill(pid, signal.SIGKILL)


def daemons_of(cache: Path) -> list[int]:
    """Process ids of the daemons whose environment names this cache."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()
        except OSError:
            continue
        if b"model.daemon" in command and f"MIDFILL_CACHE={cache}\0".encode() in environment + b"\0":
            found.append(int(proc.name))
    return found


@pytest.fixture(scope="session", autouse=True)
def runtime_folders() -> Iterator[None]:
    """A place for the caches' runtime folders that goes with the tests; short, as a socket's name has to be."""
    with tempfile.TemporaryDirectory(prefix="midfill-tests-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def tiny_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache in the environment; daemons started for it end with the test."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("MIDFILL_CACHE", str(cache))
    yield cache
    stop_daemons(cache)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that all workers of a run share: whoever comes first makes it, and the others wait."""
    runs = factory.getbasetemp()
    folder = (runs.parent if "PYTEST_XDIST_WORKER" in os.environ else runs) / name
    with folder.with_suffix(".lock").open("a") as lock:
        while not try_lock(lock):
            time.sleep(0.05)
        if not (done := folder.with_suffix(".done")).exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model as a safetensors folder."""

    def make(folder: Path) -> None:
        from tests.model.tiny import make_tiny_model  # torch and transformers: seconds, which most tests need not wait

        make_tiny_model(folder)

    return made_once(tmp_path_factory, "tiny-model", make)


@pytest.fixture(scope="session")
def tiny_stores(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores with the tiny model's: each cache that had it made would take seconds."""

    def make(cache: Path) -> None:
        from model.weights.prepare import choose_kind
        from model.weights.quantize import make_store

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MIDFILL_CACHE", str(cache))
            make_store(resolve(str(tiny_model)), tiny_model, choose_kind("auto"), lambda done: None)

    return made_once(tmp_path_factory, "tiny-quantized", make) / "stores"


@pytest.fixture
def ready_cache(tiny_cache: Path, tiny_stores: Path) -> Path:
    """A `tiny_cache` in which the tiny model is quantized: what is tested begins with the model process."""
    shutil.copytree(tiny_stores, tiny_cache / "stores")
    return tiny_cache


@pytest.fixture(scope="session")
def real_model() -> str:
    """The default model, fetched and quantized through the product's own command into the user's cache."""
    command = [sys.executable, "-c", "from lsp_server.cli.__main__ import main; main()", "model", "pull", DEFAULT_MODEL]
    subprocess.run(command, check=True)
    return DEFAULT_MODEL


@pytest.fixture(scope="session")
def real_cache(real_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that shares the real model's files with the user's, and no daemon."""
    from model.library.paths import models_dir, stores_dir

    cache = tmp_path_factory.mktemp("real-cache")
    row = resolve(real_model).row
    assert row is not None
    (cache / "models").mkdir()
    for file in models_dir().glob(f"{row.file}*"):
        (cache / "models" / file.name).symlink_to(file)
    (cache / "stores").symlink_to(stores_dir())
    yield cache
    stop_daemons(cache)
