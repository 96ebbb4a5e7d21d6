"""Merges a LoRA adapter into the weights of its base, one matrix at a time, on the way to the store.

The truth is PEFT's `merge_and_unload`: the tests compare logits. Called by `quantize` and `load`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from model.library.adapter import HEAD, TENSORS, Adapter, AdapterError, open_adapter, scale_name
from model.library.architecture import Architecture
from model.library.catalog import ModelSource
from model.weights.source import WeightSource, open_source


@contextmanager
def open_weights(source: ModelSource, file: Path) -> Iterator[WeightSource]:
    """The fp32 weights of a model: its published file's, with its adapters merged in."""
    with open_source(file) as weights:
        for known in source.adapters:
            adapter = open_adapter(known.folder)
            if adapter.sha256 != known.sha256:
                again = f"`midfill model rm {known.name}`, then add it again"
                remedy = "install midfill again" if known is source.shipped else again
                raise AdapterError(f"the copy of the adapter {known.name} is damaged: {remedy}")
            weights = merged(weights, adapter)
        yield weights


def merged(weights: WeightSource, adapter: Adapter) -> WeightSource:
    """The same model with W + scale * B @ A in place of each adapted W; AdapterError when the shapes do not fit."""
    if weights.architecture.foreign:
        raise AdapterError(f"{weights.architecture.foreign}: adapters for such models are not supported")
    expected = _shapes(weights.architecture)
    for name, (out, _, width) in adapter.shapes.items():
        module = adapter.targets[name]
        if name not in expected:
            raise AdapterError(
                f"the adapter does not fit this base: it adapts {module}, the base has {weights.architecture.n_layers} "
                "layers. Give the model it was trained on with --model"
            )
        if (out, width) != expected[name]:
            raise AdapterError(
                f"the adapter does not fit this base: {module} is {(out, width)} in the adapter and {expected[name]} "
                "in the base. Give the model it was trained on with --model"
            )
    if "head" in adapter.shapes and weights.is_tied:
        raise AdapterError("the adapter changes lm_head, which in this base is the embedding as well: not supported")
    deltas = safe_open(adapter.folder / TENSORS, framework="pt")

    def tensor(name: str) -> torch.Tensor:
        weight = deltas.get_tensor(HEAD).float() if name == "head" and adapter.has_head else weights.tensor(name)
        if name not in adapter.targets:
            return weight
        a, b = (read_half(deltas, f"base_model.model.{adapter.targets[name]}.lora_{half}.weight") for half in "AB")
        return torch.addmm(weight, b, a, alpha=adapter.scale(name))

    return replace(weights, tensor=tensor)


def read_half(deltas: Any, name: str) -> torch.Tensor:
    """A or B of an opened adapter in fp32, whatever it is kept in."""
    weight: torch.Tensor = deltas.get_tensor(name)
    if weight.dtype != torch.int8:
        return weight.float()
    scale: torch.Tensor = deltas.get_tensor(scale_name(name))
    return weight.float() * scale.float()[:, None]


def _shapes(a: Architecture) -> dict[str, tuple[int, int]]:
    """The (out, in) of every matrix that an adapter may change, by store name."""
    queries, keys = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim
    layer = {
        "q": (queries, a.hidden),
        "k": (keys, a.hidden),
        "v": (keys, a.hidden),
        "o": (a.hidden, queries),
        "gate": (a.intermediate, a.hidden),
        "up": (a.intermediate, a.hidden),
        "down": (a.hidden, a.intermediate),
    }
    every = {f"layers.{index}.{part}": shape for index in range(a.n_layers) for part, shape in layer.items()}
    return {**every, "head": (a.vocab, a.hidden)}
