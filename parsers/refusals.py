"""Texts that a grammar cannot take, remembered by their hash so that a restart does not try them again.

Rules: a JSON file of hashes and reasons, no text. Several processes may write it: the last one wins, and what is lost
costs one more try. A file that cannot be read or written is none.
"""

import hashlib
import json
import logging
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

log = logging.getLogger(__name__)

# More hostile texts nobody has; the oldest go.
_MOST = 500


class Refusals:
    """What is known of hostile texts; kept in memory alone where `file` is None."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, str] = {} if file is None else _read(file)

    def reason(self, language: str, source: bytes) -> str:
        """Why a text was refused, in words; "" where it was not."""
        return self._known.get(_key(language, source), "") if self._known else ""

    def add(self, language: str, source: bytes, reason: str) -> None:
        """Remember a text."""
        if self._file is not None:
            self._known = {**_read(self._file), **self._known}
        self._known[_key(language, source)] = reason
        self._known = dict(list(self._known.items())[-_MOST:])
        if self._file is None:
            return
        temporary = self._file.with_name(f".{self._file.name}-{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._known), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as error:
            log.warning("a refused text is not remembered: %s", error)


def _read(file: Path) -> dict[str, str]:
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: reason for key, reason in known.items() if isinstance(reason, str)}


@cache
def _grammars() -> str:
    return version("tree-sitter-language-pack")


def _key(language: str, source: bytes) -> str:
    """Another version of the grammars may take the text."""
    return hashlib.sha256(f"{_grammars()}\0{language}\0".encode() + source).hexdigest()
