"""What every suite leaves behind: a JSONL file with all its examples, and one JSON line with the result.

Rules: examples are written as they come, so that an interrupted run keeps them, and can be resumed. The last line of a
file is {"summary": ...}, the same object that is printed last on standard output; `resumed` in it says how many
examples came from a run before, so perhaps from another commit. No host or user name is recorded.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lsp_server.ablation import without
from model.library.system import n_cores

_RESULTS = Path(__file__).parent / "results"


class EvalError(Exception):
    """The evaluation cannot go on; the message is one line for the user."""


@dataclass(slots=True)
class Results:
    """An open results file."""

    path: Path
    _file: TextIO
    _resumed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def resumed(self, suite: str, example_id: str) -> dict[str, Any] | None:
        """What the run that this one resumes found for an example; None when it did not get there."""
        found = self._resumed.get(example_id)
        return found if found is not None and found.get("suite") == suite else None

    def add(self, example: dict[str, Any]) -> None:
        """Write one example; `id` and `score` are what `midfill eval compare` reads."""
        self._file.write(json.dumps(example) + "\n")
        self._file.flush()

    def finish(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Add machine and commit to the summary, keep it in the file, and print it as the last line."""
        resumed = {"resumed": len(self._resumed)} if self._resumed else {}
        off = {"without": sorted(off)} if (off := without()) else {}
        summary = {**_rounded(summary), **resumed, **off, "machine": machine(), "commit": commit()}
        self._file.write(json.dumps({"summary": summary}) + "\n")
        print(f"examples: {self.path}")
        print(json.dumps(summary))
        return summary


@contextmanager
def open_results(suite: str, out: Path | None, *, resume: bool = False) -> Iterator[Results]:
    """Open `out`, or a new file under evals/results/; with `resume` the run that `out` holds goes on.

    EvalError when the file cannot be written, or holds nothing that can be resumed.
    """
    if resume and out is None:
        raise EvalError("--resume needs --out: the results file of the run that was interrupted")
    path = out or _RESULTS / f"{suite}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"
    earlier = _interrupted(path) if resume else {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a" if resume else "w", encoding="utf-8")
    except OSError as error:
        raise EvalError(f"cannot write {path} ({error.strerror}): use --out") from error
    with file:
        yield Results(path, file, earlier)


def _interrupted(path: Path) -> dict[str, dict[str, Any]]:
    """The examples of a run that was cut off, by id; a line that it was in the middle of leaves the file.

    EvalError when the run was finished, or its examples have no ids.
    """
    try:
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    except OSError as error:
        raise EvalError(f"cannot resume {path} ({error.strerror})") from error
    records, summary = read_all_results(path)
    if summary is not None:
        raise EvalError(f"{path} holds a finished run: there is nothing to resume")
    if not all("id" in record and "suite" in record for record in records):
        raise EvalError(f"{path} holds no examples of a suite that can be resumed")
    return {record["id"]: record for record in records}


def read_results(path: Path) -> list[dict[str, Any]]:
    """The examples of a results file, without its summary; EvalError when it is not one."""
    return read_all_results(path)[0]


def read_all_results(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """(examples, summary) of a results file; no summary when its run was cut off. EvalError when it is none."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        summaries = [row["summary"] for row in rows if "summary" in row]
    except (OSError, ValueError, TypeError) as error:
        raise EvalError(f"{path} is not a results file: {error}") from error
    return [row for row in rows if "summary" not in row], summaries[-1] if summaries else None


def _rounded(value: Any) -> Any:
    """Floats to four digits behind the point: no interval here is narrower."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def machine() -> dict[str, Any]:
    """CPU model, usable cores and memory; never a host name."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"cpu": _cpu_model(), "cores": n_cores(), "memory_gb": round(memory_gb, 1)}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def commit() -> str:
    """Short git hash of the checkout this code runs from, "-dirty" with local changes; "" outside of one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        short = git("rev-parse", "--short", "HEAD")
        return short + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""
