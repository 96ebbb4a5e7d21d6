"""What stands beside somebody's code is never imported by a command, wherever PYTHONPATH points and it is started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent
# Of the standard library, of packages that are used, and of our own folders.
STRANGERS = (
    "argparse",
    "logging",
    "subprocess",
    "attrs",
    "attr",
    "rich",
    "msgpack",
    "torch",
    "model",
    "parsers",
    "evals",
)
MIDFILL, SERVER = [str(SCRIPTS / "midfill")], [str(SCRIPTS / "lsp_server")]
MODULE = [sys.executable, "-m", "lsp_server.cli"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of modules that say that they were imported, and end the process; with a file to look at."""
    for name in STRANGERS:
        text = f"import os\nos.write(2, b'the project own {name} was imported')\nos._exit(77)\n"
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "shop.txt").write_text("price = 1\n")
    return tmp_path


def environment(project: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{project}{os.pathsep}.", **more}


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ([*MIDFILL, "--version"], 0, "midfill "),
        ([*MIDFILL, "outline", "shop.txt"], 0, "shop.txt"),
        ([*MIDFILL, "complete", "nowhere.py:1"], 2, "nowhere.py"),
        ([*MIDFILL, "eval"], 2, "suite"),
        ([*MIDFILL, "bench", "--help"], 0, "--repetitions"),
        ([*MODULE, "outline", "shop.txt"], 0, "shop.txt"),
        ([*SERVER], 2, "--stdio"),
        ([*SERVER, "--version"], 0, "midfill "),
        ([sys.executable, "-m", "lsp_server", "--version"], 0, "midfill "),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_a_projects_own_modules_are_not_imported(project: Path, command: list[str], code: int, says: str) -> None:
    done = subprocess.run(command, cwd=project, env=environment(project), capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr


def test_the_harness_workers_import_nothing_of_a_project(project: Path) -> None:
    code = "from evals.peers.client import Worker, WorkerError\nwith Worker('lsp_server', '--version') as it:\n"
    code += "    print(it._process.stdout.readline())"
    # The parent is isolated as `midfill eval` is, and hands its environment on.
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=project, env=environment(project), capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("midfill "), done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes and signals are Unix's")
def test_ctrl_c_ends_a_command_with_130_and_it_is_the_process_that_was_started(project: Path) -> None:
    os.mkfifo(project / "slow.py")
    # Of what a shell runs in the background the signal is ignored, and so it would be in what this starts.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*MIDFILL, "outline", "slow.py"], cwd=project, env=environment(project), stderr=-1)
    signal.signal(signal.SIGINT, ours)
    while process.poll() is None:
        try:  # can be opened as soon as the command has opened the other end
            writer = os.open(project / "slow.py", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)
            continue
        process.send_signal(signal.SIGINT)
        os.close(writer)  # a signal that comes right before the read is seen behind it
        process.wait(60)
    _, said = process.communicate()
    assert (process.returncode, said) == (130, b"")


@pytest.mark.parametrize("said", [False, True])
def test_what_the_environment_says_of_our_output_holds(project: Path, said: bool) -> None:
    code = "import sys; from lsp_server.isolation import isolate; isolate('timeit')"
    show = "print(sys.flags.isolated, sys.flags.utf8_mode, sys.stdout.write_through)"
    command = [sys.executable, "-c", code, "-n1", "-r1", "-s", "import sys", show]
    value = "1" if said else ""
    told = environment(project, LC_ALL="C.UTF-8", PYTHONUTF8=value or "0", PYTHONUNBUFFERED=value)
    done = subprocess.run(command, cwd=project, env=told, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == ("1 1 True" if said else "1 0 False"), done.stderr
