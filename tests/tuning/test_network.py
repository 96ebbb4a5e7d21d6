"""The trained network against its truth: transformers' model under PEFT, one example at a time."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from model.library.adapter import PARTS
from tests.model.tiny_adapter import LINEAR, untrained
from tests.tuning.data.test_packing import kin
from tests.tuning.simple_examples import simple_examples
from tuning.base import load_base
from tuning.data.packing import packs_of
from tuning.network import Network

CPU = torch.device("cpu")
HUGGING_FACE = {store: module for module, store in PARTS.items()}


def started(base: Path, rank: int = 4) -> Network:
    """A network whose B is not zero, so that every gradient is something."""
    network = Network(load_base(base, CPU), rank, 2.0 * rank, seed=1)
    generator = torch.Generator().manual_seed(2)
    for _, b in network.lora.values():
        b.data = torch.randn(b.shape, generator=generator) * 0.05
        b.requires_grad_()
    return network


@pytest.mark.parametrize("max_tokens", [10_000, 300, 1], ids=["one pack", "several packs", "unpacked"])
@pytest.mark.parametrize("keeps_tokens", [10_000, 0], ids=["kept", "computed again"])
@pytest.mark.parametrize("is_kin", [False, True], ids=["strangers", "kin"])
def test_packed_losses_and_gradients_are_those_of_peft_one_by_one(
    tiny_model: Path, tmp_path: Path, max_tokens: int, keeps_tokens: int, is_kin: bool
) -> None:
    network = started(tiny_model)
    network.keeps_tokens = keeps_tokens
    peft = untrained(tiny_model, r=4, lora_alpha=8, target_modules=LINEAR)
    theirs = dict(peft.named_parameters())
    pairs = {}
    for name, ours in network.lora.items():
        layer, part = name.rsplit(".", 1)
        for half, weight in zip("AB", ours, strict=True):
            there = theirs[f"base_model.model.model.{layer}.{HUGGING_FACE[part]}.lora_{half}.default.weight"]
            there.data = weight.detach().clone()
            pairs[f"{name}.{half}"] = (weight, there)
    path = tmp_path / "examples.safetensors"
    examples = kin(path, 4, 5, n_shared=70) if is_kin else simple_examples(path, 23)
    expected = torch.zeros(())
    for number in range(len(examples)):
        ids, target = torch.from_numpy(examples[number].astype("int64")), int(examples.targets[number])
        logits = peft(input_ids=ids[None]).logits[0]
        loss = cross_entropy(logits[target - 1 : -1], ids[target:], reduction="sum")
        loss.backward()
        expected += loss.detach()
    packs = packs_of(examples, range(len(examples)), max_tokens)
    found = torch.zeros(())
    for pack in packs:
        loss = network.score(pack).nll.sum()
        loss.backward()
        found += loss.detach()
    assert (len(packs) == 1) == (max_tokens == 10_000)
    assert torch.allclose(found, expected, rtol=1e-5)
    for name, (ours, there) in pairs.items():
        assert ours.grad is not None
        assert there.grad is not None
        assert there.grad.abs().max() > 0, name
        assert (ours.grad - there.grad).abs().max() < 1e-5 * max(float(there.grad.abs().max()), 1.0), name


def test_a_new_adapter_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    examples = simple_examples(tmp_path / "examples.safetensors", 3)
    (pack,) = packs_of(examples, range(3), 1000)
    plain = Network(load_base(tiny_model, CPU), 4, 8.0, seed=1).score(pack)
    other = Network(load_base(tiny_model, CPU), 8, 8.0, seed=2).score(pack)
    assert torch.equal(plain.nll, other.nll)
    assert not torch.equal(plain.nll, started(tiny_model).score(pack).nll)


def test_the_upper_layers_learn_as_they_do_with_all_and_the_lower_ones_stay(tiny_model: Path, tmp_path: Path) -> None:
    (pack,) = packs_of(simple_examples(tmp_path / "examples.safetensors", 3), range(3), 1000)
    every, upper = started(tiny_model), Network(load_base(tiny_model, CPU), 4, 8.0, seed=1, layers=1)
    with torch.no_grad():
        for name, pair in upper.lora.items():
            for ours, theirs in zip(pair, every.lora[name], strict=True):
                ours.copy_(theirs)
    for network in (every, upper):
        network.score(pack).nll.sum().backward()
    assert 0 < len(upper.parameters()) < len(every.parameters())
    for name, weight in upper.parameters().items():
        assert torch.equal(weight.grad, every.parameters()[name].grad), name
    last = every.base.architecture.n_layers - 1
    assert all(name.startswith(f"layers.{last}.") for name in upper.parameters())
    assert all(half.grad is None for name, pair in upper.lora.items() for half in pair if f"layers.{last}." not in name)
