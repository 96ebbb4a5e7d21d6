"""`midfill tune` from end to end on the tiny model, and each thing that can be wrong with what it is given."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.cli.__main__ import main as midfill
from tests.tuning.source_tree import tree
from tuning import run
from tuning.data import own_code
from tuning.data.own_code import TooLittleCode, counts, find_code
from tuning.private import SECRET
from tuning.run import Judgement
from tuning.stats import Interval, clustered_difference

ROOT = Path(__file__).parents[2]


def tune(folder: Path, model: str, *words: str) -> int:
    return midfill(["tune", str(folder), "--model", model, "--now", "--device", "cpu", "--examples", "60", *words])


def test_it_learns_judges_and_adds_what_the_server_can_use(
    pulled: str, tiny_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tree(tmp_path / "areas")
    assert tune(code, pulled, "--rate", "1e-2", "--epochs", "4", "--name", "areas") == 0
    said = capsys.readouterr()
    assert "files to learn from" in said.out
    assert "memory: " in said.out
    assert "before: " in said.out
    assert "NLL of the text -" in said.out
    assert "areas is ready" in said.err
    run = tiny_cache / "tuning" / "areas"
    assert (run / "train" / "loss.svg").exists()
    assert (tiny_cache / "adapters" / "areas" / "added.json").exists()
    # The same again is a run that is over: it is judged and added anew, in place of the old one.
    assert tune(code, pulled, "--rate", "1e-2", "--epochs", "4", "--name", "areas") == 0
    assert "going on with the run" in capsys.readouterr().out
    assert tune(code, pulled, "--examples", "61", "--name", "areas") == 2
    assert "--anew" in capsys.readouterr().err


def test_what_is_not_better_is_not_added(
    pulled: str, tiny_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(tree(tmp_path / "areas"), pulled, "--rate", "1e-9", "--name", "areas") == 1
    said = capsys.readouterr().out
    assert "not added" in said
    assert not (tiny_cache / "adapters" / "areas").exists()
    assert (tiny_cache / "tuning" / "areas" / "adapter" / "adapter_model.safetensors").exists()


def test_better_is_likelier_text_for_sure_and_not_fewer_right_for_sure() -> None:
    none, up, down = Interval(0, -0.1, 0.1), Interval(0.1, 0.05, 0.15), Interval(-0.1, -0.15, -0.05)
    assert Judgement(exact=none, text=none, nll=down).is_better
    assert Judgement(exact=up, text=up, nll=down).is_better
    assert not Judgement(exact=up, text=down, nll=down).is_better
    assert not Judgement(exact=up, text=up, nll=none).is_better


def test_a_difference_is_paired_and_knows_that_a_files_examples_are_alike() -> None:
    files = [f"file {n // 10}" for n in range(200)]
    before = [float(n // 10) for n in range(200)]
    alike = clustered_difference(before, [value + 1 for value in before], files)
    assert (alike.mean, alike.low, alike.high) == (1.0, 1.0, 1.0)
    by_file = clustered_difference(before, [value + float(n // 10 % 2) for n, value in enumerate(before)], files)
    alone = clustered_difference(
        before, [value + float(n // 10 % 2) for n, value in enumerate(before)], list(map(str, range(200)))
    )
    assert by_file.high - by_file.low > 2 * (alone.high - alone.low)


def test_files_are_divided_by_their_path_and_all_of_one_is_on_one_side(tmp_path: Path) -> None:
    code = find_code(tree(tmp_path / "areas"))
    assert len(code.learned) + len(code.held_out) == 48
    assert 3 <= len(code.held_out) <= 12
    (tmp_path / "areas" / "package_0" / "more.py").write_text("\n".join(f"value_{n} = f({n})" for n in range(400)))
    again = find_code(tmp_path / "areas")
    assert set(code.held_out) <= set(again.held_out)
    assert set(code.learned) <= set(again.learned)
    planned = counts(code.learned, 100)
    assert {path for path, _ in planned} <= set(code.learned)
    assert all(n > 0 and n % 8 == 0 for _, n in planned), "whole places"
    assert 80 <= sum(n for _, n in planned) <= 120
    assert planned == counts(code.learned, 100)


def test_what_is_ignored_or_copied_is_not_learned(tmp_path: Path) -> None:
    root = tree(tmp_path / "areas")
    (root / ".gitignore").write_text("package_1/\n")
    (root / "package_0" / "copy.py").write_text((root / "package_0" / "module_0.py").read_text())
    code = find_code(root)
    paths = {*code.learned, *code.held_out}
    assert not any(path.startswith("package_1") for path in paths)
    assert len({"package_0/copy.py", "package_0/module_0.py"} & paths) == 1
    assert code.left_out["near-duplicate"] == 1


def test_too_little_code_says_how_much_it_takes(
    pulled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TooLittleCode, match="3000 lines"):
        find_code(tree(tmp_path / "areas", 4))
    assert tune(tmp_path / "areas", pulled) == 2
    assert "too little code" in capsys.readouterr().err


def test_what_cannot_be_tuned_is_a_sentence_each(
    tiny_cache: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = tree(tmp_path / "areas")
    for words, expected in (
        ([str(tmp_path / "none")], "there is no folder"),
        ([str(code)], "midfill model pull qwen2.5-coder-0.5b"),
        ([str(code), "--name", "Not A Name"], "is no name"),
        ([str(code), "--model", str(tiny_model)], "midfill model pull"),
    ):
        assert midfill(["tune", *words]) == 2
        assert expected in capsys.readouterr().err
    for size, expected in (("_DISK_BYTES", "of disk"), ("_MEMORY_SHARE", "of memory")):
        with monkeypatch.context() as patch:
            patch.setattr(run, size, 10**18 if size == "_DISK_BYTES" else 1e-9)
            assert midfill(["tune", str(code), "--model", str(tiny_model)]) == 2
        assert expected in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install() -> None:
    main = "from lsp_server.cli.__main__ import main; sys.exit(main(['tune']))"
    program = f"import sys; sys.modules['datasketch'] = None; {main}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f'midfill: tune needs datasketch: {sys.executable} -m pip install "midfill[tune]"\n'


def test_a_child_that_fails_is_told(pulled: str, tmp_path: Path) -> None:
    code = find_code(tree(tmp_path / "areas"))
    problem = own_code.make_examples(code, code.held_out, 10, "no-such-model", tmp_path / "out")
    assert "no-such-model" in problem


_MEASURED = """
import resource, sys
from pathlib import Path
import torch
from model.library.catalog import Size
from tests.tuning.simple_examples import simple_examples
from tuning.device_check import random_base
from tuning.memory import need_of
from tuning.network import Network
from tuning.train import Recipe, train
folder, keeps, tokens, layers = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
size = Size(n_layers=6, hidden=256, n_heads=4, n_kv_heads=2, head_dim=64, intermediate=2048)
network = Network(random_base(size, 32000, torch.device("cpu"), torch.float32), 16, 32.0, seed=1, layers=layers)
network.keeps_tokens = keeps
examples = simple_examples(folder / "examples", 60, longest=200)
train(network, examples, Recipe(batch=60, max_tokens=tokens), folder / "run", say=lambda _: None)
need = need_of(network.base.architecture, 16, is_tied=True, bytes_per_weight=4, n_learning=layers)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / need.bytes_for(tokens, keeps))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts peak memory as Linux does")
@pytest.mark.parametrize(("layers", "keeps"), [("6", "inf"), ("3", "0")], ids=["all", "half, computed again"])
def test_a_run_takes_about_the_memory_that_was_said_and_no_more(tmp_path: Path, layers: str, keeps: str) -> None:
    command = [sys.executable, "-c", _MEASURED, str(tmp_path), keeps, "3000", layers]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # threads that wait for a busy core compute nothing, and take it
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=alone)
    assert 0.5 < float(done.stdout) < 1.05


def test_a_private_run_says_what_it_promises_and_what_it_spent(
    pulled: str, tiny_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tree(tmp_path / "areas")
    assert tune(code, pulled, "--epsilon", "0", "--name", "areas") == 2
    assert "keeps nothing private" in capsys.readouterr().err
    # What noise leaves of so little is not better, or it is: both are told. --anew: an old run goes.
    (tiny_cache / "tuning" / "areas").mkdir(parents=True, exist_ok=True)
    (tiny_cache / "tuning" / "areas" / "settings.json").write_text("of another run")
    assert tune(code, pulled, "--epsilon", "8", "--anew", "--no-add", "--name", "areas") in (0, 1)
    said = capsys.readouterr().out
    assert "private: epsilon 8 and delta " in said
    assert "can repeat" not in said
    assert re.search(r"spent: epsilon [1-8]\.\d\d of 8, delta ", said)
    assert not list((tiny_cache / "tuning" / "areas").rglob(SECRET))
