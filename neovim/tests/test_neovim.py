"""The plugin in real Neovims in a terminal, with the real server and the real default model.

NEOVIMS names the programs, separated by colons. Screens are kept under `out/`.
"""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import daemons_of, real_cache, real_model  # noqa: F401

_PLUGIN = Path(__file__).parent.parent
_OUT = Path(__file__).parent / "out"
_SERVER = Path(os.environ.get("LSP_SERVER", _PLUGIN.parent / ".venv" / "bin" / "lsp_server"))
_FIB = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number."""\n    if n < 2:\n        return n\n    '
_NEOVIMS = [Path(name) for name in os.environ.get("NEOVIMS", "").split(":") if name]


class Terminal:
    """A Neovim in a tmux of its own."""

    def __init__(self, nvim: Path, file: Path, cache: Path) -> None:
        self._name = f"midfill-{uuid.uuid4().hex[:8]}"
        init = file.parent / "init.lua"
        init.write_text(
            f"vim.opt.runtimepath:prepend('{_PLUGIN}')\n"
            f"require('midfill').setup({{ cmd = {{ '{_SERVER}', '--stdio' }}, settings = {{ quietness = 0 }} }})\n"
            "vim.o.statusline = \"%f %=%{v:lua.require'midfill'.status()}\"\n"
            "vim.o.laststatus, vim.o.ttimeoutlen, vim.o.swapfile = 2, 10, false\n"
        )
        environment = {**os.environ, "MIDFILL_CACHE": str(cache), "TERM": "xterm-256color"}
        command = f"exec {nvim} --clean -u {init} {file}"
        self._tmux("new-session", "-d", "-s", "a", "-x", "100", "-y", "18", command, env=environment)

    def _tmux(self, *words: str, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-L", self._name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "a", *keys)
        time.sleep(0.15)

    def type(self, text: str) -> None:
        for character in text:
            self._tmux("send-keys", "-t", "a", "-l", character)
            time.sleep(0.05)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-t", "a", "-p")

    def shows(self, text: str, seconds: float = 40.0) -> bool:
        return self._waits(lambda: text in self.screen(), seconds)

    def hides(self, text: str, seconds: float = 5.0) -> bool:
        return self._waits(lambda: text not in self.screen(), seconds)

    def keep(self, name: str) -> None:
        _OUT.mkdir(exist_ok=True)
        (_OUT / f"{name}.ansi").write_text(self._tmux("capture-pane", "-t", "a", "-p", "-e"))

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    @staticmethod
    def _waits(condition: object, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():  # type: ignore[operator]
                return True
            time.sleep(0.1)
        return False


@pytest.fixture(params=_NEOVIMS, ids=lambda path: path.parent.parent.name)
def nvim(request: pytest.FixtureRequest) -> Path:
    program: Path = request.param
    return program


@pytest.fixture
def terminal(nvim: Path, tmp_path: Path, real_cache: Path) -> Iterator[Terminal]:  # noqa: F811
    file = tmp_path / "fib.py"
    file.write_text(_FIB)
    opened = Terminal(nvim, file, real_cache)
    assert opened.shows("midfill", 60)
    assert opened.hides("midfill: ", 90), opened.screen()  # the model is ready: no state is named, and no time yet
    opened.keys("G", "A")
    yield opened
    opened.close()


def _suggest(terminal: Terminal) -> None:
    terminal.type("ret")
    assert terminal.shows("return fibonacci(n"), terminal.screen()


def test_ghost_text_is_accepted_with_tab_as_one_undo_step(terminal: Terminal, tmp_path: Path) -> None:
    _suggest(terminal)
    terminal.keep("ghost-text")
    terminal.keys("Tab", "Escape", ":w", "Enter")
    assert terminal.shows("written")
    text = (tmp_path / "fib.py").read_text()
    assert text.splitlines()[4].replace(" ", "") == "returnfibonacci(n-1)+fibonacci(n-2)"
    terminal.keys("u", ":w", "Enter")
    time.sleep(0.5)
    assert (tmp_path / "fib.py").read_text() == _FIB + "ret\n"


def test_a_word_and_a_line_are_accepted_and_the_rest_stays(terminal: Terminal, tmp_path: Path) -> None:
    _suggest(terminal)
    terminal.keys("M-Right", "M-Right")
    assert terminal.shows("return fibonacci(n")
    terminal.keep("word-accepted")
    terminal.keys("C-]")
    assert terminal.shows("return fibonacci\n") or terminal.hides("fibonacci(n -", 3)
    terminal.keys("Escape", ":w", "Enter")
    assert terminal.shows("written")
    assert (tmp_path / "fib.py").read_text() == _FIB + "return fibonacci\n"


def test_tab_is_a_tab_where_nothing_is_shown(terminal: Terminal, tmp_path: Path) -> None:
    terminal.keys("Escape", ":lua require('midfill').enable(false)", "Enter", "o")
    terminal.keys("Tab")
    terminal.type("x")
    terminal.keys("Escape", ":w", "Enter")
    assert terminal.shows("written")
    assert (tmp_path / "fib.py").read_text().endswith("\n        x\n")  # Python's `expandtab`


def test_what_is_suggested_is_typed_through_and_something_else_ends_it(terminal: Terminal) -> None:
    _suggest(terminal)
    terminal.type("urn fib")
    assert terminal.shows("return fibonacci(n", 3)
    terminal.type("X")
    assert terminal.hides("return fibonacci(n", 5)


def test_asked_for_there_are_several(terminal: Terminal) -> None:
    terminal.keys("M-\\")
    time.sleep(4)
    seen = {terminal.screen().splitlines()[4].rstrip()}
    for _ in range(4):
        terminal.keys("M-]")
        time.sleep(0.3)
        seen.add(terminal.screen().splitlines()[4].rstrip())
    terminal.keep("another-suggestion")
    assert len(seen) >= 2, seen


def test_a_server_and_a_model_process_that_are_killed_are_back(terminal: Terminal, real_cache: Path) -> None:  # noqa: F811
    _suggest(terminal)
    terminal.keys("C-]")
    for pid in _servers_of(real_cache):
        os.kill(pid, signal.SIGKILL)
    for pid in daemons_of(real_cache):
        os.kill(pid, signal.SIGKILL)
    time.sleep(2)
    assert terminal.shows("midfill", 30)
    for _ in range(12):
        terminal.keys("C-w")
        time.sleep(2)
        terminal.type("ret")
        if terminal.shows("return fibonacci(n", 4):
            return
    pytest.fail(terminal.screen())


def test_a_model_that_is_not_there_yet_is_named(nvim: Path, tmp_path: Path) -> None:
    file, cache = tmp_path / "fib.py", tmp_path / "cache"
    file.write_text(_FIB)
    opened = Terminal(nvim, file, cache)
    try:
        assert opened.shows("midfill: fetching", 60), opened.screen()
        opened.keep("fetching")
    finally:
        opened.close()
        for pid in [*daemons_of(cache), *_servers_of(cache)]:
            os.kill(pid, signal.SIGKILL)


def test_the_commands_show_their_answers(terminal: Terminal) -> None:
    _suggest(terminal)
    terminal.keys("Tab", "Escape", ":Midfill why", "Enter")
    assert terminal.shows("midfill://why"), terminal.screen()
    terminal.keep("why")
    terminal.keys("q", ":Midfill nonsense", "Enter")
    assert terminal.shows(":Midfill takes"), terminal.screen()


def test_the_health_check_finds_all_in_order(terminal: Terminal) -> None:
    terminal.keys("Escape", ":checkhealth midfill", "Enter")
    assert terminal.shows("server: "), terminal.screen()
    terminal.keep("health")
    assert "ERROR" not in terminal.screen()


def _servers_of(cache: Path) -> list[int]:
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()
        except OSError:
            continue
        if (
            b"--stdio" in command
            and b"lsp_server" in command
            and f"MIDFILL_CACHE={cache}\0".encode() in environment + b"\0"
        ):
            found.append(int(proc.name))
    return found
