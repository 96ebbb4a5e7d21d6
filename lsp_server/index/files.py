"""Which files of a workspace are indexed: code and data of known languages, never what is ignored or secret.

Paths and names are judged by `ignore`, contents here.

Rules: links are not followed, so there are no loops. A secret's content is never read; neither is a file that is too
large, and one that is binary, minified, unreadable, or holds a key is left out. Folders that vanish while we walk are
no error. Paths are text (`file_names.shown`), whatever the system calls the file.
"""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lsp_server.documents.decoding import Decoded, decoded
from lsp_server.documents.file_names import shown
from lsp_server.index.ignore import MARKS, Level, Levels, Verdict, top
from lsp_server.index.regular import read_regular
from lsp_server.index.secrets import holds_secret, is_secret_name
from parsers.languages import PLAINTEXT, for_document

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 1_000_000
# A lock file or a data set has no line that is worth a place in a prompt.
_MAX_DATA_BYTES = 100_000
_DATA = frozenset(("json", "yaml", "toml", "markdown", "html", "css", "scss", "sql", "plaintext"))
_MAX_LINE_CHARS = 1_000  # on average: what is longer is minified


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file as the walk found it; `path` is relative to the workspace, POSIX, and text.

    `on_disk` is the path by which the system opens it, where that is another one.
    """

    path: str
    language: str
    size: int
    mtime_ns: int
    on_disk: str = ""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to be looked into: its path, its name in the folder around it, and the rules there."""

    path: str
    name: str
    around: Level
    verdict: Verdict


def walk(root: Path) -> Iterator[FileStat]:
    """All files to index, folder by folder in order of name; a root that is no folder has none."""
    folders: list[_Folder | None] = [None]  # None is the workspace's own
    while folders:
        folder = folders.pop()
        entries = _entries(root / folder.path if folder else root)
        level = _level(folder, entries) if folder else top(root)
        if level is None:
            continue
        below: list[_Folder] = []
        for entry in entries:
            path = f"{folder.path}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if (verdict := level.folder(entry.name)) is not Verdict.OUT:
                        below.append(_Folder(path, entry.name, level, verdict))
                elif found := _source(path, level, entry):
                    yield found
            except OSError:  # it went away, or may not be looked at
                continue
            except Exception:
                log.exception("%s is left out", shown(path))
        folders += reversed(below)


def _level(folder: _Folder, entries: list[os.DirEntry[str]]) -> Level | None:
    """The rules in a folder; None when it is left out."""
    try:
        return folder.around.below(
            folder.name, folder.verdict, [entry.name for entry in entries if entry.name in MARKS]
        )
    except Exception:
        log.exception("%s is left out", shown(folder.path))
        return None


def stat_file(root: Path, path: str) -> FileStat | None:
    """One file by its path on the disk, as `walk` would find it; None when it would not."""
    if not may_be_source(root, path):
        return None
    try:
        return _stat(path, (root / path).lstat())
    except OSError:
        return None


def may_be_source(root: Path, path: str) -> bool:
    """Whether the rules let a path in a workspace be read as a source for other files: it is no secret, and not
    ignored. It need not be on the disk; what it holds is for `holds_secret` to say. Reads ignore files: not for the
    event loop."""
    return Levels(root).file(path)


def pinned_file(root: Path, path: str) -> FileStat | None:
    """One file that the user names as a source, whatever ignore rules say; None when it is a secret or no text."""
    if is_secret_name(path):
        return None
    try:
        return _stat(path, (root / path).lstat())
    except OSError:
        return None


def read(root: Path, file: FileStat) -> str | None:
    """The text; None for what is binary, minified, secret, or gone."""
    found = read_decoded(root, file)
    return None if found is None else found.text


def read_decoded(root: Path, file: FileStat) -> Decoded | None:
    """The text and its coding; None like `read`."""
    source = read_regular(root / (file.on_disk or file.path), MAX_FILE_BYTES)
    if source is None or len(source) > _MAX_LINE_CHARS * (source.count(b"\n") + 1):
        return None
    found = decoded(source)
    return None if found is None or holds_secret(found.text) else found


def _source(path: str, level: Level, entry: os.DirEntry[str]) -> FileStat | None:
    # The language first: that costs no look at the disk, and no rule.
    if for_document(entry.name) is PLAINTEXT or not level.file(entry.name):
        return None
    return _stat(path, entry.stat(follow_symlinks=False))


def _stat(path: str, status: os.stat_result) -> FileStat | None:
    language = for_document(path)
    if not stat.S_ISREG(status.st_mode) or language is PLAINTEXT:
        return None
    if status.st_size > (_MAX_DATA_BYTES if language.id in _DATA else MAX_FILE_BYTES):
        return None
    if ".min." in PurePosixPath(path).name or path.endswith("package-lock.json"):
        return None
    text = shown(path)
    return FileStat(text, language.id, status.st_size, status.st_mtime_ns, path if text != path else "")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
