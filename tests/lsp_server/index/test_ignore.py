"""Which files of a workspace are sources: git's rules, what git tracks, our own rules, and what is around."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from lsp_server.index.files import may_be_source, walk
from tests.lsp_server.index.git_trees import any_pattern, git, grow, repository, write

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="makes repositories")


def check(root: Path, expected: list[str]) -> None:
    """A walk finds these files, and each path alone is answered as the walk has it."""
    found = [file.on_disk or file.path for file in walk(root)]
    assert sorted(found) == sorted(expected)
    there = [file.relative_to(root).as_posix() for file in root.rglob("*.py") if file.is_file()]
    assert sorted(path for path in there if may_be_source(root, path)) == sorted(found)


# -- git's rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_finds_what_git_would_add_or_has(tmp_path: Path, home: Path, seed: int) -> None:
    """Some hundred rules in all places where git looks for them, over a generated tree."""
    rng = random.Random(seed)
    root = repository(tmp_path / "r", {})
    for name in (b"one", b"two", b"three"):
        os.mkdir(os.path.join(os.fsencode(root), name))
        grow(os.path.join(os.fsencode(root), name), rng, b"_.py")
    folders = [Path(os.fsdecode(folder)) for folder, _, _ in os.walk(os.fsencode(root)) if b".git" not in folder]
    write(home, {".config/git/ignore": "", "mine": ""})
    places = [folder / ".gitignore" for folder in folders[::2]]
    places += [root / ".git" / "info" / "exclude", home / ".config" / "git" / "ignore"]
    if seed % 2:
        (home / ".gitconfig").write_text("[core]\nexcludesfile = ~/mine\n")
        places.append(home / "mine")
    for place in places:
        place.write_bytes(b"\n".join(any_pattern(rng) for _ in range(rng.randint(1, 12))))
    (root / ".gitignore").write_bytes((root / ".gitignore").read_bytes() + b"\nx*/*\n!*/a_.py\n")
    some = [name for name in git(root, "ls-files", "-z", "-o").split(b"\0") if name.endswith(b".py")]
    git(root, "add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=b"\0".join(some[::9]))
    listed = git(root, "ls-files", "-z", "-c", "-o", "--exclude-standard").split(b"\0")
    check(root, [os.fsdecode(name) for name in listed if name.endswith(b".py")])
    for folder in ("one", "two"):  # opened alone, unless git ignores it as a whole
        if git(root, "check-ignore", "--no-index", folder, f"{folder}/midfill-any-name") == b"":
            start = f"{folder}/".encode()
            check(
                root / folder,
                [os.fsdecode(n[len(start) :]) for n in listed if n.startswith(start) and n[-3:] == b".py"],
            )


def test_a_subfolder_goes_by_the_rules_around_it(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {".gitignore": "gen_*\n/pkg/out\n", "pkg/a.py": "", "pkg/gen_b.py": ""})
    write(root, {"pkg/out/c.py": "", "pkg/in/out/d.py": "", "pkg/e.py": "", ".midfillignore": "/pkg/e.py\n"})
    (root / ".git" / "info" / "exclude").write_text("in/\n")
    check(root / "pkg", ["a.py"])


def test_a_worktree_has_the_rules_of_its_repository(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a.py": "", "sub/b.py": ""}, tracked=("a.py", "sub/b.py"))
    git(root, "commit", "-q", "-m", "x")
    (root / ".git" / "info" / "exclude").write_text("private_*\ntarget\n")
    git(root, "worktree", "add", "-q", str(tmp_path / "w"))
    write(tmp_path / "w", {"private_c.py": "", "sub/private_d.py": "", "sub/target/e.py": "", "sub/target/f.py": ""})
    git(tmp_path / "w", "add", "-f", "sub/target/f.py")
    check(tmp_path / "w", ["a.py", "sub/b.py", "sub/target/f.py"])
    check(tmp_path / "w" / "sub", ["b.py", "target/f.py"])


def test_a_users_own_excludes_hold(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {"a.py": "", "b.py": "", "c.py": ""})
    write(home, {".config/git/ignore": "a.py\n", "mine": "b.py\n", "xdg/git/ignore": "c.py\n"})
    check(root, ["b.py", "c.py"])
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/mine\n")
    check(root, ["a.py", "c.py"])
    (home / ".gitconfig").unlink()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    check(root, ["a.py", "b.py"])


def test_a_repository_within_goes_by_its_own_rules(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {".gitignore": "*_gen.py\nmine/\n", "a.py": "", "a_gen.py": "", "mine/b.py": ""})
    inner = {".gitignore": "out/\n", "c.py": "", "c_gen.py": "", "out/d.py": "", "dist/e.py": ""}
    repository(root / "inner", inner, tracked=("dist/e.py",))
    check(root, ["a.py", "inner/c.py", "inner/c_gen.py", "inner/dist/e.py"])


def test_case_counts_where_the_repository_says_so(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {".gitignore": "MADE/\n", "made/a.py": "", "b.py": ""})
    check(root, ["made/a.py", "b.py"])
    git(root, "config", "core.ignorecase", "true")
    check(root, ["b.py"])


@pytest.mark.parametrize("rules", ["*\n", "/*\n", "*\n!.gitignore\n!.bashrc\n", "*\n!*/\n", "proj\n", "**\n"])
def test_a_home_that_ignores_everything_does_not_blind_a_project_in_it(home: Path, rules: str) -> None:
    repository(home, {".gitignore": rules, ".bashrc": "", "proj/a.py": "", "proj/b/c.py": ""}, tracked=(".bashrc",))
    check(home / "proj", ["a.py", "b/c.py"])
    (home / "proj" / ".gitignore").write_text("b/\n")
    check(home / "proj", ["a.py"])


def test_a_project_that_lists_what_it_has_is_taken_at_its_word(tmp_path: Path) -> None:
    rules = "*\n!*/\n!*.py\nlocal_*\n"
    root = repository(
        tmp_path / "r", {".gitignore": rules, "p/a.py": "", "p/local_b.py": "", "p/c.js": ""}, ("p/a.py",)
    )
    check(root, ["p/a.py"])
    check(root / "p", ["a.py"])


# -- what git tracks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["target", "dist", "credentials", "venv", "node_modules", ".config", "build"])
def test_what_git_tracks_is_source(tmp_path: Path, name: str) -> None:
    files = {".gitignore": "build/\n", f"x/{name}/a.py": "", f"x/{name}/deep/b.py": "", "c.py": ""}
    root = repository(tmp_path / "r", files)
    if name != "credentials":  # a folder's name is no secret
        check(root, ["c.py"])
    git(root, "add", "-f", f"x/{name}")
    check(root, ["c.py", f"x/{name}/a.py", f"x/{name}/deep/b.py"])
    check(root / "x", [f"{name}/a.py", f"{name}/deep/b.py"])


def test_of_an_ignored_folder_only_what_is_tracked_comes_back(tmp_path: Path) -> None:
    files = {".gitignore": "out/\n", "out/a.py": "", "out/b.py": "", "out/deep/c.py": "", "out/deep/d.py": ""}
    check(repository(tmp_path / "r", files, ("out/a.py", "out/deep/c.py")), ["out/a.py", "out/deep/c.py"])


def test_a_new_file_in_a_tracked_source_folder_is_source(tmp_path: Path) -> None:
    check(
        repository(tmp_path / "r", {"target/a.py": "", "target/new.py": ""}, ("target/a.py",)),
        ["target/a.py", "target/new.py"],
    )


def test_a_secret_is_one_though_git_tracks_it(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"Secrets.json": "{}", "a.py": ""}, ("Secrets.json", "a.py"))
    check(root, ["a.py"])
    assert not may_be_source(root, "Secrets.json")
    assert not may_be_source(root, "sub/new/.ENV")


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"target/a.py": "", "b.py": ""}, ("target/a.py",))
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o700)
    for key in ("core.fsmonitor", "core.pager", "core.editor", "alias.ls-files", "core.sshCommand"):
        git(root, "config", key, f"!{trap}" if key.startswith("alias") else str(trap))
    check(root, ["target/a.py", "b.py"])
    assert not (tmp_path / "ran").exists()


def test_without_git_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {".gitignore": "b.py\n", "target/a.py": "", "b.py": "", "c.py": ""}, ("target",))
    monkeypatch.setenv("PATH", str(tmp_path))
    check(root, ["target/a.py", "c.py"])


# -- our own rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["target", "dist", "node_modules", ".hidden"])
@pytest.mark.parametrize("git_rule", ["", "target/\ndist\nnode_modules\n.hidden\n"])
def test_a_rule_of_our_own_brings_a_folder_back(tmp_path: Path, name: str, git_rule: str) -> None:
    root = repository(tmp_path / "r", {".gitignore": git_rule, f"x/{name}/a.py": "", "b.py": ""})
    check(root, ["b.py"])
    (root / ".midfillignore").write_text(f"!{name}/\n")
    check(root, [f"x/{name}/a.py", "b.py"])


def test_a_rule_of_our_own_excludes_what_is_tracked(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a.py": "", "gen/b.py": "", ".midfillignore": "gen/\n"}, ("a.py", "gen/b.py"))
    check(root, ["a.py"])


def test_a_rule_of_our_own_brings_back_no_secret_and_no_repositorys_inside(tmp_path: Path) -> None:
    root = repository(
        tmp_path / "r", {".midfillignore": "!*\n!.git/\n", "secrets.json": "{}", ".git/hooks/a.py": "", "b.py": ""}
    )
    assert [file.path for file in walk(root)] == ["b.py"]


def test_a_virtual_environment_comes_back_when_it_is_named(tmp_path: Path) -> None:
    write(tmp_path / "r", {"env/pyvenv.cfg": "", "env/lib/a.py": "", "b.py": ""})
    check(tmp_path / "r", ["b.py"])
    (tmp_path / "r" / ".midfillignore").write_text("!env/\n")
    check(tmp_path / "r", ["env/lib/a.py", "b.py"])


# -- hostile folders ----------------------------------------------------------------------------------------


def test_what_is_no_file_has_no_rules_and_nothing_waits_for_it(tmp_path: Path) -> None:
    root = tmp_path / "r"
    write(root, {"a.py": "", "b/c.py": "", "d/e.py": "", "f/g.py": "", "outside": "*\n"})
    os.mkfifo(root / ".gitignore")
    (root / "b" / ".gitignore").mkdir()
    (root / "d" / ".gitignore").symlink_to(root / "outside")
    os.mkfifo(root / "f" / ".git")
    check(root, ["a.py", "b/c.py", "d/e.py", "f/g.py"])


@pytest.mark.parametrize(
    "mark", ["", "gitdir: ", "gitdir: ../nowhere", "gitdir: //host/share", "gitdir: \0", "x" * 50_000]
)
def test_a_mark_of_no_repository_is_none(tmp_path: Path, mark: str) -> None:
    root = repository(tmp_path / "r", {".gitignore": "b.py\n", "in/b.py": "", "in/c.py": "", "in/.git": mark})
    check(root, ["in/c.py"])
    check(root / "in", ["c.py"])


def test_a_link_that_leads_in_a_circle_is_no_error(tmp_path: Path) -> None:
    write(tmp_path / "r", {"a.py": ""})
    (tmp_path / "r" / ".git").symlink_to(".git")
    check(tmp_path / "r", ["a.py"])


def test_a_very_deep_folder_is_looked_into(tmp_path: Path) -> None:
    folder = "/".join(["a"] * 1_500)
    (tmp_path / "r").mkdir()
    here = os.open(tmp_path / "r", os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("a", dir_fd=here)
        here, outer = os.open("a", os.O_RDONLY, dir_fd=here), here
        os.close(outer)
    os.close(os.open("b.py", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        assert [file.path for file in walk(tmp_path / "r")] == [f"{folder}/b.py"]
        assert may_be_source(tmp_path / "r", f"{folder}/b.py")
    finally:  # pytest would come to the end of Python's stack
        subprocess.run(["rm", "-rf", tmp_path / "r"], check=True)
