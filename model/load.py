"""Builds a Decoder: int8 from a store (what the daemon runs), or fp32 from the published file (the truth)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import safe_open

from model.decoder import Decoder, Embedding, Layer
from model.linear import Fp32Linear, Int8Linear, Linear, RowBlocks, needs_reduced_range
from model.source import WeightSource
from model.store import WEIGHTS, read_manifest

# Packing runs on one core per matrix at about 200 MB/s; two threads halve the start of the daemon.
_PACK_THREADS = 2
# Blocks of about 10 MB pack fastest.
_HEAD_BLOCK_ROWS = 9_496


def load_int8(store: Path, progress: Callable[[float], None] = lambda fraction: None) -> Decoder:
    """Load an int8 store; StoreError when it is damaged. Progress goes from 0 to 1.

    The embedding stays in the mapped file and rows are gathered from it: as fp32 it would take 544 MB
    for the 0.5B. Everything else is packed into memory.
    """
    architecture = read_manifest(store).architecture
    reduce_range = needs_reduced_range()
    with safe_open(store / WEIGHTS, framework="pt") as file:
        names = set(file.keys())

        def linear(name: str) -> Int8Linear:
            bias = file.get_tensor(f"{name}.bias").clone() if f"{name}.bias" in names else None
            return Int8Linear(
                file.get_tensor(f"{name}.weight"),
                file.get_tensor(f"{name}.scale"),
                bias,
                reduce_range=reduce_range,
            )

        def layer(index: int) -> Layer:
            prefix = f"layers.{index}."
            return Layer(
                attn_norm=file.get_tensor(f"{prefix}attn_norm").clone(),
                qkv=linear(f"{prefix}qkv"),
                o=linear(f"{prefix}o"),
                ffn_norm=file.get_tensor(f"{prefix}ffn_norm").clone(),
                gate_up=linear(f"{prefix}gate_up"),
                down=linear(f"{prefix}down"),
            )

        def head_block(begin: int) -> Linear:
            rows = slice(begin, begin + _HEAD_BLOCK_ROWS)
            weight, scale = file.get_slice("head.weight")[rows], file.get_tensor("head.scale")[rows]
            return Int8Linear(weight, scale, None, reduce_range=reduce_range)

        with ThreadPoolExecutor(_PACK_THREADS) as pool:
            head = [pool.submit(head_block, row) for row in range(0, architecture.vocab, _HEAD_BLOCK_ROWS)]
            layers = []
            for done, packed in enumerate(pool.map(layer, range(architecture.n_layers))):
                layers.append(packed)
                progress((done + 1) / architecture.n_layers)
            blocks = RowBlocks([block.result() for block in head])
        norm = file.get_tensor("norm").clone()
    return Decoder(architecture, _map_embedding(store), layers, norm, blocks)


def _map_embedding(store: Path) -> Embedding:
    """Map the store afresh: the mapping that packing read through would keep all its pages resident."""
    with safe_open(store / WEIGHTS, framework="pt") as file:
        return Embedding(file.get_tensor("embed.weight"), file.get_tensor("embed.scale").clone())


def load_fp32(weights: WeightSource) -> Decoder:
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
    return Decoder(weights.architecture, embedding, layers, weights.tensor("norm"), linear("head"))
