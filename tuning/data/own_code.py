"""Examples from a source tree of the user's own, for `midfill tune`: files to learn from and files to judge by.

Files are those that the index would take (`lsp_server.index.files`: nothing ignored, no secrets), less what `clean`
knows. Whether a file is held out follows from its path, so that it stays so from one run to the next.

Rules: the examples of a file are all on one side. They are made by a child (`part`), since a text may crash a grammar.
"""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lsp_server.index.files import walk
from tuning.data.clean import Seen, why_not
from tuning.data.examples import PER_PLACE
from tuning.data.sources import is_wanted

_HELD_OUT = 8  # every so manieth file
_MIN_LINES = 3_000  # of code to learn from: about 300 examples that are not all of one place
_MIN_HELD_OUT_FILES = 3
_LINES_PER_EXAMPLE = 6


# By a file's path below the root: the numbers, from 0, of those of its lines that are new.
NewLines = dict[str, list[int]]


class TooLittleCode(Exception):
    """The tree has not enough code to learn from; the message says how much is needed."""


@dataclass(frozen=True, slots=True)
class Code:
    """Files by their path below the root, each with the lines it has."""

    root: Path
    learned: dict[str, int]
    held_out: dict[str, int]
    left_out: Counter[str]


def find_code(root: Path) -> Code:
    """The files of a tree, divided; TooLittleCode where they are too few."""
    learned: dict[str, int] = {}
    held_out: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    seen = Seen()
    for file in walk(root):
        if file.on_disk or not is_wanted(file.path, file.size):
            continue
        try:
            text = (root / file.path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if reason := why_not(file.path, text) or ("" if seen.is_new(text) else "near-duplicate"):
            left_out[reason] += 1
            continue
        (held_out if _is_held_out(file.path) else learned)[file.path] = text.count("\n") + 1
    n_lines = sum(learned.values())
    if n_lines < _MIN_LINES or len(held_out) < _MIN_HELD_OUT_FILES:
        why = "".join(f", {count} {reason}" for reason, count in left_out.most_common())
        raise TooLittleCode(
            f"{root} has too little code to learn from: {n_lines} lines in {len(learned)} files, and {len(held_out)} "
            f"files to judge by{f' (left out{why})' if why else ''}. It takes {_MIN_LINES} lines and "
            f"{_MIN_HELD_OUT_FILES} files to judge by, about {_HELD_OUT * _MIN_HELD_OUT_FILES} files in all"
        )
    return Code(root, learned, held_out, left_out)


def _is_held_out(path: str) -> bool:
    return _hashed(path) % _HELD_OUT == 0


def counts(files: dict[str, int], n_examples: int) -> list[tuple[str, int]]:
    """How many examples of each file: whole places, by its lines, and about so many in all. Some files have none."""
    n_lines = sum(files.values())
    n_places = min(n_examples, n_lines // _LINES_PER_EXAMPLE) / PER_PLACE
    wanted = {path: n_places * lines / n_lines for path, lines in files.items()}
    # A file that is too short for a place of its own has one with the chance that it lacks, by its path.
    places = {path: int(n) + (_hashed(f"place {path}") / 2**32 < n % 1) for path, n in wanted.items()}
    return [(path, n * PER_PLACE) for path, n in places.items() if n]


def _hashed(text: str) -> int:
    """A number of 32 bits that follows from a text, the same on any machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def make_examples(
    code: Code, files: dict[str, int], n_examples: int, model: str, out: Path, lines: NewLines | None = None
) -> str:
    """Have a child write the examples of some files, or of `lines` of them; "" or what went wrong."""
    command = [sys.executable, "-m", "tuning.data.part", "--tree", str(code.root), "--source", "own"]
    command += ["--out", str(out), "--model", model]
    paths = json.dumps([(path, n, lines[path] if lines else None) for path, n in counts(files, n_examples)])
    done = subprocess.run(command, input=paths, text=True, capture_output=True)
    return "" if done.returncode == 0 else done.stderr.strip()[-400:] or f"exit code {done.returncode}"
