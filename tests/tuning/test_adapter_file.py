"""A trained adapter's files: PEFT reads them, midfill merges them, int8 is nearly the same."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from model.library.adapter import TENSORS, AdapterError, open_adapter
from model.weights.merge import merged
from model.weights.source import open_source
from tests.tuning.simple_examples import simple_examples
from tests.tuning.test_network import started
from tuning.adapter_file import load_adapter, save_adapter
from tuning.data.packing import packs_of
from tuning.network import Network


def deltas(base: Path, folder: Path) -> dict[str, torch.Tensor]:
    """What an adapter changes, by matrix."""
    with open_source(base) as weights:
        both = merged(weights, open_adapter(folder))
        return {name: both.tensor(name) - weights.tensor(name) for name in open_adapter(folder).targets}


def test_peft_reads_it_and_says_the_same(tiny_model: Path, tmp_path: Path) -> None:
    from peft import PeftModel  # takes seconds

    network = started(tiny_model)
    save_adapter(network, tmp_path / "adapter", "a/base", "fp32")
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(tmp_path / "adapter"))
    examples = simple_examples(tmp_path / "examples", 1)
    (pack,) = packs_of(examples, [0], 1000)
    logits = peft(input_ids=pack.ids[None]).logits[0]
    nll = torch.nn.functional.cross_entropy(logits[pack.scored], pack.labels, reduction="none")
    assert torch.allclose(network.score(pack).nll, nll, atol=1e-4)


def test_what_is_merged_is_what_was_trained_in_each_kind(tiny_model: Path, tmp_path: Path) -> None:
    network = started(tiny_model)
    sizes = {
        kind: save_adapter(network, tmp_path / kind, "Qwen/Qwen2.5-Coder-0.5B-Instruct", kind)
        for kind in ("fp32", "fp16", "int8")
    }
    assert sizes["int8"] < sizes["fp16"] < sizes["fp32"]
    found = {kind: deltas(tiny_model, tmp_path / kind) for kind in sizes}
    for name, (a, b) in network.lora.items():
        truth = (network.alpha / network.rank * b @ a).detach()
        for kind, bound in (("fp32", 1e-5), ("fp16", 1e-3), ("int8", 1e-2)):
            assert (found[kind][name] - truth).norm() <= bound * truth.norm(), (kind, name)
    again = save_adapter(network, tmp_path / "again", "Qwen/Qwen2.5-Coder-0.5B-Instruct", "int8")
    assert again == sizes["int8"]
    assert open_adapter(tmp_path / "again").sha256 == open_adapter(tmp_path / "int8").sha256


def test_rows_of_zeros_stay_zeros_in_int8(tiny_model: Path, tmp_path: Path) -> None:
    network = started(tiny_model)
    for _, b in network.lora.values():
        b.data[::2] = 0
    save_adapter(network, tmp_path / "int8", "a/base", "int8")
    found = deltas(tiny_model, tmp_path / "int8")
    assert all((delta[::2] == 0).all() and (delta[1::2] != 0).any() for delta in found.values())


@pytest.mark.parametrize("fault", ["none", "short"])
def test_int8_without_its_scales_is_refused(tiny_model: Path, tmp_path: Path, fault: str) -> None:
    save_adapter(started(tiny_model), tmp_path / "int8", "a/base", "int8")
    tensors = load_file(tmp_path / "int8" / TENSORS)
    key = next(name for name in tensors if name.endswith(".scale"))
    if fault == "none":
        del tensors[key]
    else:
        tensors[key] = tensors[key][:-1].clone()
    save_file(tensors, tmp_path / "int8" / TENSORS)
    with pytest.raises(AdapterError, match=r"in int8.*scales"):
        open_adapter(tmp_path / "int8")


def test_the_configuration_says_all_that_peft_needs(tiny_model: Path, tmp_path: Path) -> None:
    save_adapter(started(tiny_model), tmp_path / "adapter", "a/base", "fp16")
    said = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert said["r"] == 4
    assert said["lora_alpha"] == 8.0
    assert said["base_model_name_or_path"] == "a/base"


@pytest.mark.parametrize(("kind", "bound"), [("fp32", 1e-6), ("int8", 1e-2)])
def test_training_goes_on_from_what_an_adapter_learned(
    tiny_model: Path, tmp_path: Path, kind: str, bound: float
) -> None:
    network = started(tiny_model)
    save_adapter(network, tmp_path / "adapter", "a/base", kind)
    other = Network(network.base, network.rank, 3.0 * network.rank, seed=7)  # another scale: B makes up for it
    load_adapter(other, tmp_path / "adapter")
    (pack,) = packs_of(simple_examples(tmp_path / "examples", 5), range(5), 1000)
    assert torch.allclose(other.score(pack).nll, network.score(pack).nll, atol=bound, rtol=bound)


def test_an_adapter_of_another_rank_cannot_be_gone_on_with(tiny_model: Path, tmp_path: Path) -> None:
    network = started(tiny_model)
    save_adapter(network, tmp_path / "adapter", "a/base", "fp16")
    with pytest.raises(AdapterError, match="at another rank"):
        load_adapter(Network(network.base, network.rank + 1, 8.0, seed=1), tmp_path / "adapter")
