"""Real edits: what changed between two releases of a package. Used by the replay.

Releases are wheels from the package index, fetched with pip and kept in the cache folder; only their Python files
are read. Nothing of them is installed or run.
"""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evals.report import EvalError
from model.paths import cache_dir

# Pure Python, hand-written, of several hundred lines a file, with releases after the models' training.
DEFAULT_HISTORY = "httpx==0.27.2..0.28.1"


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class History:
    """A package's files at the earlier release, and those that the later one changed."""

    name: str
    files: dict[str, str]
    changes: tuple[Change, ...]


def read_history(spec: str) -> History:
    """`NAME==OLD..NEW`; EvalError when it is not of that form, or a release cannot be had."""
    name, _, versions = spec.partition("==")
    old, _, new = versions.partition("..")
    if not (name and old and new):
        raise EvalError(f"{spec!r} is not NAME==OLD..NEW, for example {DEFAULT_HISTORY}")
    before, after = (_python_files(_fetch(name, version)) for version in (old, new))
    changed = tuple(
        Change(path, text, after[path]) for path, text in sorted(before.items()) if after.get(path, text) != text
    )
    if not changed:
        raise EvalError(f"no Python file of {name} is in both releases and differs")
    return History(name, before, changed)


def _fetch(name: str, version: str) -> Path:
    """The wheel of a release, downloaded once."""
    folder = cache_dir() / "releases" / f"{name}-{version}"
    if wheels := sorted(folder.glob("*.whl")):
        return wheels[0]
    command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), f"{name}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not (wheels := sorted(folder.glob("*.whl"))):
        raise EvalError(f"pip could not download {name}=={version}: {done.stderr.strip()[-300:]}")
    return wheels[0]


def _python_files(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).suffix == ".py"]
        return {name: archive.read(name).decode("utf-8", "replace").replace("\r\n", "\n") for name in names}
