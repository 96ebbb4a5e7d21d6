"""What a store holds for a graphics card, and the decoder made from it.

    embed.weight           bf16; the head has none of its own where the model ties them
    <matrix>.*             per kind, see `gpu_linear.tensors_of`; q|k|v and gate|up are one matrix each
    <matrix>.bias, *norm   fp32

Kinds: "nf4" and "llmint8" by bitsandbytes, with the head in bf16 as transformers leaves it; "bf16"; and, never
stored but for comparison, "fp32".

Rules: one matrix at a time passes through, on the device where the source's tensors are: the CPU quantizes, too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from model.decoders.gpu_decoder import GpuDecoder
from model.decoders.gpu_linear import OUTLIER, linear_of, tensors_of
from model.decoders.gpu_steps import Capture
from model.decoders.torch_decoder import Layer
from model.library.architecture import Architecture
from model.library.store import WEIGHTS, read_manifest
from model.weights.linear import Linear
from model.weights.source import WeightSource

_PARTS = {"qkv": ("q", "k", "v"), "o": ("o",), "gate_up": ("gate", "up"), "down": ("down",)}


def gpu_parts(weights: WeightSource, kind: str) -> Iterator[dict[str, torch.Tensor]]:
    """The store's tensors in order: embedding, each layer, then the head and the last norm."""
    a = weights.architecture
    wide = torch.float32 if kind == "fp32" else torch.bfloat16
    embedding = weights.tensor("embed").to(wide)
    yield {"embed.weight": embedding}
    for index in range(a.n_layers):
        prefix = f"layers.{index}."
        part = {f"{prefix}{norm}": weights.tensor(f"{prefix}{norm}") for norm in ("attn_norm", "ffn_norm")}
        for name, names in _PARTS.items():
            part |= tensors_of(prefix + name, torch.cat([weights.tensor(prefix + each) for each in names]), kind)
        if a.qkv_bias:
            part[f"{prefix}qkv.bias"] = torch.cat([weights.tensor(f"{prefix}{name}.bias") for name in "qkv"])
        yield part
    head = weights.tensor("head").to(wide)
    own = {} if torch.equal(head, embedding) else {"head.weight": head}
    yield own | {"norm": weights.tensor("norm")}


def load_gpu(store: Path, device: torch.device, capture: Capture | None = None) -> GpuDecoder:
    """The decoder of a store on a device; StoreError when it is damaged, OutOfMemoryError when it does not fit."""
    manifest = read_manifest(store)
    tensors = load_file(store / WEIGHTS, device=str(device))
    return gpu_decoder(manifest.architecture, tensors, capture=capture)


def gpu_decoder(
    architecture: Architecture,
    tensors: Mapping[str, torch.Tensor],
    *,
    dtype: torch.dtype | None = None,
    outlier: float = OUTLIER,
    capture: Capture | None = None,
) -> GpuDecoder:
    """The decoder of a store's tensors, where they lie; `dtype` None: that of the embedding."""
    embedding = tensors["embed.weight"] if dtype is None else tensors["embed.weight"].to(dtype)

    def small(name: str) -> torch.Tensor:
        return tensors[name].to(embedding.dtype)

    def linear(name: str) -> Linear:
        bias = small(f"{name}.bias") if f"{name}.bias" in tensors else None
        return linear_of(name, tensors, bias, outlier)

    def layer(index: int) -> Layer:
        prefix = f"layers.{index}."
        return Layer(
            attn_norm=small(f"{prefix}attn_norm"),
            qkv=linear(f"{prefix}qkv"),
            o=linear(f"{prefix}o"),
            ffn_norm=small(f"{prefix}ffn_norm"),
            gate_up=linear(f"{prefix}gate_up"),
            down=linear(f"{prefix}down"),
        )

    head = tensors.get("head.weight", embedding).to(embedding.dtype)
    return GpuDecoder(
        architecture,
        embedding,
        [layer(index) for index in range(architecture.n_layers)],
        small("norm"),
        linear_of("head", {"head.weight": head}, None),
        capture,
    )
