"""What a teacher says is kept as it is, and is learned from by its share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tuning.data.test_packing import kin
from tests.tuning.simple_examples import simple_examples
from tests.tuning.test_network import CPU, started
from tuning import teacher as teacher_module
from tuning.base import load_base
from tuning.data.packing import packs_of
from tuning.network import Network, Wanted
from tuning.teacher import KEPT, TeacherError, hear, read_teacher
from tuning.train import Recipe, train


def test_losses_and_gradients_are_those_of_the_cross_entropy_with_what_is_wanted(
    tiny_model: Path, tmp_path: Path
) -> None:
    (pack,) = packs_of(simple_examples(tmp_path / "x", 9), range(9), 10_000)
    generator = torch.Generator().manual_seed(3)
    n_tokens = load_base(tiny_model, CPU).tensors["head"].shape[0]
    others = torch.randint(n_tokens, (len(pack.labels), 4), generator=generator)
    tokens = torch.cat([pack.labels[:, None], others, pack.labels[:, None]], dim=1)  # the true one twice
    chances = torch.rand(tokens.shape, generator=generator)
    chances /= chances.sum(dim=1, keepdim=True)
    ours, truth = started(tiny_model), started(tiny_model)
    loss = ours.score(pack, Wanted(tokens, chances)).nll.sum()
    loss.backward()
    likelihoods = torch.log_softmax(truth.scores(pack), dim=-1)
    expected = -(likelihoods.gather(1, tokens) * chances).sum()
    expected.backward()
    assert torch.allclose(loss, expected, rtol=1e-5)
    for name, weight in ours.parameters().items():
        assert weight.grad is not None
        assert torch.allclose(weight.grad, truth.parameters()[name].grad, rtol=1e-4, atol=1e-6), name


def test_what_is_kept_is_what_it_says_of_each_example_alone(tiny_model: Path, tmp_path: Path) -> None:
    examples, network = kin(tmp_path / "x", 4, 5, n_shared=70), started(tiny_model)
    hear(network, examples, tmp_path / "said", 300)
    said = read_teacher(tmp_path / "said", examples)
    assert [path.name for path in tmp_path.iterdir() if "said" in path.name] == ["said"]
    for number in range(len(examples)):
        (pack,) = packs_of(examples, [number], 10_000)
        wanted = said.wanted(pack, 0.25)
        with torch.no_grad():
            chances, likely = torch.softmax(network.scores(pack), dim=-1).topk(KEPT)
        assert torch.equal(wanted.tokens, torch.cat([pack.labels[:, None], likely], dim=1))
        assert torch.allclose(wanted.chances[:, 1:], 0.25 * chances / chances.sum(1, keepdim=True), atol=1e-3)
        assert torch.allclose(wanted.chances[:, 0], torch.tensor(0.75))
        assert torch.allclose(wanted.chances.sum(dim=1), torch.tensor(1.0), atol=2e-3)


def test_a_killed_run_goes_on_from_its_last_part(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_module, "_AT_ONCE", 4)
    examples, network = simple_examples(tmp_path / "x", 10), started(tiny_model)
    hear(network, examples, tmp_path / "whole", 500)
    asked: list[list[int]] = []
    listen = teacher_module.listen

    def dies(network: Network, examples: object, numbers: list[int], max_tokens: int) -> object:
        asked.append(numbers)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return listen(network, examples, numbers, max_tokens)  # type: ignore[arg-type]

    monkeypatch.setattr(teacher_module, "listen", dies)
    with pytest.raises(KeyboardInterrupt):
        hear(network, examples, tmp_path / "killed", 500)
    hear(network, examples, tmp_path / "killed", 500)
    assert [numbers[0] for numbers in asked] == [0, 4, 4, 8]
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_what_was_said_of_other_examples_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "x", 5)
    hear(started(tiny_model), examples, tmp_path / "said", 500)
    with pytest.raises(TeacherError, match="of other examples"):
        read_teacher(tmp_path / "said", simple_examples(tmp_path / "y", 5, seed=1))
    with pytest.raises(TeacherError, match="no teacher's file"):
        read_teacher(tmp_path / "x.none", examples)
    np.save((tmp_path / "said").open("wb"), np.zeros(3))
    with pytest.raises(TeacherError, match="no teacher's file"):
        read_teacher(tmp_path / "said", examples)


def test_who_hears_the_teacher_alone_comes_nearer_to_it(tiny_model: Path, tmp_path: Path) -> None:
    """The teacher knows nothing of the true tokens: it is followed, and they are not."""
    examples, master = simple_examples(tmp_path / "x", 40), started(tiny_model)
    hear(master, examples, tmp_path / "said", 500)
    said = read_teacher(tmp_path / "said", examples)
    pupil = Network(load_base(tiny_model, CPU), 4, 8.0, seed=5)
    (pack,) = packs_of(examples, range(40), 10_000)

    def distance() -> float:
        with torch.no_grad():
            return float(pupil.score(pack, said.wanted(pack, 1.0)).nll.sum())

    before = distance()
    train(pupil, examples, Recipe(rate=1e-2, epochs=4, taught=1.0), tmp_path / "run", teacher=said)
    assert distance() < before
