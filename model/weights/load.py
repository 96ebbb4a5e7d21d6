"""Builds a Decoder: low-bit from a store (what the daemon runs), or fp32 from the published file (the truth).

Rules: a store that the native kernels run is opened with NumPy alone. torch and transformers are imported where
something needs them, and nowhere else.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path

from model.decoders.interface import Decoder
from model.decoders.native_decoder import Embedding, NativeDecoder, PackedLayer, PackedLinear, runs_natively
from model.library import extras
from model.library.architecture import foreign_reason
from model.library.catalog import ModelSource
from model.library.store import WEIGHTS, read_manifest
from model.native import binding
from model.weights.mapped import MappedTensors
from model.weights.prepare import choose_kind, ensure_store


def open_decoder(
    source: ModelSource,
    file: Path,
    quantization: str,
    n_threads: int,
    on_quantize: Callable[[float], None] = lambda done: None,
    on_load: Callable[[float], None] = lambda done: None,
) -> tuple[Decoder, Path]:
    """The decoder of a published file, and its store, which is made if need be.

    quantization: "auto", one of store.KINDS, or "fp32": the truth that evals compare with. Sets torch's threads
    for this process, where torch computes. UnsupportedModel, ModelError, StoreError or OSError as from what it calls.
    """
    is_foreign = bool(foreign_reason(file))
    store = ensure_store(source, file, "int8" if is_foreign else choose_kind(quantization), on_quantize)
    if not is_foreign and quantization != "fp32":
        return load(store, n_threads, on_load), store
    extras.require("transformers" if is_foreign else "quantize", f"running {source.model_id} like this")
    import torch

    from model.decoders.transformers_decoder import load_transformers
    from model.weights.load_torch import load_fp32
    from model.weights.merge import open_weights

    torch.set_num_threads(n_threads)
    if is_foreign:
        return load_transformers(file, read_manifest(store).architecture, exact=quantization == "fp32"), store
    with open_weights(source, file) as weights:
        return load_fp32(weights), store


def load(store: Path, n_threads: int, progress: Callable[[float], None] = lambda fraction: None) -> Decoder:
    """Load a store with the native kernels, or without them in torch; StoreError when it is damaged."""
    library = binding.load(n_threads)
    architecture = read_manifest(store).architecture
    if library is not None and runs_natively(architecture):
        return load_native(store, library)
    extras.require("quantize", "running a model without the native kernels")
    import torch

    from model.weights.load_torch import load_torch

    torch.set_num_threads(n_threads)
    return load_torch(store, progress)


def load_native(store: Path, library: ctypes.CDLL) -> NativeDecoder:
    """Map a store: nothing is copied but norms, biases and the embedding's scales."""
    a = read_manifest(store).architecture
    file = MappedTensors(store / WEIGHTS)

    def bias(name: str) -> binding.Array | None:
        return binding.copied(file[name]) if name in file else None

    def linear(name: str) -> PackedLinear:
        return PackedLinear(file[f"{name}.blocks"], bias(f"{name}.bias"))

    def layer(index: int) -> PackedLayer:
        prefix = f"layers.{index}."
        return PackedLayer(
            attn_norm=binding.copied(file[f"{prefix}attn_norm"]),
            qkv=linear(f"{prefix}qkv"),
            o=linear(f"{prefix}o"),
            ffn_norm=binding.copied(file[f"{prefix}ffn_norm"]),
            gate_up=linear(f"{prefix}gate_up"),
            down=linear(f"{prefix}down"),
        )

    # As fp32 the embedding would take 544 MB for the 0.5B.
    embedding = Embedding(file["embed.weight"], binding.copied(file["embed.scale"]))
    layers = [layer(index) for index in range(a.n_layers)]
    return NativeDecoder(library, a, embedding, layers, binding.copied(file["norm"]), linear("head"))
