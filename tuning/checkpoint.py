"""Keeps a training run on disk, so that one that was killed goes on and ends the same.

A checkpoint is one safetensors file: A and B, AdamW's two moments of each, and what the run was at as JSON.

Rules: written beside and renamed, so that there is always a whole one. One of another recipe, base or data is refused.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

_MOMENTS = ("exp_avg", "exp_avg_sq")


class CheckpointError(Exception):
    """The run cannot go on from a checkpoint; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0  # spent training, all starts together
    tokens: int = 0


def save_checkpoint(
    path: Path,
    parameters: Mapping[str, torch.Tensor],
    optimizer: torch.optim.AdamW,
    progress: Progress,
    identity: str,
) -> None:
    """Write what is needed to go on. `identity` says what run this is."""
    tensors = {}
    for name, parameter in parameters.items():
        tensors[f"weight:{name}"] = parameter.detach().cpu().contiguous()
        state = optimizer.state.get(parameter, {})
        tensors |= {f"{moment}:{name}": state[moment].cpu().contiguous() for moment in _MOMENTS if moment in state}
    said = {"step": progress.step, "seconds": progress.seconds, "tokens": progress.tokens, "identity": identity}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, partial, metadata={"progress": json.dumps(said)})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, parameters: Mapping[str, torch.Tensor], optimizer: torch.optim.AdamW, identity: str
) -> Progress:
    """Put a run back to where it was; the beginning where there is no checkpoint."""
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): delete it to begin anew") from error
    if said["identity"] != identity:
        raise CheckpointError(f"{path} is of another run (other data, base or settings): delete it to begin anew")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"weight:{name}"])
            if f"{_MOMENTS[0]}:{name}" in tensors:
                moments = {moment: tensors[f"{moment}:{name}"].to(parameter.device) for moment in _MOMENTS}
                optimizer.state[parameter] = {"step": torch.tensor(float(said["step"])), **moments}
    return Progress(int(said["step"]), float(said["seconds"]), int(said["tokens"]))
