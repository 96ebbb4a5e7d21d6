"""Which files of a workspace may be sources at all, by their paths: the rules of git, of midfill, and about secrets.

    secrets           never, also when git tracks them (see `secrets`)
    .midfillignore    decides over all that follows, for its folder and below, the innermost first
    tracked by git    is source
    git's rules       .gitignore up to the repository's root, .git/info/exclude, core.excludesFile
    built in          dependencies and builds, hidden folders, virtual environments

As in git, nothing below an excluded folder comes back by a rule, but what is tracked there does. A repository within
the workspace goes by its own rules.

Rules: reads ignore files and git's files, and never the files in question. The answer for one path is that of a walk.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from lsp_server.index.git_tree import WorkTree, patterns_of
from lsp_server.index.gitignore import Patterns
from lsp_server.index.regular import read_regular
from lsp_server.index.secrets import is_secret_name

GIT_IGNORE, OWN_IGNORE = ".gitignore", ".midfillignore"
IGNORE_FILES = (GIT_IGNORE, OWN_IGNORE)
_GIT_MARK, _VENV_MARK = ".git", "pyvenv.cfg"
# What in a folder says something about the rules that hold in it.
MARKS = (*IGNORE_FILES, _GIT_MARK, _VENV_MARK)
# Nobody's sources, whatever a rule says.
_STORES = frozenset((".git", ".hg", ".svn", ".jj"))
# Dependencies and builds, also where nobody wrote an ignore file.
_SKIPPED_FOLDERS = frozenset(
    ("node_modules", "bower_components", "__pycache__", "site-packages", "venv", "target", "dist")
)
# A name that no rule means: what excludes it excludes everything.
_ANY_NAME = "midfill-any-name"


class Verdict(Enum):
    """What rules say about a path."""

    OUT = "out"
    TRACKED_ONLY = "tracked only"  # a folder that git ignores, with files in it that it tracks
    IN = "in"


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """An ignore file's patterns; paths are cut to what follows its folder."""

    patterns: Patterns
    n_cut: int

    def verdict(self, path: bytes, *, folder: bool) -> bool | None:
        return self.patterns.verdict(path[self.n_cut :], folder=folder)


@dataclass(frozen=True, slots=True)
class Level:
    """A folder that is looked into, and the rules that hold for what is in it."""

    where: bytes  # the absolute path, with a slash at its end
    own: tuple[_IgnoreFile, ...]  # of midfill; those that count most last
    git: tuple[_IgnoreFile, ...]
    tree: WorkTree | None
    n_tree: int  # of `where`: what leads to the working tree
    tracked_only: bool
    built_in: bool = True  # whether dependencies, builds and hidden folders are left out where no rule says it

    def file(self, name: str) -> bool:
        """Whether a file may be a source."""
        folder = os.fsdecode(self.where[:-1].rpartition(b"/")[2])
        return not is_secret_name(f"{folder}/{name}") and self._verdict(name, folder=False) is Verdict.IN

    def folder(self, name: str) -> Verdict:
        """Whether a folder is looked into."""
        return Verdict.OUT if self.built_in and name in _STORES else self._verdict(name, folder=True)

    def below(self, name: str, verdict: Verdict, marks: Collection[str]) -> "Level | None":
        """The level of a folder that is looked into, which holds these of the `MARKS`; None when it is left out after
        all."""
        where = self.where + os.fsencode(name) + b"/"
        is_venv = self.built_in and _VENV_MARK in marks
        if is_venv and self._own_verdict(where[:-1], folder=True) is None and not self._tracks_below(where):
            return None
        level = replace(self, where=where, tracked_only=verdict is Verdict.TRACKED_ONLY)
        if _GIT_MARK in marks and (tree := WorkTree.at(Path(os.fsdecode(where)))) is not None:
            level = _in_tree(level, tree)
        return level.with_ignore_files(marks)

    def with_ignore_files(self, marks: Collection[str]) -> "Level":
        """The level with the rules that its own folder's ignore files add."""
        git, own = (self._ignore_file(name) if name in marks else () for name in IGNORE_FILES)
        return replace(self, git=self.git + git, own=self.own + own) if git or own else self

    def _ignore_file(self, name: str) -> tuple[_IgnoreFile, ...]:
        file = os.fsdecode(self.where) + name
        # Git follows no link here, so that a repository cannot have it read a file elsewhere.
        content = None if os.path.islink(file) else read_regular(Path(file))
        patterns = patterns_of(content or b"", self.tree is not None and self.tree.ignore_case)
        return (_IgnoreFile(patterns, len(self.where)),) if patterns else ()

    def _verdict(self, name: str, *, folder: bool) -> Verdict:
        path = self.where + os.fsencode(name)
        if (own := self._own_verdict(path, folder=folder)) is not None:
            return Verdict.OUT if own else Verdict.IN
        if self.tracked_only or self._git_excludes(path, folder=folder):
            tracked = Verdict.TRACKED_ONLY if folder else Verdict.IN
        elif self.built_in and folder and (name in _SKIPPED_FOLDERS or (name.startswith(".") and name != ".github")):
            tracked = Verdict.IN  # a source folder that is called like a build
        else:
            return Verdict.IN
        is_tracked = self._tracks_below(path + b"/") if folder else self._tracks(path)
        return tracked if is_tracked else Verdict.OUT

    def _own_verdict(self, path: bytes, *, folder: bool) -> bool | None:
        return _last_verdict(self.own, path, folder=folder)

    def _git_excludes(self, path: bytes, *, folder: bool) -> bool:
        return bool(_last_verdict(self.git, path, folder=folder))

    def _tracks(self, path: bytes) -> bool:
        return self.tree is not None and path[self.n_tree :] in self.tree.tracked()

    def _tracks_below(self, where: bytes) -> bool:
        return self.tree is not None and self.tree.tracked().below(where[self.n_tree : -1])


