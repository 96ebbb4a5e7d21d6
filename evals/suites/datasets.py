"""Published data sets: where each comes from, at which commit, and what its files must hash to.

Rules: a file is used only when its sha256 is the recorded one, wherever it came from.
"""

import gzip
import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.report import EvalError
from model.library.paths import cache_dir

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One JSONL file of a data set, gzipped when its name ends with .gz."""

    folder: str  # below --data, or below the cache
    name: str
    url: str
    sha256: str


def load(file: DataFile, data: Path | None) -> list[dict[str, Any]]:
    """The rows of a file from `data`, else from the cache or its origin; EvalError when it cannot be had."""
    raw = _read_local(file, data) if data is not None else _read_cached(file)
    if file.name.endswith(".gz"):
        raw = gzip.decompress(raw)
    # By newlines alone: a JSON string may hold separators that `splitlines` counts.
    return [json.loads(row) for row in raw.decode("utf-8").split("\n") if row.strip()]


def _read_local(file: DataFile, data: Path) -> bytes:
    path = data / file.folder / file.name
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EvalError(f"{path}: {error.strerror}; without --data it is downloaded") from error
    _verify(file, raw, str(path))
    return raw


def _read_cached(file: DataFile) -> bytes:
    path = cache_dir() / "evaldata" / file.folder / file.name
    if path.is_file():
        raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() == file.sha256:
            return raw
    try:
        with urllib.request.urlopen(file.url, timeout=_TIMEOUT_S) as response:
            raw = bytes(response.read())
    except (urllib.error.URLError, OSError) as error:
        raise EvalError(f"cannot download {file.url}: {error}; use --data DIR with {file.folder}/") from error
    _verify(file, raw, file.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return raw


def _verify(file: DataFile, raw: bytes, origin: str) -> None:
    actual = hashlib.sha256(raw).hexdigest()
    if actual != file.sha256:
        raise EvalError(f"{origin} has sha256 {actual}, the published {file.name} has {file.sha256}")
