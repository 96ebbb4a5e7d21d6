import gzip
import hashlib
import json
from pathlib import Path

import pytest

from evals.report import EvalError
from evals.suites.datasets import DataFile, load

ROWS = [{"task_id": "a"}, {"task_id": "b"}]


def data_file(folder: Path, sha256: str = "") -> DataFile:
    """A data file that is published as a file:// address in `folder`."""
    raw = gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode())
    origin = folder / "origin.jsonl.gz"
    origin.write_bytes(raw)
    return DataFile(
        folder="set", name="rows.jsonl.gz", url=origin.as_uri(), sha256=sha256 or hashlib.sha256(raw).hexdigest()
    )


def test_a_file_is_downloaded_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    file = data_file(tmp_path)
    assert load(file, None) == ROWS
    (tmp_path / "origin.jsonl.gz").unlink()
    assert load(file, None) == ROWS


def test_a_damaged_cache_is_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    file = data_file(tmp_path)
    load(file, None)
    cached = next((tmp_path / "cache").rglob("rows.jsonl.gz"))
    cached.write_bytes(b"damaged")
    assert load(file, None) == ROWS


def test_a_download_with_another_hash_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EvalError, match="sha256"):
        load(data_file(tmp_path, sha256="0" * 64), None)
    assert not list((tmp_path / "cache").rglob("*.gz"))


def test_a_local_folder_is_used_without_the_network_and_verified_too(tmp_path: Path) -> None:
    file = data_file(tmp_path)
    local = tmp_path / "data" / "set" / "rows.jsonl.gz"
    local.parent.mkdir(parents=True)
    (tmp_path / "origin.jsonl.gz").rename(local)
    assert load(file, tmp_path / "data") == ROWS
    local.write_bytes(gzip.compress(b"{}"))
    with pytest.raises(EvalError, match="sha256"):
        load(file, tmp_path / "data")


def test_a_missing_file_and_a_missing_network_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    file = data_file(tmp_path)
    (tmp_path / "origin.jsonl.gz").unlink()
    with pytest.raises(EvalError, match="cannot download"):
        load(file, None)
    with pytest.raises(EvalError, match="No such file"):
        load(file, tmp_path / "data")
