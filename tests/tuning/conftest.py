"""What runs of `midfill tune` begin with."""

from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main as midfill


@pytest.fixture
def pulled(ready_cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The tiny model, in a cache that has nothing else."""
    return pull(tiny_model, monkeypatch)


def pull(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pull the tiny model for runs. Judging by fewer examples than users' is most of a run less."""
    for module in ("cli", "watch"):
        monkeypatch.setattr(f"tuning.{module}.HELD_OUT_EXAMPLES", 80)
    assert midfill(["model", "pull", str(tiny_model)]) == 0
    return str(tiny_model)
