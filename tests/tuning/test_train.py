"""Training runs on the tiny model: they learn, they survive being killed, they keep to their time."""

import json
from pathlib import Path

import pytest
import torch

from tests.tuning.simple_examples import simple_examples
from tuning.base import load_base
from tuning.checkpoint import CheckpointError
from tuning.judge import judge, read_verdicts, report, summary, write_report
from tuning.network import Network
from tuning.train import CHECKPOINT, LOG, PICTURE, Recipe, main, train

RECIPE = Recipe(rate=5e-3, batch=4, epochs=2, max_tokens=150)


class Killed(Exception):
    """What a test ends a run with."""


def network_of(base: Path, rank: int = 4) -> Network:
    return Network(load_base(base, torch.device("cpu")), rank, 2.0 * rank, seed=1)


def weights(network: Network) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters().values()]


def test_a_run_learns_what_it_is_shown_and_what_is_alike(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "train", 400, longest=12)
    held_out = simple_examples(tmp_path / "held", 40, seed=9, longest=12)
    network = network_of(tiny_model, rank=16)
    before = summary(judge(network, held_out, 500))
    train(network, examples, Recipe(rate=1e-2, batch=16, epochs=6), tmp_path / "run", say=lambda _: None)
    told: list[tuple[int, int]] = []
    verdicts = judge(network, held_out, 500, lambda done, of: told.append((done, of)))
    after = summary(verdicts)
    assert told == sorted(told)
    assert told[-1] == (40, 40)
    assert before["exact"] == 0
    assert after["exact"] > 0.5
    assert after["nll"] < before["nll"] / 4
    write_report(tmp_path / "report.json", verdicts)
    assert read_verdicts(tmp_path / "report.json") == verdicts
    assert set(report(verdicts)) == {"all", "kind:line", "language:go", "language:python"}
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert len(losses) == 150
    assert losses[-1] < losses[0] / 4
    assert "<polyline" in (tmp_path / "run" / PICTURE).read_text()


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "train", 30)
    whole, killed = network_of(tiny_model), network_of(tiny_model)
    train(whole, examples, RECIPE, tmp_path / "whole", say=lambda _: None)

    def kill() -> dict[str, float]:
        raise Killed

    run = tmp_path / "killed"
    with pytest.raises(Killed):
        train(killed, examples, RECIPE, run, look=kill, look_every=7, checkpoint_every_s=0, say=lambda _: None)
    # Half a line, as a killed process leaves it.
    with (run / LOG).open("a") as log:
        log.write('{"step": 8, "lo')
    again = network_of(tiny_model)
    progress = train(again, examples, RECIPE, run, say=lambda _: None)
    assert progress.step == 16
    assert all(map(torch.equal, weights(whole), weights(again)))
    kept, straight = ((tmp_path / name / LOG).read_text().splitlines() for name in ("killed", "whole"))
    assert [json.loads(line)["loss"] for line in kept] == [json.loads(line)["loss"] for line in straight]


def test_a_checkpoint_of_another_run_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "train", 8)
    train(network_of(tiny_model), examples, RECIPE, tmp_path / "run", say=lambda _: None)
    with pytest.raises(CheckpointError, match="another run"):
        train(network_of(tiny_model), examples, RECIPE, tmp_path / "run", numbers=[1, 2, 3], say=lambda _: None)
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(network_of(tiny_model), examples, RECIPE, tmp_path / "run", say=lambda _: None)


def test_a_run_with_little_time_finishes_its_schedule_within_it(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "train", 2000)
    recipe = Recipe(rate=5e-3, batch=4, epochs=50, seconds=3.0)
    progress = train(network_of(tiny_model), examples, recipe, tmp_path / "run", say=lambda _: None)
    assert 0 < progress.step < recipe.steps(2000)
    rates = [json.loads(line)["rate"] for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert max(rates) > 0.9 * recipe.rate
    assert rates[-1] < 0.1 * recipe.rate


def test_a_paused_run_waits_and_the_wait_does_not_count(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "train", 8)
    answers = iter([True, False, False, True])
    said: list[str] = []
    recipe = Recipe(batch=4, seconds=1.5)
    run = tmp_path / "run"
    progress = train(network_of(tiny_model), examples, recipe, run, say=said.append, may_go=lambda: next(answers))
    assert progress.step == 2
    assert [line for line in said if "paused" in line] == ["paused: on battery, or others need the processor"]


def test_the_schedule_warms_up_and_ends_at_nothing() -> None:
    recipe = Recipe(rate=1.0, warmup=0.1)
    assert [round(recipe.rate_at(done), 2) for done in (0.0, 0.05, 0.1, 0.55, 1.0)] == [0.0, 0.5, 1.0, 0.5, 0.0]


def test_the_command_trains_judges_and_leaves_two_adapters(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simple_examples(tmp_path / "train", 40)
    simple_examples(tmp_path / "held", 8, seed=9)
    run = tmp_path / "run"
    words = [str(tiny_model), str(tmp_path / "train"), str(run), "--held-out", str(tmp_path / "held")]
    assert main([*words, "--name", "a/base", "--rank", "4", "--rate", "5e-3", "--device", "cpu"]) == 0
    figures = [json.loads((run / f"{when}.json").read_text())["report"]["all"]["nll"] for when in ("before", "after")]
    assert figures[1] < figures[0]
    assert {path.name for path in run.iterdir()} == {
        "adapter", "adapter-int8", "after.json", "before.json", LOG, PICTURE
    }  # fmt: skip
    assert "before" in capsys.readouterr().out
    assert main([str(tmp_path / "none.gguf"), str(tmp_path / "train"), str(run), "--name", "a"]) == 1
    assert "none.gguf" in capsys.readouterr().err
