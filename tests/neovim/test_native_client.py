"""Neovim's own client with midfill: `vim.lsp.enable`, and what is ready for nvim-lspconfig, with the real model.

Neovim is the first 0.12 of MIDFILL_TEST_NVIMS, or the one on the path. With MIDFILL_LSPCONFIG (a checkout of
nvim-lspconfig, or a git directory) the file is put into that, where it is to go.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.circle import CIRCLE

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "neovim/lsp/midfill.lua"
pytestmark = pytest.mark.apart
_WITHIN_S = 60.0


@pytest.fixture
def nvim() -> str:
    named = [path for path in os.environ.get("MIDFILL_TEST_NVIMS", "").split(":") if path]
    for found in [*named, shutil.which("nvim") or ""]:
        if found and "NVIM v0.12" in subprocess.run([found, "--version"], capture_output=True, text=True).stdout:
            return found
    pytest.skip("there is no Neovim 0.12: MIDFILL_TEST_NVIMS may name one")


@pytest.fixture
def configurations(tmp_path: Path) -> Path:
    """A folder for the runtimepath that has the file among others, or alone."""
    folder = tmp_path / "nvim-lspconfig"
    if source := os.environ.get("MIDFILL_LSPCONFIG"):
        subprocess.run(["git", "clone", "-q", source, str(folder)], check=True)
    (folder / "lsp").mkdir(parents=True, exist_ok=True)
    shutil.copy(SPEC, folder / "lsp")
    return folder


def documented_command() -> str:
    """What the file itself tells a user to write."""
    _, _, rest = SPEC.read_text(encoding="utf-8").partition("--- ```lua\n")
    lines = rest.partition("--- ```\n")[0].splitlines()
    return "\n".join(line.removeprefix("---").removeprefix(" ") for line in lines)


def test_a_suggestion_is_shown_and_accepted(nvim: str, configurations: Path, real_cache: Path, tmp_path: Path) -> None:
    file, socket, init = tmp_path / "workspace/shapes.py", tmp_path / "nvim.sock", tmp_path / "init.lua"
    (file.parent / ".git").mkdir(parents=True)
    file.write_text(CIRCLE)
    init.write_text(
        f"vim.o.swapfile = false\nvim.opt.runtimepath:prepend('{configurations}')\n{documented_command()}\n"
        "vim.lsp.enable('midfill')\n"
    )
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MIDFILL_CACHE": str(real_cache),
    }
    command = [nvim, "--headless", "--clean", "--listen", str(socket), "-u", str(init), str(file)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def ask(*arguments: str) -> str:
            asked = [nvim, "--server", str(socket), *arguments]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=_WITHIN_S)
            assert not done.returncode, done.stderr
            return (done.stdout or done.stderr).strip()

        def wait(is_true: Callable[[], bool], what: str) -> None:
            end = time.monotonic() + _WITHIN_S
            while not is_true():
                assert time.monotonic() < end, (what, ask("--remote-expr", "execute('messages')"))
                time.sleep(0.1)

        def ghost() -> str:
            marks = "nvim_buf_get_extmarks(0, -1, 0, -1, {'details': v:true, 'type': 'virt_text'})"
            drawn = f"map({marks}, {{_, mark -> join(map(copy(mark[3].virt_text), {{_, part -> part[0]}}), '')}})"
            return ask("--remote-expr", f"join({drawn}, '')")

        try:
            wait(socket.exists, "Neovim listens")
            wait(
                lambda: (
                    ask("--remote-expr", "luaeval(\"#vim.lsp.get_clients({ name = 'midfill', bufnr = 0 })\")") == "1"
                ),
                "the server is there",
            )
            ask("--remote-send", "GA ")
            end = time.monotonic() + _WITHIN_S
            while not (shown := ghost()):  # the model may not have been loaded at the first key
                assert time.monotonic() < end, ask("--remote-expr", "execute('messages')")
                ask("--remote-send", "<Esc>a")
                time.sleep(2.0)
            assert ask("--remote-expr", "getline('$')").strip() == "return"
            ask("--remote-send", "<C-F>")
            wait(lambda: ask("--remote-expr", "getline('$')").strip() == f"return {shown.strip()}", "it is in the text")
        finally:
            process.kill()