def top(root: Path) -> Level:
    """The level of a workspace's own folder."""
    root = root.resolve()
    around = _around(root)
    level = around if around is not None else Level(_where(root), (), (), None, 0, tracked_only=False)
    return level.with_ignore_files(IGNORE_FILES)


class Levels:
    """The folders of a workspace as they are asked for; each is looked at once."""

    def __init__(self, root: Path, *, built_in: bool = True) -> None:
        self._known: dict[str, Level | None] = {"": replace(top(root), built_in=built_in)}

    def file(self, path: str) -> bool:
        """Whether a file may be a source, by its path in the workspace."""
        folder, _, name = path.rpartition("/")
        level = self._of(folder)
        return level is not None and level.file(name)

    def _of(self, path: str) -> Level | None:
        """The level of a folder; None when it is not looked into."""
        names: list[str] = []
        while path not in self._known:
            path, _, name = path.rpartition("/")
            names.append(name)
        level = self._known[path]
        for name in reversed(names):
            path = f"{path}/{name}" if path else name
            level = self._known[path] = None if level is None else _inside(level, name)
        return level


def _inside(level: Level, name: str) -> Level | None:
    if (verdict := level.folder(name)) is Verdict.OUT:
        return None
    place = os.fsdecode(level.where) + name
    return level.below(name, verdict, [mark for mark in MARKS if os.path.lexists(f"{place}/{mark}")])


def _around(root: Path) -> Level | None:
    """The level of a workspace in the repository around it, without its own ignore files.

    None when there is none, or when the repository ignores the workspace: a home folder may be one that
    ignores all that it was not told of, and says nothing about the projects in it.
    """
    tree = WorkTree.around(root)
    if tree is None:
        return None
    level = _in_tree(Level(_where(tree.root), (), (), None, 0, tracked_only=False), tree)
    for name in root.relative_to(tree.root).parts:
        level = level.with_ignore_files(IGNORE_FILES)
        path = level.where + os.fsencode(name)
        if level._git_excludes(path, folder=True):
            return None
        level = replace(level, where=path + b"/")
    if root != tree.root and level._git_excludes(level.where + _ANY_NAME.encode(), folder=False):
        return level if level._tracks_below(level.where) else None
    return level


def _in_tree(level: Level, tree: WorkTree) -> Level:
    """A level at the root of a working tree, under no other rules of git than those for the whole of it."""
    where = _where(tree.root)
    git = tuple(_IgnoreFile(patterns, len(where)) for patterns in tree.excludes)
    return replace(level, git=git, tree=tree, n_tree=len(where), tracked_only=False)


def _last_verdict(files: tuple[_IgnoreFile, ...], path: bytes, *, folder: bool) -> bool | None:
    for file in reversed(files):
        if (verdict := file.verdict(path, folder=folder)) is not None:
            return verdict
    return None


def _where(folder: Path) -> bytes:
    return os.fsencode(folder.as_posix().rstrip("/")) + b"/"
