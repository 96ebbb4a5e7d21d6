"""Which lines of a source tree are new since a commit, for `midfill tune --watch`. Asks git, which the user has."""

import re
import subprocess
from pathlib import Path

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")  # "-12" is one line
_FILE = "+++ b/"


class NotAHistory(Exception):
    """The tree has no git history that can be read; the message says why."""


def head_of(root: Path) -> str:
    """The commit that a tree stands on; NotAHistory where there is none."""
    return _git(root, "rev-parse", "--verify", "HEAD").strip()


def new_lines(root: Path, commit: str) -> dict[str, list[int]]:
    """By file below the root, the numbers (from 0) of lines that a commit had not; NotAHistory where it is gone.

    Lines are those of the files as they lie there, so what is not committed yet counts as well. A file that was only
    renamed has none.
    """
    # As git's own settings may be anything: names as they are, no colours, no programs of the user's.
    plain = ["diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "--relative"]
    found: dict[str, list[int]] = {}
    lines: list[int] = []
    removed = added = 0  # of a hunk, what is still to come: a line of code can look like a header
    for line in _git(root, *plain, "--src-prefix=a/", "--dst-prefix=b/", commit, "--", ".").split("\n"):
        if removed and line.startswith("-"):
            removed -= 1
        elif added and line.startswith("+"):
            added -= 1
        elif line.startswith(_FILE):
            # git ends a name that has spaces with a tab; one in quotes has signs that no source file has, and is lost.
            lines = found.setdefault(line.removeprefix(_FILE).rstrip("\t"), [])
        elif hunk := _HUNK.match(line):
            removed, first, added = int(hunk[1] or 1), int(hunk[2]) - 1, int(hunk[3] or 1)
            lines += range(first, first + added)
    return {path: numbers for path, numbers in found.items() if numbers}


def _git(root: Path, *words: str) -> str:
    command = ["git", "-c", "core.quotePath=false", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError as error:
        raise NotAHistory(f"git cannot be run: {error.strerror or error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[0]
        raise NotAHistory(f"git knows no history of {root} ({said})")
    return done.stdout.decode(errors="replace")
