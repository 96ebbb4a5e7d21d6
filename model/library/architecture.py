"""The shape of a Llama- or Qwen2-family decoder, read from a GGUF's metadata or a config.json.

Rules: everything the forward pass needs is here and nowhere else; an architecture that the hand-written
decoders do not cover is refused by name, never guessed. A folder of another one is `foreign`: transformers runs it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPPORTED = ("llama", "qwen2")
_NOT_OURS = f"is not one that midfill runs itself (those are {' and '.join(SUPPORTED)})"
_GGUF_REMEDY = "choose one of `midfill model list`, or give the model's safetensors folder"


class UnsupportedModel(ValueError):
    """The model cannot be run by this decoder; the message names what is unsupported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeScaling:
    """Llama-3's frequency scaling: long wavelengths are divided by `factor`, short ones kept.

    Linear scaling (Chen et al. 2023) is the same with an `original_context` of 0: every wavelength is long.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Sizes and constants of one decoder-only transformer (RMSNorm, RoPE, GQA, SwiGLU)."""

    family: str
    n_layers: int
    hidden: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    rope_theta: float
    rope_scaling: RopeScaling | None
    norm_eps: float
    qkv_bias: bool
    context_tokens: int
    foreign: str = ""  # why transformers runs it; "" where our own decoders do

    def inverse_frequencies(self) -> list[float]:
        """RoPE's inverse frequencies, one per pair of dimensions: (head_dim / 2,)."""
        plain = [self.rope_theta ** (-2 * i / self.head_dim) for i in range(self.head_dim // 2)]
        return plain if self.rope_scaling is None else [_scale(f, self.rope_scaling) for f in plain]


def _scale(frequency: float, scaling: RopeScaling) -> float:
    wavelength = 2 * math.pi / frequency
    ratio = scaling.original_context / wavelength
    if ratio < scaling.low_freq_factor:
        return frequency / scaling.factor
    if ratio > scaling.high_freq_factor:
        return frequency
    smooth = (ratio - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    return (1 - smooth) * frequency / scaling.factor + smooth * frequency


def from_hf_config(config: Mapping[str, Any]) -> Architecture:
    """Read a Hugging Face config.json; UnsupportedModel names what the decoder does not cover."""
    family = str(config.get("model_type"))
    if family not in SUPPORTED:
        raise UnsupportedModel(f"model_type {family!r} {_NOT_OURS}")
    if config.get("hidden_act", "silu") != "silu":
        raise UnsupportedModel(f"hidden_act {config['hidden_act']!r} is not supported (supported: silu)")
    for unsupported in ("use_sliding_window", "attention_bias", "mlp_bias"):
        if config.get(unsupported):
            raise UnsupportedModel(f"{unsupported} is not supported")
    heads = int(config["num_attention_heads"])
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return Architecture(
        family=family,
        n_layers=int(config["num_hidden_layers"]),
        hidden=int(config["hidden_size"]),
        n_heads=heads,
        n_kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
        intermediate=int(config["intermediate_size"]),
        vocab=int(config["vocab_size"]),
        rope_theta=float(config.get("rope_theta") or rope.get("rope_theta") or 10_000.0),
        rope_scaling=_hf_rope_scaling(rope),
        norm_eps=float(config["rms_norm_eps"]),
        qkv_bias=family == "qwen2",
        context_tokens=int(config["max_position_embeddings"]),
    )


def from_folder(config: Mapping[str, Any]) -> Architecture:
    """Read a Hugging Face config.json, ours or foreign; UnsupportedModel where a size is missing."""
    try:
        return from_hf_config(config)
    except UnsupportedModel as error:
        return _foreign(config, str(error))


def foreign_reason(path: Path) -> str:
    """Why a published model can be run by transformers alone; "" when our decoders run it, or nothing does."""
    try:
        return from_folder(json.loads((path / "config.json").read_text(encoding="utf-8"))).foreign
    except (OSError, ValueError):  # a .gguf file, or what `source.open_source` will say more about
        return ""


def _foreign(config: Mapping[str, Any], why: str) -> Architecture:
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "max_position_embeddings")
    if missing := [name for name in names if not isinstance(config.get(name), int)]:
        raise UnsupportedModel(f"{why}, and its config.json has no {' and no '.join(missing)}")
    layers, hidden, heads, vocab, context = (int(config[name]) for name in names)
    return Architecture(
        family=str(config.get("model_type")),
        n_layers=layers,
        hidden=hidden,
        n_heads=heads,
        n_kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=int(config.get("intermediate_size") or 4 * hidden),
        vocab=vocab,
        rope_theta=0.0,
        rope_scaling=None,
        norm_eps=0.0,
        qkv_bias=False,
        context_tokens=context,
        foreign=why,
    )


def _hf_rope_scaling(rope: Mapping[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return _linear(float(rope["factor"]))
    if kind != "llama3":
        raise UnsupportedModel(f"RoPE scaling {kind!r} is not supported (supported: default, linear, llama3)")
    return RopeScaling(
        factor=float(rope["factor"]),
        low_freq_factor=float(rope["low_freq_factor"]),
        high_freq_factor=float(rope["high_freq_factor"]),
        original_context=int(rope["original_max_position_embeddings"]),
    )


def _linear(factor: float) -> RopeScaling:
    return RopeScaling(factor=factor, low_freq_factor=1.0, high_freq_factor=2.0, original_context=0)


def _gguf_rope_scaling(family: str, metadata: Mapping[str, Any]) -> RopeScaling | None:
    kind = str(metadata.get(f"{family}.rope.scaling.type", "none"))
    if kind == "none":
        return None
    if kind != "linear":
        raise UnsupportedModel(f"RoPE scaling {kind!r} is not supported (supported in GGUF files: none, linear)")
    return _linear(float(metadata[f"{family}.rope.scaling.factor"]))


def from_gguf(metadata: Mapping[str, Any], tensor_names: set[str]) -> Architecture:
    """Read a GGUF's key-value metadata; UnsupportedModel names what the decoder does not cover."""
    family = str(metadata.get("general.architecture"))
    if family not in SUPPORTED:
        raise UnsupportedModel(f"architecture {family!r} {_NOT_OURS}: {_GGUF_REMEDY}")
    if "rope_freqs.weight" in tensor_names:
        raise UnsupportedModel(
            "GGUF files with a rope_freqs tensor (Llama 3.1 and later) are not supported: use safetensors"
        )

    def value(key: str) -> Any:
        return metadata[f"{family}.{key}"]

    heads, hidden = int(value("attention.head_count")), int(value("embedding_length"))
    return Architecture(
        family=family,
        n_layers=int(value("block_count")),
        hidden=hidden,
        n_heads=heads,
        n_kv_heads=int(metadata.get(f"{family}.attention.head_count_kv", heads)),
        head_dim=int(metadata.get(f"{family}.attention.key_length", hidden // heads)),
        intermediate=int(value("feed_forward_length")),
        vocab=len(metadata["tokenizer.ggml.tokens"]),
        rope_theta=float(metadata.get(f"{family}.rope.freq_base", 10_000.0)),
        rope_scaling=_gguf_rope_scaling(family, metadata),
        norm_eps=float(value("attention.layer_norm_rms_epsilon")),
        qkv_bias="blk.0.attn_q.bias" in tensor_names,
        context_tokens=int(value("context_length")),
    )
