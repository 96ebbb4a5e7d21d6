"""Histories from git: the two states alone are read, of one language; what is not to be had is said in a line."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from evals.replay.histories import named
from evals.replay.history import read_history
from evals.replay.releases import git_files
from evals.report import EvalError


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A repository `some/tool` in the cache, with a tag and a later commit; the cache folder is this test's own."""
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    files = {
        "src/é.go": "package é\r\n",
        "a.py": "x = 1\n",
        "gone.go": "package gone\n",
        "README": "plain\n",
        "log.md": "- 0\n",
        "big.go": "// made\n" * 40_000,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "v1")
    (folder / "src/é.go").write_text("package é\n\nvar one = 1\nvar two = 2\n")
    (folder / "a.py").write_text("x = 2\n")
    (folder / "gone.go").unlink()
    (folder / "README").write_text("plainer\n" * 50)
    (folder / "log.md").write_text("".join(f"- {n}\n" for n in range(50)))
    git(folder, "commit", "-q", "-a", "-m", "two")
    bare = tmp_path / "releases" / "some+tool.git"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    return "v1", git(folder, "rev-parse", "HEAD")


def test_source_files_of_a_tag_and_a_commit(commits: tuple[str, str]) -> None:
    tag, commit = commits
    before = git_files("some/tool", tag)
    assert before == {"src/é.go": "package é\n", "a.py": "x = 1\n", "gone.go": "package gone\n", "log.md": "- 0\n"}
    assert set(git_files("some/tool", commit)) == {"src/é.go", "a.py", "log.md"}


def test_a_history_is_of_the_language_that_grew_most_or_of_the_one_that_is_named(commits: tuple[str, str]) -> None:
    spec = f"some/tool=={'..'.join(commits)}"
    grown = read_history(spec)
    assert (grown.language, [change.path for change in grown.changes]) == ("go", ["src/é.go"])
    assert set(grown.files) == {"src/é.go", "a.py", "gone.go", "log.md"}
    assert [change.path for change in read_history(spec, "python").changes] == ["a.py"]


def test_a_package_of_npm_is_read_without_its_outer_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path))
    for version, text in (("1.0.0", "export const a = 1\r\n"), ("1.1.0", "export const a = 1\nexport const b = 2\n")):
        folder = tmp_path / "releases" / f"npm-@some+tool-{version}"
        folder.mkdir(parents=True)
        with tarfile.open(folder / f"some-tool-{version}.tgz", "w:gz") as archive:
            for name, content in (("package/src/a.ts", text), ("package/package.txt", version)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
    found = read_history("npm:@some/tool==1.0.0..1.1.0")
    assert (found.language, found.files) == ("typescript", {"src/a.ts": "export const a = 1\n"})
    assert found.changes[0].after.endswith("b = 2\n")


def test_a_revision_that_is_not_to_be_had_is_one_line(
    commits: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.replay.releases._HOST", "file:///nowhere")
    with pytest.raises(EvalError, match="git could not fetch some/tool at v9"):
        git_files("some/tool", "v9")


def test_a_repository_on_this_machine_is_read_where_it_is(
    commits: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    for spec in (f"./work=={commits[0]}..HEAD", f"{tmp_path / 'work'}==HEAD~1..{commits[1]}"):
        history = read_history(spec)
        assert [change.path for change in history.changes] == ["src/é.go"]
    (local,) = named(["./work==v1..HEAD"])
    assert (local.name, local.spec) == ("work", "./work==v1..HEAD")
    assert not (tmp_path / "empty").exists()
    with pytest.raises(EvalError, match="nowhere is no git repository"):
        git_files("./nowhere", "HEAD")
    with pytest.raises(EvalError, match="two histories are called work"):
        named(["./work==v1..HEAD", "./work==HEAD~1..HEAD"])


def test_histories_go_by_name_or_by_what_they_are() -> None:
    click, other = named(["click", "some/tool==v1..v2"])
    assert click.spec.startswith("pallets/click==")
    assert (other.name, other.spec, other.language) == ("some/tool", "some/tool==v1..v2", "")
    with pytest.raises(EvalError, match="'nothing' is no history"):
        named(["nothing"])
