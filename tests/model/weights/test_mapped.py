"""Weights where they are mapped, against the library that wrote them."""

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model.library.store import StoreError
from model.weights.mapped import MappedTensors, drop_from_cache


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_file(
        {
            "scales": torch.randn(7),
            "rows": torch.randint(-127, 127, (7, 5), dtype=torch.int8),
            "blocks": torch.randint(0, 255, (2, 3, 11), dtype=torch.uint8),
            "halves": torch.randn(3, 4).half(),
        },
        tmp_path / "weights.safetensors",
        metadata={"made": "by a test"},
    )
    return tmp_path / "weights.safetensors"


def test_every_tensor_is_as_it_was_written_and_cannot_be_changed(file: Path) -> None:
    mapped, expected = MappedTensors(file), load_file(file)
    assert set(mapped) == set(expected)
    for name, tensor in expected.items():
        assert np.array_equal(mapped[name], tensor.numpy())
        assert mapped[name].dtype == tensor.numpy().dtype
        assert not mapped[name].flags.writeable
    assert "bias" not in mapped


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:40], lambda data: data[:-1], lambda data: data.replace(b"F32", b"F99")],
)
def test_a_damaged_file_is_a_store_error(file: Path, damage: object) -> None:
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(StoreError, match="is damaged"):
        MappedTensors(file)


@pytest.mark.skipif(not Path("/sys/kernel/mm/transparent_hugepage").is_dir(), reason="this system has no large pages")
def test_large_pages_are_asked_for(file: Path) -> None:
    mapped = MappedTensors(file)
    maps = Path("/proc/self/smaps").read_text()
    flags = re.search(rf"{re.escape(str(file))}\n(?:.*\n)*?VmFlags:(.*)", maps)
    assert flags is not None
    assert "hg" in flags[1].split()
    assert "scales" in mapped


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="no reading of what is cached alone")
def test_a_file_that_was_just_written_leaves_the_cache(file: Path) -> None:
    try:
        if not _is_cached(file):
            pytest.skip("it was not cached")
    except OSError:
        pytest.skip("this file system does not say what is cached")
    for _ in range(50):  # a page that another processor still holds stays when it is asked to go
        drop_from_cache(file)
        if not _is_cached(file):
            return
        time.sleep(0.02)
    pytest.fail("it is cached still")


def _is_cached(file: Path) -> bool:
    """Whether a file's beginning can be read without the disk; OSError where that cannot be asked."""
    with file.open("rb") as opened:
        try:
            return os.preadv(opened.fileno(), [bytearray(8)], 0, os.RWF_NOWAIT) == 8
        except BlockingIOError:
            return False
