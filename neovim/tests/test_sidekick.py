"""sidekick.nvim with midfill in Copilot's place: the real plugin, server and Neovim, as docs/editors.md has them.

Rules: without a checkout of the plugin (`install.sh` fetches one), or in a Neovim that it does not run in, skipped: it
drops each answer whose `ctx` has no `request_id`, which Neovim 0.12 is the first to give.
"""

import json
import os
from pathlib import Path

import pytest

from neovim.tests.conftest import Open
from neovim.tests.terminal import Terminal

SIDEKICK = Path(os.environ.get("MIDFILL_TEST_SIDEKICK", "/nowhere"))
pytestmark = pytest.mark.skipif(not SIDEKICK.is_dir(), reason="no sidekick.nvim: see neovim/tests/install.sh")

# As docs/editors.md tells users to do it; a test holds them together.
INIT = (
    f"vim.opt.runtimepath:append({json.dumps(str(SIDEKICK))})\n"
    """
vim.o.swapfile, vim.o.termguicolors, vim.o.cmdheight = false, true, 4 -- room for what the server says of its model
vim.lsp.config('midfill-copilot', {{
  cmd = {command},
  root_markers = {{ '.git' }},
  init_options = {settings},
}})
vim.lsp.enable('midfill-copilot')
require('sidekick').setup({{ cli = {{ watch = false }} }})
vim.keymap.set('n', '<Tab>', require('sidekick').nes_jump_or_apply)
"""
)
OPTIONS = "{ nextEdit = { enabled = true }, model = '/nonexistent/model.gguf' }"
ATTACHED = "#vim.lsp.get_clients({ name = 'midfill-copilot', bufnr = 0 })"
OFFERED = "(function() local e = require('sidekick.nes').get()[1] return e and e.range.start.line or -1 end)()"
TEXT = "def load_rows():\n    return 1\n\n\nprint(load_rows())\n\nx = load_rows()\n"


def offered(terminal: Terminal) -> int:
    return int(terminal.lua(OFFERED))


def test_sidekick_shows_what_follows_jumps_to_it_and_applies_it(nvim: str, open_file: Open) -> None:
    if "0.12" not in nvim:
        pytest.skip("sidekick.nvim needs Neovim 0.12")
    terminal = open_file(text=TEXT, name="a.py", options=OPTIONS, init=INIT)
    terminal.wait(lambda: terminal.lua(ATTACHED).strip() == "1", "the server is there")
    terminal.keys("g", "g", "w", "c", "w")
    terminal.text("read_rows")
    terminal.keys("Escape")
    for line in (4, 6):
        terminal.wait(lambda: offered(terminal) == line, f"line {line} is offered")  # noqa: B023
        terminal.capture(f"line-{line}")
        terminal.keys("Tab")
        terminal.wait(lambda: terminal.lua("vim.fn.line('.') - 1").strip() == str(line), "it is gone to")  # noqa: B023
        terminal.keys("Tab")
        terminal.wait(lambda: "read_rows" in terminal.lines()[line], "it is applied")  # noqa: B023
    assert terminal.lines() == TEXT.replace("load", "read").splitlines()
    terminal.wait(lambda: offered(terminal) == -1, "nothing is left")
    assert "rror" not in terminal.lua("vim.fn.execute('messages')")


def test_the_configuration_is_the_documented_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "editors.md").read_text(encoding="utf-8")
    for line in INIT.replace("{{", "{").replace("}}", "}").splitlines():
        if line.startswith(("vim.lsp.", "vim.keymap", "  root_markers")):
            assert line in page
