"""Loads the weights that an adapter is trained for: the published file's, as the product quantizes them later.

Rules: bf16 on cards, fp32 on processors. Tensors are read by several threads, since unpacking a GGUF file is most of
the time.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from model.library.catalog import ModelSource
from model.weights.merge import open_weights
from model.weights.source import WeightSource, open_source
from tuning.network import Base


def device_of(name: str) -> torch.device:
    """The device of a name, made ready; "auto" is the card where there is one."""
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape, and each pack has its own
    return device


def load_base(path: Path, device: torch.device, n_threads: int = 4) -> Base:
    """The weights of a .gguf file or a safetensors folder."""
    with open_source(path) as source:
        return _load(source, device, n_threads)


def load_model(source: ModelSource, path: Path, device: torch.device, n_threads: int = 4) -> Base:
    """The weights of a model, whose file is at `path`: with its adapter merged in if it has one."""
    with open_weights(source, path) as weights:
        return _load(weights, device, n_threads)


def _load(source: WeightSource, device: torch.device, n_threads: int) -> Base:
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    parts = [f"layers.{i}.{part}" for i in range(source.architecture.n_layers) for part in source.layer_names()]
    names = ["embed", "norm", *([] if source.is_tied else ["head"]), *parts]
    with ThreadPoolExecutor(n_threads) as pool:
        tensors = dict(zip(names, pool.map(lambda name: source.tensor(name).to(device, dtype), names), strict=True))
    tensors.setdefault("head", tensors["embed"])
    return Base(source.architecture, tensors)
