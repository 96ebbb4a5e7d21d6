"""Reads a model as it was published (a GGUF file, split or not, or a safetensors folder) as fp32 tensors by name.

Called by `quantize` to make the local store, and by `score` and the tests for the fp32 truth.

Rules: tensor names are the store's own: `embed`, `head`, `norm`, and per layer `layers.N.` followed by
`attn_norm q k v o ffn_norm gate up down` (and `q.bias k.bias v.bias`). Weights are (out, in), fp32.
Rotary dimensions are in the half-split order of Hugging Face, whatever the file's own order is.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open
from tokenizers import Tokenizer as HfTokenizer

from model.library.architecture import Architecture, UnsupportedModel, from_folder, from_gguf
from model.library.published import check
from model.library.shards import files_of
from model.library.tokenizer import build_bpe, strip_added_tokens

_GGUF_LAYER = {
    "attn_norm": "attn_norm.weight",
    "q": "attn_q.weight",
    "k": "attn_k.weight",
    "v": "attn_v.weight",
    "q.bias": "attn_q.bias",
    "k.bias": "attn_k.bias",
    "v.bias": "attn_v.bias",
    "o": "attn_output.weight",
    "ffn_norm": "ffn_norm.weight",
    "gate": "ffn_gate.weight",
    "up": "ffn_up.weight",
    "down": "ffn_down.weight",
}
_HF_LAYER = {
    "attn_norm": "input_layernorm.weight",
    "q": "self_attn.q_proj.weight",
    "k": "self_attn.k_proj.weight",
    "v": "self_attn.v_proj.weight",
    "q.bias": "self_attn.q_proj.bias",
    "k.bias": "self_attn.k_proj.bias",
    "v.bias": "self_attn.v_proj.bias",
    "o": "self_attn.o_proj.weight",
    "ffn_norm": "post_attention_layernorm.weight",
    "gate": "mlp.gate_proj.weight",
    "up": "mlp.up_proj.weight",
    "down": "mlp.down_proj.weight",
}
# GGUF token types (llama.cpp's enum): 3 control, 4 user defined; both are matched as special tokens there.
_SPECIAL_TOKEN_TYPES = (3, 4)


@dataclass(frozen=True)
class WeightSource:
    """A published model: its shape, its tokenizer, and `tensor(name)`, an fp32 tensor by store name."""

    architecture: Architecture
    tokenizer_json: str
    special_tokens: dict[str, int]
    end_of_text: tuple[int, ...]
    add_bos: int | None
    is_tied: bool  # the head is the embedding
    tensor: Callable[[str], torch.Tensor]

    def layer_names(self) -> list[str]:
        """The parts of one layer, biases included where the model has them."""
        return [n for n in _HF_LAYER if self.architecture.qkv_bias or not n.endswith(".bias")]


@contextmanager
def open_source(path: Path) -> Iterator[WeightSource]:
    """Open a .gguf file or a safetensors folder; UnsupportedModel when it is neither or not covered."""
    if path.is_dir():
        yield _open_folder(path)
    elif path.suffix == ".gguf":
        yield _open_gguf(path)
    else:
        raise UnsupportedModel(f"{path} is neither a .gguf file nor a folder with safetensors")


def _open_gguf(path: Path) -> WeightSource:
    check(path)
    try:
        readers = [GGUFReader(file) for file in files_of(path)]
    except (ValueError, OSError, IndexError) as error:
        raise UnsupportedModel(f"{path} is not a readable GGUF file: {error}") from error
    metadata: dict[str, Any] = {name: field.contents() for name, field in readers[0].fields.items()}
    tensors = {tensor.name: tensor for reader in readers for tensor in reader.tensors}
    architecture = from_gguf(metadata, set(tensors))
    _require({_gguf_name(name, set(tensors)) for name in _names(architecture)}, set(tensors), path)
    if metadata.get("tokenizer.ggml.model") != "gpt2":
        raise UnsupportedModel(
            f"tokenizer {metadata.get('tokenizer.ggml.model')!r} is not supported (supported: gpt2 byte-level BPE)"
        )
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    tokenizer = build_bpe(tokens, metadata["tokenizer.ggml.merges"], str(metadata.get("tokenizer.ggml.pre", "gpt-2")))

    def tensor(name: str) -> torch.Tensor:
        gguf_name = _gguf_name(name, set(tensors))
        raw = tensors[gguf_name]
        array: npt.NDArray[np.float32] = dequantize(raw.data, raw.tensor_type).astype(np.float32, copy=False)
        weight = torch.from_numpy(np.array(array))  # a copy: the mapped file is read-only
        if architecture.family == "llama" and gguf_name.endswith(("attn_q.weight", "attn_k.weight")):
            return _half_split(weight, architecture.head_dim)
        return weight

    end_ids = {
        int(metadata[key]) for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id") if key in metadata
    }
    bos = metadata.get("tokenizer.ggml.bos_token_id") if metadata.get("tokenizer.ggml.add_bos_token", False) else None
    return WeightSource(
        architecture=architecture,
        tokenizer_json=tokenizer.to_str(),
        special_tokens={
            t: i for i, (t, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind in _SPECIAL_TOKEN_TYPES
        },
        end_of_text=tuple(sorted(end_ids)),
        add_bos=int(bos) if bos is not None else None,
        is_tied="output.weight" not in tensors,
        tensor=tensor,
    )


def _names(architecture: Architecture) -> list[str]:
    """All of a model's tensors."""
    parts = [part for part in _HF_LAYER if architecture.qkv_bias or not part.endswith(".bias")]
    return ["embed", "norm", *(f"layers.{index}.{part}" for index in range(architecture.n_layers) for part in parts)]


