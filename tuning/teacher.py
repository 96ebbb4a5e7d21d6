"""What a larger model would write where a smaller one learns: `python -m tuning.teacher --help`.

A true token says that it was written; a teacher says what else could have been, and how likely (Hinton et al. 2015,
"Distilling the Knowledge in a Neural Network"). Of each target token its likeliest tokens are kept, their chances
scaled to one, so that the teacher is read once, whatever learns from it and how often.

    likely    (targets' tokens, KEPT): token ids, the likeliest first; the examples' targets one behind the other
    chances   (targets' tokens, KEPT): fp16

Rules: teacher and learner have one vocabulary. A file belongs to its examples: their hash is in it. A killed run goes
on from the last part that it wrote.
"""

import argparse
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.library import fetch
from model.library.catalog import ModelError, resolve
from tuning.base import device_of, load_model
from tuning.data.example_file import ExampleFile, ExampleFileError, read
from tuning.data.packing import Pack, packs_of
from tuning.network import Network, Wanted

KEPT = 16
_AT_ONCE = 64  # examples of a part
_SAY_EVERY_S = 10.0


class TeacherError(Exception):
    """A file that says nothing of these examples; the message says why."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """What the teacher would write at the targets' tokens of a file of examples."""

    likely: torch.Tensor  # (tokens, KEPT), int64
    chances: torch.Tensor  # (tokens, KEPT), fp32
    starts: "np.ndarray[tuple[int], np.dtype[np.int64]]"  # of each example's target in these

    def wanted(self, pack: Pack, share: float) -> Wanted:
        """What a pack's targets should be: the true tokens, and the teacher's for a `share` of it."""
        spans = [np.arange(self.starts[number], self.starts[number + 1]) for number in pack.numbers]
        rows = torch.from_numpy(np.concatenate(spans))
        true = torch.full((len(rows), 1), 1 - share)
        tokens = torch.cat([pack.labels.cpu()[:, None], self.likely[rows]], dim=1)
        chances = torch.cat([true, share * self.chances[rows]], dim=1)
        return Wanted(tokens.to(pack.labels.device), chances.to(pack.labels.device))


def listen(network: Network, examples: ExampleFile, numbers: list[int], max_tokens: int) -> dict[int, torch.Tensor]:
    """(2, target's tokens, KEPT) of each example: likely tokens, and their chances."""
    found: dict[int, torch.Tensor] = {}
    for pack in packs_of(examples, numbers, max_tokens):
        scores = network.scores(pack.to(network.base.device))
        chances, likely = torch.softmax(scores, dim=-1).topk(KEPT, dim=-1)
        chances /= chances.sum(dim=-1, keepdim=True)
        both = torch.stack([likely.double(), chances.double()]).cpu()
        counts = torch.bincount(pack.owners, minlength=len(pack.numbers)).tolist()
        found |= dict(zip(pack.numbers, both.split(counts, dim=1), strict=True))
    return found


def write(path: Path, examples: ExampleFile, said: list[torch.Tensor]) -> None:
    """Write what was said of all examples, in their order."""
    every = torch.cat(said, dim=1)
    tensors = {"likely": every[0].to(torch.int32).contiguous(), "chances": every[1].half().contiguous()}
    partial = path.with_name(f"{path.name}.part")
    save_file(tensors, partial, metadata={"examples": identity(examples)})
    partial.replace(path)


def read_teacher(path: Path, examples: ExampleFile) -> Teacher:
    """A written file, for the examples that it was made of; TeacherError where it says nothing of them."""
    try:
        with safe_open(path, framework="pt") as opened:
            if (opened.metadata() or {}).get("examples") != identity(examples):
                raise TeacherError(f"{path.name} is of other examples")
            likely, chances = opened.get_tensor("likely"), opened.get_tensor("chances")
    except (OSError, SafetensorError) as error:
        raise TeacherError(f"{path.name} is no teacher's file: {error}") from error
    lengths = np.diff(examples.starts) - examples.targets
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Teacher(likely.long(), chances.float(), starts)


def identity(examples: ExampleFile) -> str:
    """A hash of what is in a file of examples."""
    digest = hashlib.sha256()
    for array in (examples.ids, examples.starts, examples.targets):
        digest.update(array.tobytes())
    return digest.hexdigest()


@torch.no_grad()
def hear(network: Network, examples: ExampleFile, out: Path, max_tokens: int) -> None:
    """Write what a network says of all examples, in parts that a killed run finds again."""
    began = said_at = time.monotonic()
    said: list[torch.Tensor] = []
    parts = out.with_name(f"{out.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    name = identity(examples)[:16]
    for first in range(0, len(examples), _AT_ONCE):
        part = parts / f"{name}-{first}.npy"
        numbers = list(range(first, min(first + _AT_ONCE, len(examples))))
        if not part.exists():
            found = listen(network, examples, numbers, max_tokens)
            partial = part.with_suffix(".part")
            with partial.open("wb") as file:
                np.save(file, torch.cat([found[number] for number in numbers], dim=1).numpy())
            partial.replace(part)
        said.append(torch.from_numpy(np.load(part)))
        if time.monotonic() - said_at > _SAY_EVERY_S:
            said_at = time.monotonic()
            print(f"{numbers[-1] + 1} of {len(examples)} examples, {said_at - began:.0f} s", flush=True)
    write(out, examples, said)
    for part in parts.iterdir():
        part.unlink()
    parts.rmdir()


def main(argv: list[str] | None = None) -> int:
    """Hear a model by the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tuning.teacher", description="What a larger model would write")
    parser.add_argument("model", help="its name (`midfill model list`)")
    parser.add_argument("examples", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-tokens", type=int, default=2048, help="of a pack: memory")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    try:
        examples, source = read(arguments.examples), resolve(arguments.model)
        base = load_model(source, fetch.fetch(source), device_of(arguments.device))
        hear(Network(base, 1, 1.0, seed=1), examples, arguments.out, arguments.max_tokens)
    except (ExampleFileError, ModelError, OSError) as error:
        print(f"tuning: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
