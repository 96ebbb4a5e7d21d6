"""Lines that are new since a commit, by real git."""

from pathlib import Path

import pytest

from tests.tuning.source_tree import commit, git
from tuning.data.history import NotAHistory, head_of, new_lines


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A tree with one commit, whose owner likes prefixes of his own and colours."""
    git(tmp_path, "init", "--quiet")
    for key, value in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.context", "5")):
        git(tmp_path, "config", key, value)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a b.py").write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "lib" / "größe.py").write_text("eins\nzwei\n" * 20)
    (tmp_path / "gone.py").write_text("x\n")
    commit(tmp_path)
    return tmp_path


def test_lines_are_those_that_the_commit_had_not(history: Path) -> None:
    before = head_of(history)
    (history / "lib" / "a b.py").write_text("zero\none\nTWO\nthree\nfour\nfive\n++ b/trap.py\n@@ -1 +1,9 @@\n")
    (history / "lib" / "größe.py").rename(history / "lib" / "maß.py")
    (history / "gone.py").unlink()
    (history / "new.py").write_text("a\nb")
    commit(history)
    (history / "new.py").write_text("a\nb\nc\n")  # not committed yet
    assert new_lines(history, before) == {"lib/a b.py": [0, 2, 5, 6, 7], "new.py": [0, 1, 2]}
    assert new_lines(history / "lib", before) == {"a b.py": [0, 2, 5, 6, 7]}, "names are below the folder"
    assert new_lines(history, head_of(history)) == {"new.py": [1, 2]}


def test_what_has_no_history_says_so(history: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(NotAHistory, match="git knows no history of"):
        new_lines(history, "0" * 40)
    folder = tmp_path_factory.mktemp("plain")
    with pytest.raises(NotAHistory, match="git knows no history of"):
        head_of(folder)
    git(folder, "init", "--quiet")
    with pytest.raises(NotAHistory, match="git knows no history of"):
        head_of(folder)


def test_without_git_it_says_so(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotAHistory, match="git cannot be run"):
        head_of(history)
