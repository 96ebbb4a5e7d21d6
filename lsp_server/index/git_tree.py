"""A git working tree as the index needs it: where it begins, what else it ignores, and what it tracks.

Rules: git is not run, so it need not be there, and nothing that a repository's configuration names is executed.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lsp_server.index.git_config import config_of, expanded, is_true, xdg_folder
from lsp_server.index.git_index import Tracked, names_in
from lsp_server.index.gitignore import Patterns
from lsp_server.index.regular import read_regular

# An index file of a million files has about 100 MB.
_MAX_INDEX_BYTES = 200_000_000
_MAX_LINK_BYTES = 10_000


@lru_cache(maxsize=512)
def patterns_of(content: bytes, ignore_case: bool) -> Patterns:
    """An ignore file's patterns; the same content is compiled once."""
    return Patterns(content, ignore_case=ignore_case)


@dataclass(frozen=True, slots=True)
class WorkTree:
    """The files of one repository as they are checked out. A worktree's own folder holds its index; what all worktrees
    of a repository have in common, its rules among them, is in the common one."""

    root: Path
    ignore_case: bool
    excludes: tuple[Patterns, ...]  # for the whole tree, those that count most last
    git_dir: Path
    hash_bytes: int

    @classmethod
    def at(cls, root: Path) -> "WorkTree | None":
        """The working tree that begins at a folder; None when none does."""
        git_dir = _git_dir(root)
        if git_dir is None:
            return None
        common_dir = _named_in(git_dir / "commondir", git_dir) or git_dir
        config = config_of(git_dir, common_dir)
        ignore_case = is_true(config.get("core.ignorecase", "false"))
        named = config.get("core.excludesfile")
        files = [expanded(named, root)] if named else [xdg_folder() / "ignore"] if named is None else []
        contents = [read_regular(file) for file in (*files, common_dir / "info" / "exclude")]
        excludes = tuple(patterns_of(content, ignore_case) for content in contents if content)
        hash_bytes = 32 if config.get("extensions.objectformat", "").lower() == "sha256" else 20
        return cls(root, ignore_case, excludes, git_dir, hash_bytes)

    @classmethod
    def around(cls, folder: Path) -> "WorkTree | None":
        """The innermost working tree that a folder lies in, or begins."""
        return next((tree for place in (folder, *folder.parents) if (tree := cls.at(place)) is not None), None)

    def tracked(self) -> Tracked:
        """What git tracks at present; only what rules exclude has to ask."""
        try:
            status = (self.git_dir / "index").stat()
        except OSError:
            return Tracked()
        return _tracked_as_of(self.git_dir, self.hash_bytes, status.st_mtime_ns, status.st_size)


def _git_dir(root: Path) -> Path | None:
    """A folder `.git`, or the one that a file `.git` names (worktrees and submodules have such)."""
    mark = root / ".git"
    if os.path.isdir(mark):  # unlike Path.is_dir it says no where it may not look
        return mark
    named = _named_in(mark, root, "gitdir:")
    return named if named is not None and os.path.isdir(named) else None


def _named_in(file: Path, base: Path, keyword: str = "") -> Path | None:
    """The path that a file holds behind a keyword."""
    content = read_regular(file, _MAX_LINK_BYTES)
    text = os.fsdecode(content or b"").rstrip("\r\n")
    if not text.startswith(keyword) or not (named := text.removeprefix(keyword).strip()) or "\0" in named:
        return None
    return None if named.startswith(("//", "\\\\")) else base / named


@lru_cache(maxsize=4)
def _tracked_as_of(git_dir: Path, hash_bytes: int, mtime_ns: int, size: int) -> Tracked:
    """What an index file tracks; read once for as long as it stays as it is."""
    data = read_regular(git_dir / "index", _MAX_INDEX_BYTES)
    names, shared = names_in(data or b"", hash_bytes)
    if shared.strip("0"):
        names += names_in(read_regular(git_dir / f"sharedindex.{shared}", _MAX_INDEX_BYTES) or b"", hash_bytes)[0]
    return Tracked(names)
