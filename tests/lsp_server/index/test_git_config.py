"""Git's configuration, beside `git config`."""

import shutil
from pathlib import Path

import pytest

from lsp_server.index.git_config import config_of
from tests.lsp_server.index.git_trees import git, repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")


@pytest.mark.parametrize(
    "text",
    [
        "[core]\n\texcludesFile = ~/ignore\n",
        "[Core] EXCLUDESFILE=a b  \n",
        '[core]\nexcludesfile = "a # b" # comment\n',
        '[core]\nexcludesfile = a" b "  c ; comment\n',
        '[core]\nexcludesfile = "a\\\\b\\"c"\n',
        "[core]\nexcludesfile = a\\\nb\n",
        "[core]\r\nexcludesfile = a\r\n",
        "[core]\nexcludesfile = a\n[core]\nexcludesfile = b\n",
        "[core]\nexcludesfile =\n",
        '[core "sub"]\nexcludesfile = a\n[core]\nexcludesfile = b\n',
        "# [core]\n; x\n[user]\nname = a\n[core]\nexcludesfile = c\n",
        "[include]\npath = more\n",
        '[includeIf "gitdir:~/"]\npath = more\n[core]\nignorecase = true\n',
        '[includeIf "gitdir:r/"]\npath = more\n',
        '[includeIf "gitdir:other/"]\npath = more\n[core]\nexcludesfile = c\n',
        '[includeIf "gitdir/i:~/R/.GIT"]\npath = more\n',
    ],
)
def test_values_are_what_git_says(home: Path, text: str) -> None:
    root = repository(home / "r", {})
    (home / ".gitconfig").write_text(text)
    (home / "more").write_text("[core]\n excludesfile = included\n")
    said = git(root, "config", "core.excludesfile").decode().removesuffix("\n")
    git_dir = root / ".git"
    assert config_of(git_dir, git_dir).get("core.excludesfile") == said


def test_what_includes_itself_ends(home: Path) -> None:
    root = repository(home / "r", {})
    (home / ".gitconfig").write_text("[include]\npath = .gitconfig\n[core]\nexcludesfile = a\n")
    assert config_of(root / ".git", root / ".git")["core.excludesfile"] == "a"


def test_what_cannot_be_read_has_no_values(home: Path) -> None:
    root = repository(home / "r", {})
    (home / ".gitconfig").write_bytes(b'[core\n"\\\nexcludesfile\xff = \xfe\n= = =\n[]\n[core]\nignorecase')
    assert config_of(root / ".git", root / ".git")["core.ignorecase"] == "true"
