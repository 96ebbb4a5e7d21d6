"""Stores made in a process of their own: the same bits, told how far it is, and gone with whoever asked."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from model.library.catalog import ModelError, resolve
from model.library.paths import stores_dir
from model.library.store import WEIGHTS, read_manifest
from model.weights.prepare import ensure_store, source_hash, store_folder
from model.weights.quantize import make_store
from tests.model.tiny import make_tiny_model


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_another_process_makes_the_store_that_this_one_would(
    tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, told = resolve(str(tiny_model)), []
    apart = ensure_store(source, tiny_model, "int4", told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert len(set(told)) > 4  # layers and more
    assert read_manifest(apart).kind == "int4"
    monkeypatch.setenv("MIDFILL_CACHE", str(cache.parent / "other"))
    here = make_store(source, tiny_model, "int4", lambda done: None)
    assert (apart / WEIGHTS).read_bytes() == (here / WEIGHTS).read_bytes()
    assert apart.name == here.name


def test_a_store_that_is_there_starts_nothing(tiny_model: Path) -> None:
    source, told = resolve(str(tiny_model)), []
    store = make_store(source, tiny_model, "int8", lambda done: None)
    assert ensure_store(source, tiny_model, "int8", told.append) == store
    assert told == []


def test_a_damaged_store_is_made_again(tiny_model: Path) -> None:
    source = resolve(str(tiny_model))
    store = make_store(source, tiny_model, "int8", lambda done: None)
    (store / WEIGHTS).write_bytes(b"half")
    assert ensure_store(source, tiny_model, "int8", lambda done: None) == store
    assert read_manifest(store).kind == "int8"


def test_why_a_model_cannot_be_prepared_is_told(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    with pytest.raises(ModelError, match=r"is not complete: 12 tensors are missing, model.layers.3"):
        ensure_store(resolve(str(folder)), folder, "int8", lambda done: None)


def children() -> list[psutil.Process]:
    """What quantizes for this process, and lives."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # one that has ended and is not waited for yet says so, too
            if "model.weights.quantize" in child.cmdline():
                found.append(child)
    return found


def test_who_needs_no_store_any_more_leaves_nothing_behind(tiny_model: Path) -> None:
    def stop(done: float) -> None:
        if children():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_store(resolve(str(tiny_model)), tiny_model, "int4", stop)
    assert children() == []
    assert list(stores_dir().glob(".*")) == []


def test_a_process_that_was_killed_is_a_sentence(tiny_model: Path) -> None:
    def kill(done: float) -> None:
        for child in children():
            child.kill()

    with pytest.raises(ModelError, match="ended by signal 9: is there enough memory"):
        ensure_store(resolve(str(tiny_model)), tiny_model, "int4", kill)


def test_it_ends_when_whoever_started_it_dies(tmp_path: Path) -> None:
    """In the middle, on a model that takes a while: nothing half made is left, and nothing whole either."""
    folder = make_tiny_model(tmp_path / "model", hidden_size=768, intermediate_size=3072, num_hidden_layers=12)
    source = resolve(str(folder))
    code = (
        "import os, psutil, sys; from pathlib import Path; from model.library.catalog import resolve\n"
        "from model.weights.prepare import ensure_store\n"
        "def die(done):\n"
        "    if done:\n"
        "        sys.stdout.write(str(psutil.Process().children()[0].pid)); sys.stdout.flush(); os._exit(0)\n"
        "ensure_store(resolve(sys.argv[1]), Path(sys.argv[1]), 'int4', die)"
    )
    died = subprocess.run([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(int(died.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(died.stdout))
    assert not store_folder(source, "int4", source_hash(source, folder)).exists()
    assert list(stores_dir().glob(".*")) == []
