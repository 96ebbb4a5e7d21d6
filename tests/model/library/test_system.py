"""What the operating system offers, as far as it can be seen on this one."""

import subprocess
import sys
from pathlib import Path

from model.library import system

REPOSITORY = Path(__file__).parents[3]


def test_a_lock_is_one_processs_and_goes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    code = "import sys; from model.library.system import try_lock; print(try_lock(open(sys.argv[1], 'ab')))"

    def other() -> str:
        command = [sys.executable, "-c", code, str(file)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()

    with file.open("ab") as handle:
        assert system.try_lock(handle)
        assert other() == "False"
    assert other() == "True"


def test_numbers_are_plausible() -> None:
    assert system.n_cores() >= 1
    assert 5 < system.rss_mb() < 100_000


def test_a_detached_process_has_a_session_of_its_own_and_writes_to_its_file(tmp_path: Path) -> None:
    code = "import os; print(os.getsid(0) == os.getpid(), os.getcwd())"
    with (tmp_path / "log").open("wb") as log:
        assert system.start_detached([sys.executable, "-c", code], log).wait(60) == 0
    assert (tmp_path / "log").read_text() == "True /\n"


def test_being_nice_is_seen_by_the_system() -> None:
    code = "import os; from model.library.system import be_nice; before = os.nice(0); be_nice(3); "
    code += "print(os.nice(0) == min(before + 3, 19))"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert said == "True\n"
