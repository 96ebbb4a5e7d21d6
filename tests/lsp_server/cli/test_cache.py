"""`midfill cache --json` names each part of the cache with its size."""

import json
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main


def test_parts_are_named_with_path_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.gguf").write_bytes(b"x" * 3000)
    assert main(["cache", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = {part["name"]: part["sizeBytes"] for part in told["parts"]}
    assert told["cache"] == str(tmp_path)
    assert sizes == {"models": 3000, "stores": 0, "blocks": 0, "index": 0}
    assert all(Path(part["path"]).is_relative_to(tmp_path) and part["about"] for part in told["parts"])
