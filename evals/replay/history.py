"""Real edits: what changed between two releases of a package, or two states of a repository. Used by the replay.

    NAME==OLD..NEW          wheels from the package index, fetched with pip; only their Python files are read
    npm:NAME==OLD..NEW      npm packages, with the sources that they ship
    OWNER/NAME==OLD..NEW    tags or commits of a repository
    PATH==OLD..NEW          the same of a repository on this machine; PATH begins with `/`, `.` or `~`

All but the last are kept in the cache folder. One language counts: the one that most was written in, if none is named.
Nothing is installed or run.
"""

import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evals.replay.releases import git_files, is_path, npm_files
from evals.report import EvalError
from model.library.paths import cache_dir
from parsers.languages import for_document

# Pure Python, hand-written, of several hundred lines a file, with releases after the models' training.
DEFAULT_HISTORY = "httpx==0.27.2..0.28.1"
# What a repository holds beside its program.
_BESIDE_PROGRAMS = frozenset(("markdown", "json", "yaml", "toml", "html", "css", "make", "dockerfile"))


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class History:
    """A package's files at the earlier release, and those of its main language that the later one changed."""

    name: str
    files: dict[str, str]
    changes: tuple[Change, ...]
    language: str = "python"


def read_history(spec: str, language: str = "") -> History:
    """`NAME==OLD..NEW`; EvalError when it is not of that form, or a release cannot be had."""
    name, _, versions = spec.partition("==")
    old, _, new = versions.partition("..")
    if not (name and old and new):
        raise EvalError(f"{spec!r} is not NAME==OLD..NEW, for example {DEFAULT_HISTORY}")
    if name.startswith("npm:"):
        before, after = (npm_files(name.removeprefix("npm:"), version) for version in (old, new))
    elif "/" in name or is_path(name):
        before, after = (git_files(name, revision) for revision in (old, new))
    else:
        before, after = (_python_files(_fetch(name, version)) for version in (old, new))
    changed = [
        Change(path, text, after[path]) for path, text in sorted(before.items()) if after.get(path, text) != text
    ]
    if not changed:
        raise EvalError(f"no source file of {name} is in both releases and differs")
    language = language or _main_language(changed)
    of_language = tuple(change for change in changed if for_document(change.path).id == language)
    return History(name, before, of_language, language)


def _main_language(changes: Sequence[Change]) -> str:
    """The language that grew most, a program's if there is one."""
    grown: Counter[str] = Counter()
    for change in changes:
        lines = set(change.before.splitlines())
        grown[for_document(change.path).id] += sum(line not in lines for line in change.after.splitlines())
    return max(grown, key=lambda language: (language not in _BESIDE_PROGRAMS, grown[language]))


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
