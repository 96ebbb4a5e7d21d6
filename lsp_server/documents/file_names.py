"""File names as text. A system's names are bytes, and may be no UTF-8; Python then has half characters in them, which
no database, protocol or tokenizer takes.

Rules: pure. Two names of one folder stay two.
"""

import os
from urllib.parse import unquote_to_bytes


def shown(path: str) -> str:
    """A path of the system as text: bytes that are no UTF-8 as `\\xe9`."""
    try:
        path.encode("utf-8")
        return path
    except UnicodeEncodeError:
        return _as_text(os.fsencode(path))


def unquoted(uri_path: str) -> str:
    """The path in a URI as `shown` gives it."""
    return _as_text(unquote_to_bytes(uri_path.encode("utf-8", "backslashreplace")))


def _as_text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
