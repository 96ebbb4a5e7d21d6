"""Private training on the tiny model: its sums by hand, what one example can do, what is spent, and canaries."""

import math
import stat
from pathlib import Path

import pytest
import torch

from tests.tuning.simple_examples import END, simple_examples
from tests.tuning.test_train import Killed, network_of, weights
from tuning.data.example_file import ExampleFile, read, write
from tuning.data.packing import packs_of
from tuning.judge import judge
from tuning.network import Network
from tuning.private import SECRET, PrivacyError, Private, draws, freeze_inputs, plan, private_step
from tuning.train import Recipe, train

_KEY = b"0123456789"


def blur_of(noise: float, chance: float = 1.0, steps: int = 4) -> Private:
    return Private(epsilon=8.0, delta=1e-5, noise=noise, chance=chance, steps=steps)


def gradient_of(network: Network, examples: ExampleFile, batch: list[int], private: Private) -> torch.Tensor:
    """What a step gives the optimizer, with which it changes nothing, times the examples expected."""
    optimizer = torch.optim.SGD(network.parameters().values(), lr=0.0)
    private_step(network, examples, batch, optimizer, private, step=0, secret=_KEY, n_expected=1.0)
    return torch.cat([p.grad.flatten() for p in network.parameters().values() if p.grad is not None])


def alone(network: Network, examples: ExampleFile, number: int) -> torch.Tensor:
    """An example's own gradient."""
    nll = network.score(packs_of(examples, [number], 500)[0]).nll.mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(nll, list(network.parameters().values()))])


def test_a_step_adds_up_gradients_of_length_1(tiny_model: Path, tmp_path: Path) -> None:
    examples, network = simple_examples(tmp_path / "train", 5), network_of(tiny_model)
    freeze_inputs(network)
    single = [alone(network, examples, number) for number in range(5)]
    by_hand = torch.stack([g / (g.norm() + 0.01) for g in single]).sum(0)
    assert torch.allclose(gradient_of(network, examples, [0, 1, 2, 3, 4], blur_of(0.0)), by_hand, atol=1e-5)


def test_one_example_more_changes_the_sum_by_at_most_1(tiny_model: Path, tmp_path: Path) -> None:
    examples, network = simple_examples(tmp_path / "train", 6), network_of(tiny_model)
    freeze_inputs(network)
    with_all, without = (gradient_of(network, examples, list(range(n)), blur_of(0.0)) for n in (6, 5))
    assert 0.5 < (with_all - without).norm() <= 1.0


def test_the_noise_is_as_large_as_was_said_and_another_at_each_step(tiny_model: Path, tmp_path: Path) -> None:
    examples, network = simple_examples(tmp_path / "train", 2), network_of(tiny_model)
    freeze_inputs(network)
    optimizer = torch.optim.SGD(network.parameters().values(), lr=0.0)
    blurs = []
    for step in (0, 1):
        private_step(network, examples, [], optimizer, blur_of(3.0), step=step, secret=_KEY, n_expected=1.0)
        blurs.append(torch.cat([p.grad.flatten() for p in network.parameters().values() if p.grad is not None]))
    assert [round(float(blur.std()), 1) for blur in blurs] == [3.0, 3.0]
    assert abs(float(torch.corrcoef(torch.stack(blurs))[0, 1])) < 0.05


def test_each_step_draws_each_example_with_its_chance() -> None:
    private = blur_of(1.0, chance=0.25, steps=400)
    every = list(draws(private, _KEY, list(range(100)), 0))
    sizes = [len(batch) for batch in every]
    assert 23 < sum(sizes) / len(sizes) < 27
    assert max(sizes) > 30 > 20 > min(sizes)
    assert list(draws(private, _KEY, list(range(100)), 390)) == every[390:]
    assert list(draws(private, b"other", list(range(100)), 0)) != every


def test_what_is_spent_is_what_was_asked_for_and_less_before_the_end() -> None:
    private = plan(8.0, n_examples=1000, batch=64, steps=30)
    assert private.delta == pytest.approx(1e-4)
    assert 7.5 < private.spent(30) <= 8.0
    assert 0 == private.spent(0) < private.spent(10) < private.spent(30)
    assert plan(2.0, 1000, 64, 30).noise > private.noise


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_an_epsilon_that_keeps_nothing_is_a_sentence(epsilon: float) -> None:
    with pytest.raises(PrivacyError, match="between 1 and 10"):
        plan(epsilon, 1000, 64, 30)


def test_a_killed_private_run_ends_with_the_same_bits_and_leaves_no_secret(tiny_model: Path, tmp_path: Path) -> None:
    examples, recipe, private = simple_examples(tmp_path / "train", 30), Recipe(rate=1e-2), blur_of(0.5, 0.3, 6)
    killed = tmp_path / "killed"

    def kill() -> dict[str, float]:
        raise Killed

    with pytest.raises(Killed):
        train(network_of(tiny_model), examples, recipe, killed, look=kill, look_every=4, checkpoint_every_s=0,
              say=lambda _: None, private=private)  # fmt: skip
    secret = killed / SECRET
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / SECRET).write_bytes(secret.read_bytes())
    ended = []
    for folder in (killed, whole):
        network = network_of(tiny_model)
        assert train(network, examples, recipe, folder, say=lambda _: None, private=private).step == 6
        assert not (folder / SECRET).exists()
        ended.append(weights(network))
    assert all(map(torch.equal, *ended))


def with_canary(path: Path, n: int) -> ExampleFile:
    """Examples that follow a rule, and a last one that says a number of its own."""
    simple = simple_examples(path.with_suffix(".simple"), n, longest=12)
    canary = [*b"my pin is ", *b"7301", END]
    sequences = [list(simple[number]) for number in range(n)] + [canary]
    said = [*simple.examples, {"language": "python", "kind": "line", "source": "canary", "end": "text"}]
    write(path, sequences, [*map(int, simple.targets), 10], said)
    return read(path)


def test_a_canary_is_learned_without_privacy_and_not_with_it(tiny_model: Path, tmp_path: Path) -> None:
    examples, recipe = with_canary(tmp_path / "train", 23), Recipe(rate=2e-2, batch=8, epochs=12)
    private = plan(4.0, len(examples), recipe.batch, recipe.steps(len(examples)))
    found = {}
    for name, way in (("plain", None), ("private", private)):
        network = network_of(tiny_model, rank=16)
        before = judge(network, examples, 500)[-1]
        train(network, examples, recipe, tmp_path / name, say=lambda _: None, private=way)
        found[name] = judge(network, examples, 500)[-1]
    assert found["plain"].exact
    assert not found["private"].exact
    assert found["private"].nll > before.nll / 2 > found["plain"].nll
