"""llama.vim and minuet-ai.nvim, which nobody here wrote, in a real Neovim against a real `midfill serve`.

A plugin comes from MIDFILL_LLAMA_VIM or MIDFILL_MINUET (a checkout, or a git directory), or is cloned; Neovim is the
first of MIDFILL_TEST_NVIMS, or the one on the path. Without them there is nothing to test. The model is the real one.

Rules: the plugins' own settings, but for where they ask, and what minuet has no default for.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from model.library.catalog import DEFAULT_MODEL
from tests.circle import CIRCLE
from tests.lsp_server.serve.process import fetched, serve_process

pytestmark = pytest.mark.apart  # it clones their plugins
_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin: where it is from, how it is told of the server, where it draws, and the key that accepts."""

    variable: str
    source: str
    commit: str
    configuration: str
    namespace: str
    key: str


LLAMA_VIM = Plugin(
    "MIDFILL_LLAMA_VIM",
    "https://github.com/ggml-org/llama.vim",
    "a1c8e6e40cb45df59b78add5b65d575386832465",
    "let g:llama_config = {'endpoint_fim': 'URL/infill'}",
    "vt_fim",
    "<Tab>",
)
MINUET = Plugin(
    "MIDFILL_MINUET",
    "https://github.com/milanglacier/minuet-ai.nvim",
    "479487c34041f53aad3184597428e42d9f3333b5",
    "lua require('minuet').setup({ provider = 'openai_fim_compatible', n_completions = 1, request_timeout = 60, "
    "virtualtext = { auto_trigger_ft = { '*' }, keymap = { accept = '<Tab>' } }, "
    "provider_options = { openai_fim_compatible = { name = 'midfill', api_key = 'HOME', model = 'MODEL', "
    "end_point = 'URL/v1/completions', optional = { max_tokens = 24 } } } })",
    "minuet.virtualtext",
    "<Tab>",
)


def checkout(plugin: Plugin, folder: Path) -> Path:
    """A plugin's files."""
    source = os.environ.get(plugin.variable, plugin.source)
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    got = subprocess.run(
        ["git", "clone", "-q", source, str(folder)], capture_output=True, text=True, timeout=120, env=environment
    )
    if got.returncode:
        why = got.stderr.strip().splitlines()[-1]
        pytest.skip(f"{plugin.source} cannot be had: {why}; {plugin.variable} may name a copy")
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", plugin.commit], check=True)
    return folder


@pytest.fixture(scope="module")
def nvim() -> str:
    found = os.environ.get("MIDFILL_TEST_NVIMS", "").split(":")[0] or shutil.which("nvim")
    if not found or not shutil.which("curl"):
        pytest.skip("there is no Neovim (MIDFILL_TEST_NVIMS may name one), or no curl, with which the plugins ask")
    return found


@pytest.fixture(scope="module")
def url(real_cache: Path) -> Iterator[str]:
    with serve_process(environment={"MIDFILL_CACHE": str(real_cache)}) as url:
        yield url


class Editor:
    """A Neovim without a screen, driven by keys."""

    def __init__(self, nvim: str, plugin: Plugin, url: str, folder: Path) -> None:
        self._nvim, self._socket = nvim, folder / "nvim.sock"
        init, self.file = folder / "init.vim", folder / "shapes.py"
        self.file.write_text(CIRCLE)
        files = checkout(plugin, folder / "plugin")
        configuration = plugin.configuration.replace("URL", url).replace("MODEL", DEFAULT_MODEL)
        init.write_text(f"set noswapfile runtimepath^={files}\n{configuration}\n")
        marks = f"nvim_buf_get_extmarks(0, nvim_create_namespace('{plugin.namespace}'), 0, -1, {{'details': v:true}})"
        drawn = "has_key(mark[3], 'virt_text') ? mark[3].virt_text[0][0] : ''"
        self._ghost = f"join(map({marks}, {{_, mark -> {drawn}}}), '')"
        command = [nvim, "--headless", "--clean", "--listen", str(self._socket), "-u", str(init), str(self.file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait(self._socket.exists, "Neovim listens")
        self.wait(lambda: self.value("v:vim_did_enter") == "1", "Neovim has started")

    def __enter__(self) -> "Editor":
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.wait()

    def keys(self, keys: str) -> None:
        self._ask("--remote-send", keys)

    def value(self, expression: str) -> str:
        return self._ask("--remote-expr", expression).rstrip("\r\n")

    def ghost(self) -> str:
        """The first line of what is drawn."""
        return self.value(self._ghost)

    def _ask(self, *arguments: str) -> str:
        command = [self._nvim, "--server", str(self._socket), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_WITHIN_S)
        return done.stdout or done.stderr

    def wait(self, is_true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + _WITHIN_S
        while not is_true():
            assert time.monotonic() < end, what
            time.sleep(0.02)


@pytest.mark.parametrize("plugin", [LLAMA_VIM, MINUET], ids=["llama.vim", "minuet"])
def test_ghost_text_is_shown_and_accepted(nvim: str, plugin: Plugin, url: str, tmp_path: Path) -> None:
    with Editor(nvim, plugin, url, tmp_path) as editor:
        editor.keys("GA ")
        editor.wait(lambda: "self.radius" in editor.ghost(), "ghost text is shown")
        ghost = editor.ghost().split(" (1/")[0]  # minuet counts
        assert "self.radius" not in editor.value("getline('$')")
        editor.keys(plugin.key)
        accepted = f"        return {ghost}"
        editor.wait(lambda: accepted in editor.value("join(getline(1, '$'), \"\\n\")"), "it is in the text")
        assert "failed" not in editor.value("execute('messages')")
        told = fetched(f"{url}/metrics").decode()
        assert 'outcome="failed"' not in told
        assert 'outcome="refused"' not in told
