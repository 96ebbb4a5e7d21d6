"""Which files of a workspace are indexed: code and data of known languages, never what is ignored or secret.

Rules: `.gitignore` and `.midfillignore` (the same syntax) hold for their folder and below, `.git/info/exclude` for all.
Links are not followed, so there are no loops. A secret's content is never read; neither is a file that is too
large, and one that is binary, minified or unreadable is left out. Folders that vanish while we walk are no error.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from lsp_server.index.secrets import holds_secret, is_secret_name
from parsers.languages import PLAINTEXT, for_document

IGNORE_FILES = (".gitignore", ".midfillignore")
MAX_FILE_BYTES = 1_000_000
# A lock file or a data set has no line that anyone would want to see.
_MAX_DATA_BYTES = 100_000
_DATA = frozenset(("json", "yaml", "toml", "markdown", "html", "css", "scss", "sql", "plaintext"))
# Dependencies and builds, also where nobody wrote an ignore file.
_SKIPPED_FOLDERS = frozenset(
    ("node_modules", "bower_components", "__pycache__", "site-packages", "venv", "target", "dist")
)
_VENV_MARK = "pyvenv.cfg"
_MAX_LINE_CHARS = 1_000  # on average: what is longer is minified


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file as the walk found it; `path` is relative to the workspace, POSIX."""

    path: str
    language: str
    size: int
    mtime_ns: int


class Ignore:
    """The ignore rules of a workspace, read as folders are met; one object for one walk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._specs: dict[str, GitIgnoreSpec | None] = {}
        lines = _lines(root / ".git" / "info" / "exclude")
        self._exclude = GitIgnoreSpec.from_lines(lines) if lines else None

    def __call__(self, path: str, *, folder: bool) -> bool:
        """Whether rules exclude a path whose parents are all included."""
        name = path.rsplit("/", 1)[-1]
        if folder and (name in _SKIPPED_FOLDERS or (name.startswith(".") and name != ".github")):
            return True
        ending = "/" if folder else ""
        if not folder and is_secret_name(path):
            return True
        verdict: bool | None = self._exclude.check_file(path + ending).include if self._exclude else None
        parts = path.split("/")
        for depth in range(len(parts)):
            spec = self._spec("/".join(parts[:depth]))
            if spec is not None:
                found = spec.check_file("/".join(parts[depth:]) + ending).include
                verdict = verdict if found is None else found  # the innermost rule wins
        return bool(verdict)

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            lines = [line for name in IGNORE_FILES for line in _lines(self._root / folder / name)]
            self._specs[folder] = GitIgnoreSpec.from_lines(lines) if lines else None
        return self._specs[folder]


def walk(root: Path) -> Iterator[FileStat]:
    """All files to index, folder by folder in order of name; a root that is no folder has none."""
    ignore = Ignore(root)
    folders = [""]
    while folders:
        folder = folders.pop()
        below: list[str] = []
        entries = _entries(root / folder)
        if any(entry.name == _VENV_MARK for entry in entries):
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not ignore(path, folder=True):
                        below.append(path)
                elif found := _stat(path, entry.stat(follow_symlinks=False), ignore):
                    yield found
            except OSError:  # it went away, or may not be looked at
                continue
        folders += reversed(below)


def stat_file(root: Path, path: str) -> FileStat | None:
    """One file by its path, as `walk` would find it; None when it would not."""
    ignore = Ignore(root)
    parts = path.split("/")
    try:
        if any(ignore("/".join(parts[:n]), folder=True) for n in range(1, len(parts))):
            return None
        return _stat(path, (root / path).lstat(), ignore)
    except OSError:
        return None


def may_be_source(root: Path, path: str) -> bool:
    """Whether the rules let a path in a workspace be read as a source for other files: it is no secret, and not
    ignored. It need not be on the disk; what it holds is for `holds_secret` to say. Reads ignore files: not for the
    event loop."""
    ignore = Ignore(root)
    parts = path.split("/")
    return not any(ignore("/".join(parts[:n]), folder=n < len(parts)) for n in range(1, len(parts) + 1))


def read(root: Path, file: FileStat) -> str | None:
    """The text; None for what is binary, minified, secret, not UTF-8, or gone."""
    try:
        source = (root / file.path).read_bytes()
    except OSError:
        return None
    if b"\0" in source or len(source) > MAX_FILE_BYTES:
        return None
    if len(source) > _MAX_LINE_CHARS * (source.count(b"\n") + 1):
        return None
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if holds_secret(text) else text


def _stat(path: str, status: os.stat_result, ignore: Ignore) -> FileStat | None:
    language = for_document(path)
    if not stat.S_ISREG(status.st_mode) or language is PLAINTEXT:
        return None
    if status.st_size > (_MAX_DATA_BYTES if language.id in _DATA else MAX_FILE_BYTES) or ignore(path, folder=False):
        return None
    if ".min." in PurePosixPath(path).name or path.endswith("package-lock.json"):
        return None
    return FileStat(path, language.id, status.st_size, status.st_mtime_ns)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
