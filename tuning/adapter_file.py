"""Writes a trained adapter as PEFT does, in fp32, fp16 or int8, for `midfill model add` and for the package.

In int8 a matrix is whole numbers from -127 to 127 and a bf16 scale for each of its rows, in a tensor of its own
(`...lora_A.scale`): half the size of fp16. PEFT does not read that; `model.weights.merge` does.

Rules: whole, or not at all. The same adapter makes the same bytes.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model.library.adapter import CONFIG, PARTS, TENSORS, AdapterError, open_adapter
from model.weights.merge import read_half
from tuning.network import Network

KINDS = ("fp32", "fp16", "int8")
_HUGGING_FACE = {store: module for module, store in PARTS.items()}


def save_adapter(network: Network, folder: Path, base_name: str, kind: str) -> int:
    """Write an adapter's folder anew; returns its bytes. `base_name` is what the base is called on the hub."""
    tensors: dict[str, torch.Tensor] = {}
    for name, pair in network.lora.items():
        for half, weight in zip("AB", pair, strict=True):
            key = f"base_model.model.{_module(name)}.lora_{half}"
            tensors |= _stored(key, weight.detach().cpu(), kind)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": network.rank,
        "lora_alpha": network.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(module.rsplit(".", 1)[1] for module in PARTS),
        "inference_mode": True,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file(tensors, partial / TENSORS, metadata={"format": "pt"})
        (partial / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sum(file.stat().st_size for file in folder.iterdir())


def load_adapter(network: Network, folder: Path) -> None:
    """Have a network begin with what an adapter learned. AdapterError where it is none, or none for this network."""
    adapter = open_adapter(folder)
    if adapter.targets.keys() != network.lora.keys() or any(
        shape != (len(network.lora[name][1]), network.rank, network.lora[name][0].shape[1])
        for name, shape in adapter.shapes.items()
    ):
        raise AdapterError(f"{folder} adapts other layers, or at another rank, than are to be trained")
    with safe_open(folder / TENSORS, framework="pt") as file, torch.no_grad():
        for name, pair in network.lora.items():
            # The part that is learned does not say by what it is multiplied: put the difference into B.
            factors = (1.0, adapter.scale(name) * network.rank / network.alpha)
            for half, weight, factor in zip("AB", pair, factors, strict=True):
                weight.copy_(read_half(file, f"base_model.model.{_module(name)}.lora_{half}.weight") * factor)


def _module(name: str) -> str:
    """Hugging Face's name of a linear layer: layers.3.q -> model.layers.3.self_attn.q_proj."""
    layer, part = name.rsplit(".", 1)
    return f"model.{layer}.{_HUGGING_FACE[part]}"


def _stored(key: str, weight: torch.Tensor, kind: str) -> dict[str, torch.Tensor]:
    if kind != "int8":
        return {f"{key}.weight": weight.to(torch.float16 if kind == "fp16" else torch.float32).contiguous()}
    scale = (weight.abs().amax(dim=1) / 127).to(torch.bfloat16)
    steps = scale.float().clamp_min(torch.finfo(torch.float32).tiny)[:, None]  # a row of zeros stays one
    return {f"{key}.weight": (weight / steps).round().clamp(-127, 127).to(torch.int8), f"{key}.scale": scale}
