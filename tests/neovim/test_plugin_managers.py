"""The plugin by managers that know a repository and not its subfolder: lazy.nvim, vim-plug, mini.deps, vim.pack.

What a user is told to write (docs/editors.md) is run, in a real Neovim with folders of its own, with this checkout's
plugin as a repository behind `file://`. The managers come from MIDFILL_LAZY, MIDFILL_VIM_PLUG and MIDFILL_MINI_DEPS
(checkouts, or git directories), or are cloned; Neovim is the first of MIDFILL_TEST_NVIMS, or the one on the path.

Rules: the server is the real one, from the path. It has no model and may fetch none.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.apart  # it clones their plugins
_TIMEOUT_S = 120
_NOWHERE = "http://127.0.0.1:9"
# What Neovim says when all is there, and the server has the file.
_REPORT = """
local function attached()
  return #vim.lsp.get_clients({ name = 'midfill', bufnr = 0 }) == 1 and require('midfill.server').client() ~= nil
end
local is_attached = vim.wait(60000, attached, 20)
vim.fn.writefile({
  'command ' .. vim.fn.exists(':Midfill'),
  'names ' .. table.concat(require('midfill.commands').complete(''), ','),
  'attached ' .. tostring(is_attached),
  'from ' .. vim.api.nvim_get_runtime_file('lua/midfill/init.lua', false)[1],
  'messages ' .. vim.fn.execute('messages'):gsub('%s+', ' '),
}, vim.env.REPORT)
vim.cmd('qa!')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """A plugin manager: where it is from, what it needs before a user's own lines, and how it is told to install."""

    name: str  # as docs/editors.md links it
    variable: str = ""
    repository: str = ""
    commit: str = ""
    folder: str = ""  # in Neovim's data folder
    before: str = ""
    install: str = "qa"


LAZY = Manager(
    name="[lazy.nvim]",
    variable="MIDFILL_LAZY",
    repository="folke/lazy.nvim",
    commit="306a05526ada86a7b30af95c5cc81ffba93fef97",
    folder="lazy/lazy.nvim",
    before="vim.opt.runtimepath:prepend(vim.fn.stdpath('data') .. '/lazy/lazy.nvim')",
)
PLUG = Manager(
    name="[vim-plug]",
    variable="MIDFILL_VIM_PLUG",
    repository="junegunn/vim-plug",
    commit="88e31471818e9a29a8a20a0ee61360cfd7bdc1cd",
    folder="site/autoload",
    install="PlugInstall --sync | qa",
)
MINI = Manager(
    name="[mini.deps]",
    variable="MIDFILL_MINI_DEPS",
    repository="nvim-mini/mini.deps",
    commit="2953b2089591a49a70e0a88194dbb47fb0e4635c",
    folder="site/pack/deps/start/mini.deps",
    before="vim.cmd.packadd('mini.deps')",
)
PACK = Manager(name="`vim.pack`")


@pytest.fixture(scope="module")
def nvim() -> str:
    found = os.environ.get("MIDFILL_TEST_NVIMS", "").split(":")[0] or shutil.which("nvim")
    if not found:
        pytest.skip("there is no Neovim: MIDFILL_TEST_NVIMS may name one")
    return found


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The plugin as it is here, in a repository's subfolder, and its address."""
    folder = tmp_path_factory.mktemp("remote") / "midfill"
    shutil.copytree(ROOT / "neovim", folder / "neovim", ignore=shutil.ignore_patterns("__pycache__", "screens", "tags"))
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for command in (("init", "-qb", "main"), ("add", "-A"), (*who, "commit", "-qm", "the plugin")):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder.as_uri()


def documented(manager: Manager, remote: str) -> tuple[str, str]:
    """What docs/editors.md has for a manager, with the address in its place: the language, and the text."""
    page = (ROOT / "docs/editors.md").read_text(encoding="utf-8")
    _, found, rest = page.partition(f"\n{manager.name}")
    assert found, f"docs/editors.md does not name {manager.name}"
    block = re.search(r"```(\w+)\n(.*?)```", rest, re.DOTALL)
    assert block is not None
    assert "MIDFILL" in block[2]
    return block[1], block[2].replace("MIDFILL", remote)


def have(manager: Manager, data: Path) -> None:
    """Put the manager where its own README has it."""
    if not manager.repository:
        return
    address = os.environ.get(manager.variable) or f"https://github.com/{manager.repository}"
    into = data / manager.folder
    got = subprocess.run(
        ["git", "clone", "-q", address, str(into)],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
    )
    if got.returncode:
        why = got.stderr.strip().splitlines()[-1]
        pytest.skip(f"{manager.repository} cannot be had: {why}; {manager.variable} may name a copy")
    subprocess.run(["git", "-C", str(into), "checkout", "-q", manager.commit], check=True)


@pytest.mark.parametrize("manager", [LAZY, PLUG, MINI, PACK], ids=lambda manager: manager.name.strip("[]`"))
def test_what_the_documents_say_makes_a_plugin_whose_server_runs(
    nvim: str, manager: Manager, remote: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    environment = {
        **{name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ},
        **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "file",
        "MIDFILL_CACHE": str(tmp_path / "cache"),
        "HTTPS_PROXY": _NOWHERE,
        "HTTP_PROXY": _NOWHERE,
        "REPORT": str(tmp_path / "report"),
    }
    asked = [nvim, "--clean", "--headless", "+lua io.write(vim.fn.has('nvim-0.12'), package.config:sub(1, 1))", "+qa"]
    if manager is PACK and not subprocess.run(asked, capture_output=True, text=True).stdout.startswith("1"):
        pytest.skip("vim.pack came with Neovim 0.12")
    have(manager, home / "data/nvim")
    language, text = documented(manager, remote)
    init = home / "config/nvim" / {"lua": "init.lua", "vim": "init.vim"}[language]
    init.parent.mkdir(parents=True)
    init.write_text(f"{manager.before}\n{text}")
    report, script = tmp_path / "report", tmp_path / "report.lua"
    script.write_text(_REPORT)
    file = tmp_path / "workspace/a.py"
    (file.parent / ".git").mkdir(parents=True)
    file.write_text("x = 1\n")

    def run(*arguments: str) -> str:
        command = [nvim, "--headless", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment, cwd=home)
        return done.stdout + done.stderr

    said = run(f"+{manager.install}")
    said += run(str(file), f"+luafile {script}")
    assert report.is_file(), said
    told = dict(line.split(" ", 1) for line in report.read_text().splitlines())
    assert told["command"] == "2", told
    assert {"install", "status", "why"} <= set(told["names"].split(","))
    assert told["attached"] == "true", (told, said)
    assert Path(told["from"]).is_relative_to(home / "data"), told
    assert "rror" not in told["messages"]
