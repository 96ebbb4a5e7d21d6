"""`make test` with a stand-in for the environment's Python: what is run, and how it ends."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ["not e2e and not model", "e2e and not model", "model"]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.mark.parametrize("failing", [(), (0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_all_parts_run_whatever_the_first_says(failing: tuple[int, ...], tmp_path: Path) -> None:
    python, log = tmp_path / "bin/python", tmp_path / "log"
    python.parent.mkdir()
    cases = "".join(f'*"-m {PARTS[part]}"*) exit 3;; ' for part in failing)
    python.write_text(f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in {cases}*) exit 0;; esac\n')
    python.chmod(0o755)
    # Newer than all that it depends on, so nothing is installed.
    command = ["make", "-C", str(ROOT), "test", f"VENV={tmp_path}", f"READY={tmp_path}/ready"]
    (tmp_path / "ready").touch()
    done = subprocess.run(command, capture_output=True, text=True)
    ran = log.read_text().splitlines()
    assert [next(part for part in PARTS if f"-m {part}" in line) for line in ran] == PARTS
    assert (done.returncode != 0) == bool(failing), done.stderr


def test_what_python_compiles_is_no_reason_to_set_up_again(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.touch()
    cache = ROOT / "model/native/__pycache__"
    cache.mkdir(exist_ok=True)
    later = ready.stat().st_mtime + 60
    os.utime(cache, (later, later))
    command = ["make", "-q", "-C", str(ROOT), f"READY={ready}", str(ready)]
    assert subprocess.run(command, capture_output=True).returncode == 0
    os.utime(ready, (0, 0))
    assert subprocess.run(command, capture_output=True).returncode == 1
