"""A real Neovim in a real terminal (tmux), driven by keys; what it shows is kept as text. Used by the tests beside it.

Rules: nothing sleeps for a fixed time; `wait` looks again until something is true, or fails with the screen. Each
terminal has a tmux server of its own and ends it.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.text import Text

PLUGIN = Path(__file__).parents[1]
TIMEOUT_S = 60.0
# What is sure of a ghost is shown first; so long after its last change it is whole.
_GROWS_S = 1.0
COLUMNS, ROWS = 90, 20

INIT = """
vim.opt.runtimepath:append({plugin})
vim.o.swapfile, vim.o.termguicolors, vim.o.laststatus = false, true, 2
vim.o.statusline = "%f %{{%v:lua.require'midfill'.statusline()%}}"
require('midfill').setup({{ cmd = {command}, settings = {settings} }})
"""

# The drawn text of the suggestion, its lines joined; "" when nothing is shown.
GHOST = (
    "(function() local _, rest = require('midfill.session').current() "
    "local space = vim.api.nvim_get_namespaces().midfill "
    "local marks = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) "
    "return #marks > 0 and rest and rest.text or '' end)()"
)


class Terminal:
    """One Neovim with one file, and what `arguments` open. A context manager; leaving ends all that was started."""

    def __init__(
        self,
        nvim: str,
        file: Path,
        command: list[str],
        environment: dict[str, str],
        screens: Path,
        arguments: Sequence[str] = (),
        options: str = "{}",
        init: str = INIT,
    ) -> None:
        """`init` is the configuration, in which {plugin}, {command} and {settings} are replaced."""
        self._screens = screens
        self._name = f"midfill-{uuid.uuid4().hex[:8]}"
        self._socket = file.parent / f".{self._name}.sock"
        configuration = file.parent / ".init.lua"
        words = "{ " + ", ".join(json.dumps(word) for word in command) + " }"
        configuration.write_text(init.format(plugin=json.dumps(str(PLUGIN)), command=words, settings=options))
        self._nvim = nvim
        settings = {"TERM": "tmux-256color", "XDG_STATE_HOME": str(file.parent / ".state"), **environment}
        line = ["env", *(f"{key}={value}" for key, value in settings.items())]
        line += [nvim, "--clean", "--listen", str(self._socket), "-u", str(configuration), str(file), *arguments]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), *line, cwd=file.parent)

    def __enter__(self) -> "Terminal":
        self.wait(self._socket.exists, "Neovim listens")
        # It answers before it has read its configuration.
        self.wait(lambda: self.lua("vim.v.vim_did_enter").strip() == "1", "Neovim has started")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.capture("failed")
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *arguments: str, cwd: Path | None = None) -> str:
        command = ["tmux", "-L", self._name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout

    def keys(self, *keys: str) -> None:
        """Press keys by their tmux names; other words are typed letter by letter."""
        self._tmux("send-keys", *keys)

    def text(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """What is on the screen, without colors."""
        return self._tmux("capture-pane", "-p")

    def capture(self, name: str) -> None:
        """Keep the screen, as text with its colors and as a picture."""
        self._screens.mkdir(parents=True, exist_ok=True)
        colored = self._tmux("capture-pane", "-p", "-e")
        (self._screens / f"{name}.ansi").write_text(colored)
        with open(os.devnull, "w") as nowhere:
            console = Console(record=True, width=COLUMNS, file=nowhere, color_system="truecolor", force_terminal=True)
            console.print(Text.from_ansi(colored))
            console.save_svg(str(self._screens / f"{name}.svg"), title="Neovim with midfill")

    def lua(self, expression: str) -> str:
        """The value of a Lua expression in the Neovim, as a string."""
        quoted = expression.replace("'", "''")
        command = [self._nvim, "--server", str(self._socket), "--remote-expr", f"luaeval('{quoted}')"]
        end = time.monotonic() + TIMEOUT_S
        while True:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
            # It does not listen yet, or is too busy to; or what it told the user meanwhile is taken for an error.
            if not any(why in done.stderr for why in ("E247", "Vim:midfill: ")) or time.monotonic() > end:
                break
        assert done.returncode == 0, f"{expression}: {done.stderr}"
        return done.stdout or done.stderr  # 0.10 and 0.11 differ in where they write it

    def wait(self, is_true: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
        """Look until something is true."""
        end = time.monotonic() + timeout_s
        while not is_true():
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout_s:.0f} s: {what}\n{self.screen()}")
            time.sleep(0.02)

    def wait_ghost(self, what: str = "ghost text is shown") -> str:
        """Wait for ghost text on the screen; the whole of it: what is sure of it at first grows for a moment."""
        self.wait(lambda: self.ghost() != "", what)
        shown, since = self.ghost(), time.monotonic()
        while time.monotonic() - since < _GROWS_S:
            time.sleep(0.1)
            if (now := self.ghost()) != shown:
                shown, since = now, time.monotonic()
        return shown

    def ghost(self) -> str:
        """The suggestion that is drawn, or ""."""
        return self.lua(GHOST).rstrip("\r\n")

    def lines(self) -> list[str]:
        """The buffer's text."""
        value: list[str] = json.loads(self.lua("vim.json.encode(vim.api.nvim_buf_get_lines(0, 0, -1, false))"))
        return value