def _require(names: set[str], present: set[str], path: Path) -> None:
    """UnsupportedModel when a tensor is not in the file: said before any is read."""
    if missing := sorted(names - present):
        raise UnsupportedModel(f"{path} is not complete: {len(missing)} tensors are missing, {missing[0]} first")


def _gguf_name(name: str, present: set[str]) -> str:
    if name.startswith("layers."):
        _, index, part = name.split(".", 2)
        return f"blk.{index}.{_GGUF_LAYER[part]}"
    if name == "head" and "output.weight" in present:
        return "output.weight"
    return {"embed": "token_embd.weight", "head": "token_embd.weight", "norm": "output_norm.weight"}[name]


def _half_split(weight: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Undo llama.cpp's interleaving of rotary pairs in a Llama q or k projection: (out, in) -> (out, in)."""
    heads = weight.shape[0] // head_dim
    return weight.view(heads, head_dim // 2, 2, -1).transpose(1, 2).reshape(weight.shape).contiguous()


def _open_folder(path: Path) -> WeightSource:
    missing = [name for name in ("config.json", "tokenizer.json") if not (path / name).is_file()]
    files = files_of(path)
    if missing or not files:
        raise UnsupportedModel(f"{path} lacks {', '.join(missing or ['*.safetensors'])}")
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    architecture = from_folder(config)
    check(path)
    handles = [safe_open(file, framework="pt") for file in files]
    where = {key: handle for handle in handles for key in handle.keys()}  # noqa: SIM118 (not a mapping)
    if not architecture.foreign:
        _require({_hf_name(name, set(where)) for name in _names(architecture)}, set(where), path)
    plain, special = strip_added_tokens(json.loads((path / "tokenizer.json").read_text(encoding="utf-8")))

    def tensor(name: str) -> torch.Tensor:
        if architecture.foreign:
            raise UnsupportedModel(f"{architecture.foreign}: its weights are not known by name")
        hf_name = _hf_name(name, set(where))
        weight: torch.Tensor = where[hf_name].get_tensor(hf_name)
        return weight.float()

    eos = config.get("eos_token_id")
    return WeightSource(
        architecture=architecture,
        tokenizer_json=HfTokenizer.from_str(json.dumps(plain)).to_str(),
        special_tokens=special,
        end_of_text=tuple(eos) if isinstance(eos, list) else (eos,) if isinstance(eos, int) else (),
        add_bos=config.get("bos_token_id") if architecture.family == "llama" or _adds_bos(path) else None,
        is_tied="lm_head.weight" not in where,
        tensor=tensor,
    )


def _adds_bos(path: Path) -> bool:
    """Whether a folder's tokenizer says that it begins every text with the beginning-of-text token."""
    try:
        settings: dict[str, Any] = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return settings.get("add_bos_token") is True


def _hf_name(name: str, present: set[str]) -> str:
    if name.startswith("layers."):
        _, index, part = name.split(".", 2)
        return f"model.layers.{index}.{_HF_LAYER[part]}"
    if name == "head" and "lm_head.weight" in present:
        return "lm_head.weight"
    return {
        "embed": "model.embed_tokens.weight",
        "head": "model.embed_tokens.weight",
        "norm": "model.norm.weight",
    }[name]
