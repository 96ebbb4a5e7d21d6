import os
import time
from pathlib import Path

import pytest

from evals.scoring.sandbox import Verdict, run_python


def check(program: str, expect: str, **limits: float) -> None:
    """Run a program; `expect` is its error, "" when it must pass."""
    timeout_s, memory_mb = limits.get("timeout_s", 10.0), int(limits.get("memory_mb", 512))
    assert run_python(program, timeout_s, memory_mb) == Verdict(not expect, expect)


def test_a_program_that_comes_to_its_end_passes() -> None:
    check("assert sum(range(10)) == 45", "")


def test_a_failed_assertion_is_named() -> None:
    check("assert 1 == 2", "AssertionError")


def test_a_program_that_does_not_compile_is_named() -> None:
    check("def f(:\n  pass", "SyntaxError")


def test_text_that_is_not_utf_8_does_not_break_the_sandbox() -> None:
    check("x = '\ud800'", "")


def test_an_endless_loop_is_stopped() -> None:
    check("while True: pass", "timeout", timeout_s=1.0)


def test_an_endless_sleep_is_stopped() -> None:
    check("import time\ntime.sleep(1000)", "timeout", timeout_s=1.0)


def test_a_memory_bomb_meets_its_limit() -> None:
    check("x = bytearray(2 << 30)", "MemoryError")


@pytest.mark.parametrize("leave", ["import sys\nsys.exit(0)", "raise SystemExit(0)", "quit()"])
def test_leaving_early_is_not_passing(leave: str) -> None:
    assert not run_python(f"{leave}\nassert False").passed


def test_leaving_early_without_an_exception_is_not_passing() -> None:
    check("import os\nos._exit(0)", "left early")


def test_dying_by_a_signal_is_named() -> None:
    check("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal 11")


def test_an_endless_recursion_is_an_exception() -> None:
    check("def f(): return f()\nf()", "RecursionError")


def test_a_big_file_cannot_be_written() -> None:
    program = "with open('big', 'wb') as f:\n    for _ in range(100): f.write(bytes(1 << 20))"
    assert not run_python(program).passed


def test_files_land_in_a_folder_that_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check("open('left-behind', 'w').write('x')", "")
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_standard_input() -> None:
    check("import sys\nassert sys.stdin.read() == ''", "")


def test_the_programs_main_guard_runs_and_it_sees_no_arguments() -> None:
    check("import sys\nassert __name__ == '__main__' and len(sys.argv) == 1\nraise KeyError", "KeyError")


def test_children_do_not_outlive_the_program(tmp_path: Path) -> None:
    """Where the process limit applies there are none; elsewhere they are killed with their group."""
    marker = f"midfill-orphan-{os.getpid()}"
    program = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}'])"
    )
    run_python(program)
    deadline = time.monotonic() + 5  # a killed process disappears when its new parent has reaped it
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(marker)


def _running(marker: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                return True
        except OSError:
            continue
    return False


def test_a_fork_bomb_is_stopped_and_leaves_nothing_behind() -> None:
    """It forks at most 30 deep here: on a machine that cannot limit it, the test must not harm."""
    program = "import os, time\nfor _ in range(30):\n    if os.fork() == 0: time.sleep(60); os._exit(0)\ntime.sleep(60)"
    assert not run_python(program, 2.0).passed
