"""The local store: a model quantized once, laid out so that a daemon starts fast.

    <cache>/stores/<model>-<kind>-<source hash>-n<NUMERICS_VERSION>/
        manifest.json         what it is, made from what, and the size of every file (written last)
        weights.safetensors   matrices `X.blocks` (see `packing`) with `X.bias`, fp32 norms; the embedding as
                              int8 rows `embed.weight` with `embed.scale`, since its rows are gathered
                              (for a graphics card see `gpu_store`; none where transformers runs the model)
        tokenizer.json        for `tokenizers`;  special_tokens.json  name -> id
        vocabulary-1.safetensors  made of those, to be mapped (see `vocabulary`); not in the manifest

Rules: a store is complete or it is not there: it is written into a temporary folder and renamed. A store
whose files do not match its manifest raises `StoreError`, and the daemon then makes it anew.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cattrs

from completion.types import PromptSpec
from model.library.architecture import Architecture
from model.library.catalog import ModelRow
from model.library.paths import stores_dir
from model.library.sentinels import TURN_END, TURN_START

# Part of every store's name. Raise it when the same weights would give different numbers.
NUMERICS_VERSION = 3
# Bits per weight of most matrices; each matrix says its own.
KINDS = ("int4", "int8")
# Kinds for a graphics card (see `gpu_store`): bitsandbytes' NF4 and LLM.int8, and plain bf16.
GPU_KINDS = ("nf4", "llmint8", "bf16")
# Of the published file's sha256, in a store's name.
SOURCE_DIGITS = 12
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
SPECIAL_TOKENS = "special_tokens.json"


class StoreError(Exception):
    """The store is missing, incomplete or damaged; the message says which file and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a store holds. `source_sha256` identifies the published file it was made from."""

    model_id: str
    kind: str  # of KINDS or GPU_KINDS
    numerics_version: int
    source: str
    source_sha256: str
    architecture: Architecture
    prompt: PromptSpec
    n_tokens: int
    file_bytes: dict[str, int]


def stores_of(model_id: str) -> list[Path]:
    """The folders of a model's stores, of every kind, complete or not; "*" is every model."""
    rest = "[0-9a-f]" * SOURCE_DIGITS + "-n*"  # of another model "bf16" may be a part of the name
    return sorted(folder for kind in KINDS + GPU_KINDS for folder in stores_dir().glob(f"{model_id}-{kind}-{rest}"))


def newest_store(model_id: str) -> Path | None:
    """The store of a model that was made last; None when none is complete, and of this version of the numbers."""
    stores = [store for store in stores_of(model_id) if _is_sound(store)]
    return max(stores, key=lambda store: (store / MANIFEST).stat().st_mtime, default=None)


def _is_sound(store: Path) -> bool:
    try:
        read_manifest(store)
    except StoreError:
        return False
    return True


def present_spec(store: Path, row: ModelRow | None) -> PromptSpec:
    """How a store's model is prompted: sentinels of its vocabulary, the formats that its catalog row has by now.

    A new measurement, or a new format, must not need a new store.
    """
    spec = read_manifest(store).prompt
    if row is None:
        return spec
    try:
        special: dict[str, int] = json.loads((store / SPECIAL_TOKENS).read_text())
    except (OSError, ValueError) as error:
        raise StoreError(f"{store / SPECIAL_TOKENS} is damaged: delete the folder, it is made again") from error
    return replace(
        spec,
        line_format=row.line_format,
        block_format=row.block_format,
        body_format=row.body_format,
        rewrite_form=row.rewrite_form,
        chat_system=row.chat_system,
        turn_start=special.get(TURN_START),
        turn_end=special.get(TURN_END),
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json; the last file of a store."""
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))


def read_manifest(folder: Path) -> Manifest:
    """Read and check a store: StoreError when a file is missing or its size is not the recorded one."""
    try:
        raw: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        manifest = cattrs.structure(raw, Manifest)
    except FileNotFoundError as error:
        raise StoreError(f"no store at {folder}") from error
    except (OSError, ValueError, KeyError, cattrs.BaseValidationError) as error:
        raise StoreError(f"{folder / MANIFEST} is damaged: delete the folder, it is made again") from error
    for name, size in manifest.file_bytes.items():
        file = folder / name
        actual = file.stat().st_size if file.is_file() else 0
        if actual != size:
            raise StoreError(
                f"{file} has {actual:,} bytes, the manifest says {size:,}: delete the folder, it is made again"
            )
    if manifest.numerics_version != NUMERICS_VERSION:
        raise StoreError(f"{folder} was written by another version of midfill")
    return manifest
