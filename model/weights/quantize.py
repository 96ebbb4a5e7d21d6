"""Turns a published model into the local low-bit store (see `store` for its layout).

A program of its own (`python -I -m model.weights.quantize`), which `model.weights.prepare` starts: it needs torch and
much memory, and what it makes is run without.

Rules: weights pass through one matrix at a time, so memory stays at one fp32 matrix beside the packed
result. Two processes that quantize at once both end with the same store: the rename decides. Standard output belongs to
the protocol.
"""

import _thread
import contextlib
import errno
import json
import logging
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from completion.types import PromptSpec, Tokenizer
from model.library.architecture import Architecture, UnsupportedModel
from model.library.catalog import ModelSource
from model.library.sentinels import spec_of
from model.library.speed import weights_per_layer
from model.library.store import (
    GPU_KINDS,
    NUMERICS_VERSION,
    SPECIAL_TOKENS,
    WEIGHTS,
    Manifest,
    StoreError,
    read_manifest,
    write_manifest,
)
from model.library.system import n_cores
from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer
from model.library.vocabulary import write_vocabulary
from model.native.matrix_layout import packable
from model.weights.calibrate import Choose, calibration_windows, quantize_layers
from model.weights.gpu_store import gpu_parts
from model.weights.linear import quantize_rows
from model.weights.lowbit import Groups, quantize_compensated, quantize_groups
from model.weights.mapped import drop_from_cache
from model.weights.merge import open_weights
from model.weights.packing import pack
from model.weights.prepare import EXPECTED_FAILURES, source_hash, store_folder
from model.weights.source import WeightSource

# Of 512 tokens each: twice as many take half as long again and gain nothing that shows (evals/LOG.md).
_CALIBRATION_WINDOWS = 4
_SMALL_HIDDEN = 1024
# An upper bound: codes and scales. 4-bit stores hold some matrices in 8 bits.
_BYTES_PER_WEIGHT = {"int8": 1.07, "int4": 0.8, "bf16": 2.1, "llmint8": 1.4, "nf4": 1.4}
_HEADROOM_BYTES = 16 << 20


def make_store(source: ModelSource, file: Path, kind: str, progress: Callable[[float], None]) -> Path:
    """The complete store of `file`, made now if it is missing or damaged; progress goes from 0 to 1.

    UnsupportedModel when the file is not one midfill can run; OSError when the disk is full.
    """
    sha256 = source_hash(source, file)
    folder = store_folder(source, kind, sha256)
    try:
        read_manifest(folder)
        return folder
    except StoreError:
        shutil.rmtree(folder, ignore_errors=True)
    torch.set_num_threads(min(torch.get_num_threads(), n_cores()))  # torch knows no container's quota
    progress(0.0)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with open_weights(source, file) as weights:
            if not weights.architecture.foreign:  # transformers reads the published files
                _require_space(partial, weights.architecture, kind)
            _write_store(partial, weights, source, kind, sha256, progress)
        try:
            os.rename(partial, folder)
        except OSError:
            read_manifest(folder)  # another process was faster: its store is as good, or this raises
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write_store(
    folder: Path,
    weights: WeightSource,
    source: ModelSource,
    kind: str,
    sha256: str,
    progress: Callable[[float], None],
) -> None:
    (folder / "tokenizer.json").write_text(weights.tokenizer_json)
    (folder / SPECIAL_TOKENS).write_text(json.dumps(weights.special_tokens))
    if not weights.architecture.foreign:
        _write_weights(folder, weights, kind, progress)
    manifest = Manifest(
        model_id=source.model_id,
        kind=kind,
        numerics_version=NUMERICS_VERSION,
        source=_described(source),
        source_sha256=sha256,
        architecture=weights.architecture,
        prompt=prompt_spec(weights, source),
        n_tokens=weights.architecture.vocab,
        file_bytes={f.name: f.stat().st_size for f in folder.iterdir()},
    )
    write_manifest(folder, manifest)
    # Made here, where its memory is no editor's; not of the manifest, since a store is complete without it.
    with contextlib.suppress(UnsupportedTokenizer):
        write_vocabulary(folder)


def _write_weights(folder: Path, weights: WeightSource, kind: str, progress: Callable[[float], None]) -> None:
    tensors: dict[str, torch.Tensor] = {}
    steps = weights.architecture.n_layers + 2
    for done, part in enumerate(_parts(weights, kind, VocabTokenizer.open(folder))):
        tensors.update(part)
        progress((done + 1) / steps)
    save_file(tensors, folder / WEIGHTS)
    drop_from_cache(folder / WEIGHTS)


def _described(source: ModelSource) -> str:
    file = source.row.file or source.row.source_repo if source.row else str(source.path)
    return " ".join([file, *(f"with the adapter {adapter.name}" for adapter in source.adapters)])


