"""Patterns of ignore files: by hand, and beside git over generated ones."""

import os
import random
import shutil
from pathlib import Path

import pytest

from lsp_server.index.gitignore import Patterns
from tests.lsp_server.index.git_trees import any_pattern, git, grow, repository

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")


def check(patterns: str, path: str, expected: bool | None, *, ignore_case: bool = False) -> None:
    found = Patterns(patterns.encode(), ignore_case=ignore_case)
    assert found.verdict(path.rstrip("/").encode(), folder=path.endswith("/")) is expected


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        ("*.py", "a/b.py", True),
        ("*.py\n!b.py", "a/b.py", False),
        ("!b.py\n*.py", "b.py", True),
        ("", "b.py", None),
        ("a/", "a", None),
        ("a/", "x/a/", True),
        ("/a", "x/a", None),
        ("x/*.py", "x/y/a.py", None),
        ("x/**/a.py", "x/a.py", True),
        ("x/**/a.py", "x/y/z/a.py", True),
        ("x/**", "x/", None),
        ("x/**", "x/y", True),
        ("**/y/*.py", "x/y/a.py", True),
        ("# no", "# no", None),
        (r"\# yes", "# yes", True),
        ("a  ", "a", True),
        (r"a\ ", "a ", True),
        ("[[:digit:]]?", "1x", True),
        ("[z-a]\nb", "b", True),
        ("[a\nb", "b", True),
        ("a\\\nb", "a", None),
        ("é?", "éé", None),  # byte by byte: two are no one
        ("\ufeffa", "a", True),
        ("a\r\n", "a", True),
        ("*a*b*/**/*c*", "xaxbx/y/z/xcx", True),
    ],
)
def test_patterns(patterns: str, path: str, expected: bool | None) -> None:
    check(patterns, path, expected)


@pytest.mark.parametrize("pattern", ["Made/", "M*/", "[A-N]ade", "[[:upper:]]ade"])
def test_case_where_the_file_system_has_none(pattern: str) -> None:
    check(pattern, "mADE/", True, ignore_case=True)
    check(pattern, "mADE/", None)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (b"*a" * 30 + b"b", b"a" * 250),
        (b"**/a/" * 20 + b"b", b"a/" * 2000 + b"c"),
        (b"**/*a*a*a*a/" * 8 + b"b", (b"a" * 100 + b"/") * 40 + b"c"),
    ],
)
def test_no_pattern_takes_for_ever(pattern: bytes, path: bytes) -> None:
    """With plain backtracking this test would not end."""
    assert Patterns(pattern).verdict(path, folder=False) is None


@needs_git
@pytest.mark.skipif(os.name == "nt", reason="names that are none there")
@pytest.mark.parametrize("seed", range(8))
def test_git_says_the_same_of_generated_patterns(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    root = repository(tmp_path / "r", {})
    grow(os.fsencode(root), rng)
    paths = sorted(
        os.path.relpath(os.path.join(folder, name), os.fsencode(root))
        for folder, folders, names in os.walk(os.fsencode(root))
        if b".git" not in folder.split(b"/")
        for name in (*folders, *names)
        if name != b".git"
    )
    for _ in range(10):
        content = b"\n".join(any_pattern(rng) for _ in range(rng.randint(1, 6)))
        (root / ".gitignore").write_bytes(content)
        said = git(root, "check-ignore", "--no-index", "-z", "--stdin", stdin=b"\0".join(paths))
        patterns = Patterns(content)
        ours = [path for path in paths if _is_ignored(patterns, root, path)]
        assert ours == sorted(filter(None, said.split(b"\0"))), content


def _is_ignored(patterns: Patterns, root: Path, path: bytes) -> bool:
    """Whether a path is excluded, or lies in a folder that is."""
    parts = path.split(b"/")
    return any(patterns.verdict(b"/".join(parts[:n]), folder=True) for n in range(1, len(parts))) or bool(
        patterns.verdict(path, folder=os.path.isdir(os.path.join(os.fsencode(root), path)))
    )
