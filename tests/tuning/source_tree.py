"""A source tree to tune on, and its git."""

import subprocess
from pathlib import Path


def tree(folder: Path, n_files: int = 48) -> Path:
    """A source tree of small Python files, all different."""
    for number in range(n_files):
        file = folder / f"package_{number % 4}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'"""Areas of kind {number}."""\n\nimport os\n\n' + "\n".join(functions(number, range(40))))
    return folder


def functions(number: int, which: range) -> list[str]:
    """Functions of a module, each of two lines and two blank ones."""
    return [f"def area_{number}_{k}(width, height):\n    return width * height + {k * number}\n\n" for k in which]


def git(folder: Path, *words: str) -> None:
    """Run git, by nobody's settings but the folder's."""
    who = ["-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Commit all that there is."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "more")
