"""The file that training examples are kept in: token ids end to end, and what each example is. Trainer and builder.

    ids       every example's prompt and target, one behind the other
    starts    where each example begins in `ids`, and one more: where the last one ends
    targets   of each example, the index within it of the target's first token; what stands before it has no loss

Rules: numpy and safetensors alone, for a machine that has nothing else of midfill. Safetensors and JSON, never pickles.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

_TENSORS = ("ids", "starts", "targets")
_KEYS = ("language", "kind", "source", "end")


class ExampleFileError(Exception):
    """A file that is no file of examples; the message says why."""


@dataclass(frozen=True, slots=True)
class ExampleFile:
    """Examples in their order."""

    ids: "np.ndarray[Any, np.dtype[np.int32]]"  # [total]
    starts: "np.ndarray[Any, np.dtype[np.int32]]"  # [n + 1]
    targets: "np.ndarray[Any, np.dtype[np.int32]]"  # [n]
    examples: tuple[dict[str, str], ...]  # language, kind, source and end ("line" or "text") of each

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> "np.ndarray[Any, np.dtype[np.int32]]":
        """The ids of one example, prompt and target."""
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        return self.ids[self.starts[number] : self.starts[number + 1]]


def write(
    path: Path, sequences: Sequence[Sequence[int]], targets: Sequence[int], examples: Sequence[dict[str, str]]
) -> None:
    """Write examples: each one's ids, where in them its target begins, and what it is. Whole, or not at all."""
    starts = np.zeros(len(sequences) + 1, dtype=np.int32)
    starts[1:] = np.cumsum([len(sequence) for sequence in sequences])
    parts = [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
    file = ExampleFile(
        ids=np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32),
        starts=starts,
        targets=np.asarray(targets, dtype=np.int32),
        examples=tuple({key: example[key] for key in _KEYS} for example in examples),
    )
    _check(path, file)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    tensors = {name: getattr(file, name) for name in _TENSORS}
    try:
        save_file(tensors, partial, metadata={"examples": json.dumps(file.examples, separators=(",", ":"))})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_some(path: Path, chosen: Sequence[tuple["ExampleFile", int]]) -> None:
    """Write examples of other files, each by its file and number there."""
    write(
        path,
        [file[number].tolist() for file, number in chosen],
        [int(file.targets[number]) for file, number in chosen],
        [file.examples[number] for file, number in chosen],
    )


def read(path: Path) -> ExampleFile:
    """The examples of a file. ExampleFileError where it is none."""
    try:
        with safe_open(path, framework="numpy") as opened:
            tensors = {name: opened.get_tensor(name) for name in _TENSORS}
            examples = json.loads((opened.metadata() or {})["examples"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise ExampleFileError(f"{path.name} is no file of examples: {error}") from error
    # Before targets could end with their line, none said how it ends.
    file = ExampleFile(**tensors, examples=tuple({"end": "text", **example} for example in examples))
    _check(path, file)
    return file


def _check(path: Path, file: ExampleFile) -> None:
    """Raise where the parts do not fit together."""
    starts, targets = file.starts, file.targets
    lengths = np.diff(starts)
    if any(getattr(file, name).dtype != np.int32 or getattr(file, name).ndim != 1 for name in _TENSORS):
        raise ExampleFileError(f"{path.name}: {', '.join(_TENSORS)} must be rows of int32")
    if not len(starts) == len(targets) + 1 == len(file.examples) + 1:
        raise ExampleFileError(f"{path.name}: {len(targets)} targets, {len(file.examples)} examples")
    if starts[0] != 0 or starts[-1] != len(file.ids) or (lengths < 0).any():
        raise ExampleFileError(f"{path.name}: the starts do not divide the ids")
    if ((targets < 1) | (targets >= lengths)).any():
        raise ExampleFileError(f"{path.name}: a target begins outside of its example")
