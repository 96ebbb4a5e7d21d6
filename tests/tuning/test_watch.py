"""`midfill tune --watch` on the tiny model: what is committed is learned, judged and added."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main as midfill
from model.library.catalog import resolve
from tests.conftest import made_once, stop_daemons
from tests.tuning.conftest import pull
from tests.tuning.source_tree import commit, functions, git, tree
from tuning import run, watch
from tuning.data.history import head_of
from tuning.data.own_code import find_code


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A source tree with a commit."""
    return committed(tmp_path / "areas")


def committed(root: Path) -> Path:
    tree(root)
    git(root, "init", "--quiet")
    commit(root)
    return root


@pytest.fixture(scope="session")
def looked(tiny_model: Path, tiny_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree, and the cache after a first run and a look: what most tests go on from."""

    def make(folder: Path) -> None:
        cache = folder / "cache"
        shutil.copytree(tiny_stores, cache / "stores")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MIDFILL_CACHE", str(cache))
            watched_once(committed(folder / "areas"), pull(tiny_model, patch), patch)
        stop_daemons(cache)

    return made_once(tmp_path_factory, "watched", make)


@pytest.fixture
def watched(looked: Path, tiny_cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree that was learned from, and looked at."""
    shutil.copytree(looked / "cache", tiny_cache)
    pull(tiny_model, monkeypatch)
    return shutil.copytree(looked / "areas", tiny_cache.parent / "areas")


def watching(code: Path, pulled: str, *words: str) -> int:
    common = ["--model", pulled, "--now", "--device", "cpu", "--examples", "60", "--name", "areas"]
    return midfill(["tune", str(code), *common, "--rate", "1e-2", "--epochs", "4", "--watch", *words])


def between_looks(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object]) -> None:
    """Have these happen in place of waiting, one after each look, and then an interrupt."""
    left = iter(steps)

    def wait() -> None:
        if (step := next(left, None)) is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(watch, "_wait", wait)


def watched_once(code: Path, pulled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look, or the first run and one."""
    between_looks(monkeypatch)
    assert watching(code, pulled) == 130


def write_more(root: Path, first: int, n_functions: int) -> None:
    """Commit functions more in files that are learned from, of numbers that were not there."""
    for path in sorted(find_code(root).learned)[:8]:
        file = root / path
        number = int(file.stem.split("_")[1])
        more = functions(number, range(first, first + n_functions))
        file.write_text(file.read_text() + "\n".join(more))
    commit(root)


def state(cache: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads((cache / "tuning" / "areas" / "watch" / "state.json").read_text())
    return kept


def test_what_is_committed_is_learned_judged_and_added(
    code: Path, pulled: str, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = head_of(code)
    between_looks(monkeypatch, lambda: write_more(code, 40, 5), lambda: write_more(code, 60, 30))
    assert watching(code, pulled) == 130
    said = capsys.readouterr()
    assert said.out.count("before: ") == 2, "the tree as it was, and one round: 160 lines are too few for one"
    assert "new lines in 8 files up to commit " in said.out
    assert "the same command goes on" in said.err
    (row,) = map(json.loads, (tiny_cache / "tuning" / "areas" / "watch" / "rounds.jsonl").read_text().splitlines())
    assert row["commit"] == head_of(code) != first
    assert row["rehearsed"] >= row["new"] > 40
    assert state(tiny_cache) == {"learned": head_of(code) if row["added"] else first, "tried": head_of(code)}
    assert not (tiny_cache / "tuning" / "areas" / "watch" / "round").exists()


def test_what_is_not_better_is_tried_again_with_more(
    watched: Path,
    tiny_model: Path,
    tiny_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = head_of(watched)
    monkeypatch.setattr(watch, "_RATE_SHARE", 1e-9)
    between_looks(monkeypatch, lambda: write_more(watched, 40, 40), lambda: write_more(watched, 90, 40))
    assert watching(watched, str(tiny_model)) == 130
    said = capsys.readouterr().out
    assert said.count("areas stays as it is (what is likely changed too little to be sure)") == 2
    once, twice = (int(count.replace(",", "")) for count in re.findall(r"([\d,]+) new lines in 8 files", said))
    assert twice > 1.9 * once > 1_000, "all of it together"
    assert state(tiny_cache) == {"learned": first, "tried": head_of(watched)}
    assert (tiny_cache / "adapters" / "areas" / "added.json").exists()


def test_an_interrupted_round_goes_on(
    watched: Path,
    tiny_model: Path,
    tiny_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_more(watched, 40, 40)
    tried = head_of(watched)
    with monkeypatch.context() as patch:
        patch.setattr(watch, "learn", interrupted)
        assert watching(watched, str(tiny_model)) == 130
    assert (tiny_cache / "tuning" / "areas" / "watch" / "round" / "commit").read_text() == tried
    write_more(watched, 90, 1)
    capsys.readouterr()
    watched_once(watched, str(tiny_model), monkeypatch)
    assert "new lines" not in capsys.readouterr().out, "it had its examples already"
    assert state(tiny_cache)["tried"] == tried


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_it_goes_on_only_from_what_it_knows(
    watched: Path,
    tiny_model: Path,
    tiny_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = {"learned": "1" * 40, "tried": "1" * 40}  # a history that was rewritten
    (tiny_cache / "tuning" / "areas" / "watch" / "state.json").write_text(json.dumps(gone))
    watched_once(watched, str(tiny_model), monkeypatch)
    assert "what came since then is not learned" in capsys.readouterr().err
    assert state(tiny_cache) == {"learned": head_of(watched), "tried": head_of(watched)}
    assert midfill(["tune", str(watched), "--model", str(tiny_model), "--name", "areas"]) == 2
    assert "is watched" in capsys.readouterr().err
    other = resolve("qwen2.5-coder-0.5b")
    monkeypatch.setattr(watch, "resolve", lambda _: other)
    assert watching(watched, str(tiny_model)) == 2
    assert "was learned on another model" in capsys.readouterr().err


def test_what_may_pass_is_told_once_and_what_was_removed_ends_it(
    code: Path, pulled: str, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watched_once(code, pulled, monkeypatch)
    write_more(code, 40, 40)
    monkeypatch.setattr(run, "_MEMORY_SHARE", 1e-9)

    def nothing() -> None:
        pass

    between_looks(monkeypatch, nothing, nothing, lambda: midfill(["model", "rm", "areas"]), nothing)
    capsys.readouterr()
    assert watching(code, pulled) == 2
    said = capsys.readouterr().err
    assert said.count("of memory, and") == 1
    assert "looking again later" in said
    assert "areas is not there any more: the same command makes it again" in said
    monkeypatch.setattr(run, "_MEMORY_SHARE", 0.9)
    watched_once(code, pulled, monkeypatch)
    assert state(tiny_cache)["tried"] == head_of(code)


def test_what_cannot_be_watched_is_a_sentence_each(
    code: Path, pulled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tree(tmp_path / "plain")
    for folder, words, expected in (
        (plain, (), "git knows no history of"),
        (code, ("--no-add",), "leave --no-add away"),
        (code, ("--epsilon", "8"), "cannot keep what --epsilon promises"),
    ):
        assert watching(folder, pulled, *words) == 2
        assert expected in capsys.readouterr().err
