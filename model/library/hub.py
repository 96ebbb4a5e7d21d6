"""The Hugging Face hub: a file of a repository, and what a repository holds.

Files whose hash the catalog does not know are verified by the hash that the hub itself states (Git LFS's sha256, or
Git's own blob id for small files), at the commit that it states: that finds a damaged download, and a changed file
later, but not a hub that lies.

Rules: what is asked is answered or given up within seconds; a download goes on where it stopped.
"""

import json
import os
import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import URLError

from model.library.catalog import ModelRow

# A machine without the hub must fall through to the next source in seconds.
_HUB_ANSWER_S = 5.0
# A download in which nothing arrives for so long is given up.
_STALL_S = 30.0
COPY_BYTES = 1 << 20
# Of a repository with thousands of files.
_MAX_LISTING_BYTES = 32 << 20
HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done, in words, and how far it is."""

    stage: str
    done_bytes: int
    total_bytes: int


OnProgress = Callable[[Progress], None]
# Brings a row's file to a path (which may hold a partial file to go on with); raises SourceFailed.
Source = Callable[[ModelRow, Path, OnProgress], None]


class SourceFailed(Exception):
    """One source could not deliver; the message says why."""


def from_hub(row: ModelRow, partial: Path, report: OnProgress) -> None:
    """The file from its own repository on the Hugging Face hub, going on after the bytes that are there."""
    _require_online()
    with partial.open("ab") as out:
        if (size := out.tell()) == row.size_bytes:
            return  # complete: it was interrupted before it was verified
        report(Progress("asking the Hugging Face hub", size, row.size_bytes))
        with _ask_hub(row, size) as response:
            size = size if response.status == HTTPStatus.PARTIAL_CONTENT else 0
            # A login page of some network must not take the place of what is there.
            if (promised := response.length or 0) != row.size_bytes - size:
                raise SourceFailed(f"it offers {promised:,} bytes, expected {row.size_bytes - size:,}")
            out.truncate(size)
            for block in _blocks(response):
                out.write(block)
                size += len(block)
                report(Progress("downloading from the Hugging Face hub", size, row.size_bytes))
    if size < row.size_bytes:
        raise SourceFailed(f"the download broke off at {size:,} of {row.size_bytes:,} bytes; it goes on next time")


def _ask_hub(row: ModelRow, start: int) -> HTTPResponse:
    """The hub's answer for the file's bytes from `start` on."""
    from huggingface_hub import hf_hub_url  # 0.2 s, which a start with the model in the cache does not pay

    url = hf_hub_url(row.source_repo, row.file, revision=row.revision, endpoint=os.environ.get("HF_ENDPOINT"))
    return _ask(url, {"Range": f"bytes={start}-"})


def _ask(url: str, headers: dict[str, str]) -> HTTPResponse:
    """An answer, or SourceFailed within _HUB_ANSWER_S.

    The bound needs a thread: a resolver has no time-out, and a firewall that drops packets costs the
    socket's time-out once for every address the hub has.
    """
    request = urllib.request.Request(url, headers={**headers, "User-Agent": "midfill"})
    answers: queue.SimpleQueue[HTTPResponse | OSError | HTTPException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=_STALL_S))
        except (OSError, HTTPException) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="ask-hub").start()
    try:
        answer = answers.get(timeout=_HUB_ANSWER_S)
    except queue.Empty:
        raise SourceFailed(f"no answer within {_HUB_ANSWER_S:.0f} s") from None
    if isinstance(answer, HTTPResponse):
        return answer
    raise SourceFailed(str(answer.reason if type(answer) is URLError else answer) or type(answer).__name__)


def _require_online() -> None:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise SourceFailed("HF_HUB_OFFLINE is set")


def list_files(row: ModelRow) -> list[ModelRow]:
    """The row's files as the hub has them now, each a row with its size, hash and commit; SourceFailed otherwise."""
    _require_online()
    endpoint = os.environ.get("HF_ENDPOINT") or HUB
    try:
        with _ask(f"{endpoint}/api/models/{row.source_repo}/revision/main?blobs=true", {}) as response:
            answer: dict[str, Any] = json.loads(response.read(_MAX_LISTING_BYTES))
        files = [
            replace(row, file=name, files=(), size_bytes=int(entry["size"]), sha256=_hash_of(entry), revision=commit)
            for commit in [str(answer["sha"])]
            for entry in answer["siblings"]
            # Of the repository's top only: a name is used as a path here.
            if (name := str(entry["rfilename"])) == Path(name).name and any(fnmatch(name, p) for p in row.files)
        ]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise SourceFailed(f"its list of {row.source_repo}'s files cannot be read ({error!r})") from error
    if missing := [p for p in row.files if not any(fnmatch(file.file, p) for file in files)]:
        raise SourceFailed(f"{row.source_repo} has no {' and no '.join(missing)}")
    return files


def _hash_of(entry: dict[str, Any]) -> str:
    """A file's sha256 where the hub keeps it outside of Git, else its Git blob id; ValueError when neither is there."""
    digest = str((entry.get("lfs") or {}).get("sha256") or entry.get("blobId"))
    if len(bytes.fromhex(digest)) not in (20, 32):
        raise ValueError(f"{digest} is no hash")
    return digest


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """What arrives, until the end or until the connection breaks."""
    with suppress(OSError, HTTPException):
        while block := response.read1(COPY_BYTES):
            yield block
