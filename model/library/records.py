"""Small facts that outlive a process: a JSON object in a file, with a record by key.

Rules: a file that is missing or damaged holds nothing. Files are written whole and renamed, so that whoever reads at
the same time gets the old or the new; only their user can read them. Two that write at once: the last one's stands.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def read_record(file: Path, key: str) -> dict[str, Any] | None:
    """The record of a key; None where there is none."""
    record = _records(file).get(key)
    return record if isinstance(record, dict) else None


def write_record(file: Path, key: str, record: dict[str, Any]) -> None:
    """Keep a record beside those of other keys; OSError when it cannot be written."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, json.dumps({**_records(file), key: record}, indent=1))


def write_private(file: Path, text: str) -> None:
    """Write a file whole, readable by its user alone. On Windows its folder in the user's profile sees to that."""
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        Path(partial).replace(file)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise


def _records(file: Path) -> dict[str, Any]:
    try:
        records = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return records if isinstance(records, dict) else {}