def _require_space(folder: Path, a: Architecture, kind: str) -> None:
    """OSError when the store will not fit on the disk."""
    n_weights = a.n_layers * weights_per_layer(a) + a.vocab * a.hidden
    n_bytes = int(_BYTES_PER_WEIGHT[kind] * n_weights) + a.vocab * a.hidden
    free = shutil.disk_usage(folder).free
    if free < n_bytes + _HEADROOM_BYTES:
        raise OSError(
            errno.ENOSPC,
            f"the quantized model takes {n_bytes / 1e6:,.0f} MB in {folder.parent}, which has {free / 1e6:,.0f} MB "
            "free: make room, or set MIDFILL_CACHE to a folder elsewhere",
        )


def _parts(weights: WeightSource, kind: str, tokenizer: Tokenizer) -> Iterator[dict[str, torch.Tensor]]:
    """The store's tensors in order: embedding, each layer, then the head and the last norm."""
    if kind in GPU_KINDS:
        yield from gpu_parts(weights, kind)
        return
    rows, scale = quantize_rows(weights.tensor("embed"))
    yield {"embed.weight": rows, "embed.scale": scale}
    if kind == "int4":
        layers = quantize_layers(
            weights, calibration_windows(tokenizer, _CALIBRATION_WINDOWS), _choice(weights.architecture)
        )
    else:
        layers = _rounded_to_8_bits(weights)
    for index, groups in enumerate(layers):
        prefix = f"layers.{index}." if index < weights.architecture.n_layers else ""
        part = {f"{prefix}{name}.blocks": _packed(matrix) for name, matrix in groups.items()}
        part |= {name: weights.tensor(name) for name in _small(prefix)}
        if prefix and weights.architecture.qkv_bias:
            part[f"{prefix}qkv.bias"] = torch.cat([weights.tensor(f"{prefix}{name}.bias") for name in "qkv"])
        yield part


def _small(prefix: str) -> list[str]:
    """The tensors that stay fp32: a layer's norms, or at the end the last one."""
    return [f"{prefix}attn_norm", f"{prefix}ffn_norm"] if prefix else ["norm"]


def _choice(a: Architecture) -> Choose:
    """Rounds to 4 bits where that costs least: a matrix that `_needs_8_bits` gets them."""

    def choose(name: str, weight: torch.Tensor, hessian: torch.Tensor) -> Groups:
        return quantize_groups(weight, 8) if _needs_8_bits(name, a) else quantize_compensated(weight, hessian)

    return choose


def _needs_8_bits(name: str, a: Architecture) -> bool:
    """Queries, keys and values: the most sensitive per byte, and a twentieth of the bytes. In models below a billion
    weights also gate and up in the middle half of the layers, where most of the loss is (evals/LOG.md)."""
    _, index, part = name.split(".") if "." in name else ("", "0", name)
    middle = a.n_layers // 4 <= int(index) < a.n_layers - a.n_layers // 4
    return part == "qkv" or (part == "gate_up" and a.hidden < _SMALL_HIDDEN and middle)


def _rounded_to_8_bits(weights: WeightSource) -> Iterator[dict[str, Groups]]:
    """Every matrix by itself, without a calibration text: in 8 bits nothing is gained from one."""
    for index in range(weights.architecture.n_layers):
        parts = {"qkv": ("q", "k", "v"), "o": ("o",), "gate_up": ("gate", "up"), "down": ("down",)}
        yield {
            name: quantize_groups(torch.cat([weights.tensor(f"layers.{index}.{part}") for part in names]), 8)
            for name, names in parts.items()
        }
    yield {"head": quantize_groups(weights.tensor("head"), 8)}


def _packed(groups: Groups) -> torch.Tensor:
    if not packable(*groups.codes.shape):
        rows, columns = groups.codes.shape
        raise UnsupportedModel(f"a matrix of {rows} x {columns} is no multiple of 16 x 32")
    return pack(groups)


def prompt_spec(weights: WeightSource, source: ModelSource) -> PromptSpec:
    """The prompt layout: sentinels found in the vocabulary, formats from the catalog where it has the model."""
    special = weights.special_tokens
    stops = {*special.values(), *weights.end_of_text}
    return spec_of(special, stops, bos=weights.add_bos, row=source.row)


def _leave_with_parent() -> None:
    """End this process when its parent needs no store any more, or is gone."""
    while sys.stdin.buffer.read(1):
        pass
    _thread.interrupt_main()  # so that what is half written is deleted


def main() -> int:
    """Make the store that is asked for on standard input; the protocol is `model.weights.prepare`'s."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # our parent may have had it ignored
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message

        def say(message: dict[str, object]) -> None:
            out.write(json.dumps(message) + "\n")
            out.flush()

        try:
            source, file, kind = pickle.load(sys.stdin.buffer)
            threading.Thread(target=_leave_with_parent, name="leave with parent", daemon=True).start()
            make_store(source, file, kind, lambda done: say({"done": done}))
        except (KeyboardInterrupt, BrokenPipeError):  # the parent needs it no more
            return 1
        except EXPECTED_FAILURES as error:
            say({"failed": str(error)})
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # a thread waits for standard input
