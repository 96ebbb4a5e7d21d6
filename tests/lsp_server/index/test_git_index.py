"""Git's index file, of every version, beside `git ls-files`."""

import shutil
from pathlib import Path

import pytest

from lsp_server.index.git_index import Tracked, names_in
from lsp_server.index.git_tree import WorkTree
from tests.lsp_server.index.git_trees import git, repository, write

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")
NAMES = ("a.py", "b/c.py", "b/c/d.py", "b-c.py", "b.py", "é/ü.py", "l" * 200 + ".py", "z/" * 60 + "z")
FILES = dict.fromkeys(NAMES, "x")


def check(root: Path) -> None:
    """What is read of a repository's index is what git says of it."""
    tree = WorkTree.at(root)
    assert tree is not None
    tracked = tree.tracked()
    names = [name for name in git(root, "ls-files", "-z").split(b"\0") if name]
    assert len(tracked) == len(names) > 0
    assert all(name in tracked for name in names)
    assert all(tracked.below(name.rpartition(b"/")[0]) for name in names)
    assert b"nothing" not in tracked
    assert not tracked.below(b"nothing")


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_is_read(tmp_path: Path, version: str) -> None:
    root = repository(tmp_path, FILES, tracked=("a.py", "b", "é"))
    git(root, "add", "-N", ".")  # entries with more flags, which version 3 is for
    git(root, "update-index", "--index-version", version)
    check(root)


def test_a_split_index_is_read(tmp_path: Path) -> None:
    root = repository(tmp_path, FILES, tracked=("a.py", "b"))
    git(root, "update-index", "--split-index")
    (root / "a.py").write_text("y")
    git(root, "add", "-f", ".")
    assert list((root / ".git").glob("sharedindex.*"))
    check(root)


def test_longer_hashes_are_read(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    git(tmp_path, "init", "-q", "--object-format=sha256")
    git(tmp_path, "add", ".")
    check(tmp_path)


def test_a_change_of_the_index_is_seen(tmp_path: Path) -> None:
    root = repository(tmp_path, FILES, tracked=("a.py",))
    check(root)
    git(root, "add", ".")
    check(root)


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_damaged_index_is_no_error(tmp_path: Path, version: str) -> None:
    root = repository(tmp_path, FILES, tracked=(".",))
    git(root, "update-index", "--index-version", version)
    data = (root / ".git" / "index").read_bytes()
    whole, _ = names_in(data, 20)
    for n_bytes in range(0, len(data), 7):
        names, _ = names_in(data[:n_bytes], 20)
        assert names == whole[: len(names)]
        names_in(bytes(255 - byte if n == n_bytes else byte for n, byte in enumerate(data)), 20)


def test_a_folder_is_no_other_whose_name_it_begins() -> None:
    tracked = Tracked([b"ab/c", b"a-b", b"a/b"])
    assert (tracked.below(b"a"), tracked.below(b"ab"), tracked.below(b"b"), tracked.below(b"")) == (
        True,
        True,
        False,
        True,
    )
    assert not Tracked().below(b"")
    assert not Tracked([b"ab"]).below(b"a")
