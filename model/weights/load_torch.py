"""Builds torch's decoder: of a store (where nothing native runs, and as the truth), or of a published file in fp32.

Called by `load`, lazily: what runs a store with the native kernels never imports torch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import safe_open

from model.decoders.torch_decoder import Embedding, Layer, TorchDecoder
from model.library.store import WEIGHTS, read_manifest
from model.native.matrix_layout import ROWS
from model.weights.linear import Fp32Linear, Int8Linear, Linear, RowBlocks, needs_reduced_range, quantize_rows
from model.weights.packing import unpack
from model.weights.source import WeightSource

# Packing runs on one core per matrix at about 200 MB/s; two threads halve the start of the daemon.
_PACK_THREADS = 2
# Blocks of about 10 MB pack fastest.
_HEAD_BLOCK_ROWS = 9_496


def load_torch(
    store: Path, progress: Callable[[float], None] = lambda fraction: None, *, exact: bool = False
) -> TorchDecoder:
    """The same weights in torch: `exact` in fp32 (the kernels' truth), else packed for FBGEMM's int8.

    The embedding stays in the mapped file and rows are gathered from it. Progress goes from 0 to 1.
    """
    file = _Store(store)
    reduce_range = not exact and needs_reduced_range()

    def linear(name: str, rows: slice = slice(None)) -> Linear:
        weight = unpack(file.mapped(f"{name}.blocks")[rows]).dequantize()
        if exact:
            return Fp32Linear(weight, file.bias(name))
        return Int8Linear(*quantize_rows(weight), file.bias(name), reduce_range=reduce_range)

    def layer(index: int) -> Layer:
        prefix = f"layers.{index}."
        return Layer(
            attn_norm=file.copied(f"{prefix}attn_norm"),
            qkv=linear(f"{prefix}qkv"),
            o=linear(f"{prefix}o"),
            ffn_norm=file.copied(f"{prefix}ffn_norm"),
            gate_up=linear(f"{prefix}gate_up"),
            down=linear(f"{prefix}down"),
        )

    a = file.architecture
    with ThreadPoolExecutor(_PACK_THREADS) as pool:
        starts = range(0, a.vocab // ROWS, _HEAD_BLOCK_ROWS // ROWS)
        head = [pool.submit(linear, "head", slice(start, start + _HEAD_BLOCK_ROWS // ROWS)) for start in starts]
        layers = []
        for done, packed in enumerate(pool.map(layer, range(a.n_layers))):
            layers.append(packed)
            progress((done + 1) / a.n_layers)
        blocks = RowBlocks([block.result() for block in head])
    return TorchDecoder(a, file.embedding(), layers, file.copied("norm"), blocks)


class _Store:
    """A store's tensors, mapped. StoreError when it is damaged."""

    def __init__(self, store: Path) -> None:
        self.architecture = read_manifest(store).architecture
        with safe_open(store / WEIGHTS, framework="pt") as file:
            names: list[str] = list(file.keys())
            self._tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in names}

    def mapped(self, name: str) -> torch.Tensor:
        """A tensor whose pages are read from the file when they are touched."""
        return self._tensors[name]

    def copied(self, name: str) -> torch.Tensor:
        """A tensor in memory."""
        return self._tensors[name].clone()

    def bias(self, name: str) -> torch.Tensor | None:
        """The bias of a linear, if it has one."""
        return self.copied(f"{name}.bias") if f"{name}.bias" in self._tensors else None

    def embedding(self) -> Embedding:
        """The embedding: as fp32 it would take 544 MB for the 0.5B."""
        return Embedding(self.mapped("embed.weight"), self.copied("embed.scale"))


def load_fp32(weights: WeightSource) -> TorchDecoder:
    """The same model with fp32 linears: the truth that int8 is measured against."""

    def linear(*names: str, prefix: str = "") -> Fp32Linear:
        bias = None
        if weights.architecture.qkv_bias and names[0] == "q":
            bias = torch.cat([weights.tensor(f"{prefix}{name}.bias") for name in names])
        return Fp32Linear(torch.cat([weights.tensor(prefix + name) for name in names]), bias)

    def layer(index: int) -> Layer:
        prefix = f"layers.{index}."
        return Layer(
            attn_norm=weights.tensor(f"{prefix}attn_norm"),
            qkv=linear("q", "k", "v", prefix=prefix),
            o=linear("o", prefix=prefix),
            ffn_norm=weights.tensor(f"{prefix}ffn_norm"),
            gate_up=linear("gate", "up", prefix=prefix),
            down=linear("down", prefix=prefix),
        )

    layers = [layer(index) for index in range(weights.architecture.n_layers)]
    embedding = Embedding(weights.tensor("embed"), None)
    return TorchDecoder(weights.architecture, embedding, layers, weights.tensor("norm"), linear("head"))
