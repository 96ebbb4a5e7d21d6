"""What runs of `midfill tune` begin with."""

from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main as midfill


@pytest.fixture
def pulled(ready_cache: Path, tiny_model: Path) -> str:
    """The tiny model, in a cache that has nothing else."""
    assert midfill(["model", "pull", str(tiny_model)]) == 0
    return str(tiny_model)
