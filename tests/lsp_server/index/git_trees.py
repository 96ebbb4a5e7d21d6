"""Repositories for tests, made with git itself, and patterns of ignore files."""

import os
import random
import subprocess
from pathlib import Path

# Pieces of patterns: what git's matcher treats in a way of its own, and names that the trees hold.
PIECES = [
    b"*", b"**", b"**/", b"/**", b"/", b"?", b"a", b"b", b"ab", b".py", b"[a-z]", b"[!a]", b"[^b]", b"[[:alpha:]]",
    b"[[:digit:]]", b"[]a]", b"[a", b"[z-a]", b"\\", b"\\ ", b" ", b"#", b"!", b"\\#", b"\\!", b"c", b"\xc3\xa9",
    b"[\\]]", b"[a-]", b"[[:foo:]]", b"[[:a]", b"\\*", b"-", b"***", b"**\\/", b"caf", b"[--0]", b"[a/]", b"[!/]",
    b"\t", b"\r",
]  # fmt: skip
NAMES = [
    b"a", b"b", b"ab", b"a.py", b"b.py", b"A", b"a b", b"c ", b"#x", b"!y", b"caf\xc3\xa9", b"x]", b"[z", b"a-b",
    b"back\\s", b"st*r", b"a1", b"caf\xe9", b"x\ny",
]  # fmt: skip


def git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    """Run git, under the configuration of the home folder that the tests have."""
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    may_say_no = words[0] == "check-ignore"
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=not may_say_no).stdout


def repository(folder: Path, files: dict[str, str], tracked: tuple[str, ...] = ()) -> Path:
    """A repository with files, of which some are tracked whatever rules say."""
    write(folder, files)
    git(folder, "init", "-q")
    if tracked:
        git(folder, "add", "-f", *tracked)
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Make files with the folders that they lie in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def any_pattern(rng: random.Random) -> bytes:
    """A pattern that somebody may have written, or a slip of one."""
    pattern = b"".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5)))
    begin = (b"!" if rng.random() < 0.2 else b"") + (b"/" if rng.random() < 0.15 else b"")
    return begin + pattern + (b"/" if rng.random() < 0.15 else b"")


def grow(folder: bytes, rng: random.Random, ending: bytes = b"", depth: int = 0) -> None:
    """Fill a folder with folders and files, whose names get an ending."""
    for name in rng.sample(NAMES, 5):
        path = os.path.join(folder, name)
        if depth < 3 and rng.random() < 0.5:
            os.mkdir(path)
            grow(path, rng, ending, depth + 1)
        else:
            with open(path + ending, "wb"):
                pass
