"""The tiny model as a GGUF file, whole or split, written by the `gguf` library as converters do."""

from pathlib import Path

import torch
from gguf import GGUFWriter
from safetensors.torch import load_file

from model.weights.source import _GGUF_LAYER, _HF_LAYER
from tests.model.tiny import SIZES, SPECIAL, byte_tokens, make_tiny_model

_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def make_tiny_gguf(folder: Path, name: str = "tiny", tensors_per_part: int = 0) -> list[Path]:
    """Write `name.gguf`, or parts of so many tensors; returns the files in order."""
    weights = load_file(make_tiny_model(folder / "published") / "model.safetensors")
    writer = GGUFWriter(folder / f"{name}.gguf", "qwen2", split_max_tensors=tensors_per_part)
    writer.add_block_count(SIZES["num_hidden_layers"])
    writer.add_context_length(SIZES["max_position_embeddings"])
    writer.add_embedding_length(SIZES["hidden_size"])
    writer.add_feed_forward_length(SIZES["intermediate_size"])
    writer.add_head_count(SIZES["num_attention_heads"])
    writer.add_head_count_kv(SIZES["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(SIZES["rms_norm_eps"])
    tokens = [*byte_tokens(), *SPECIAL]
    blank = byte_tokens()[ord(" ")]
    tokens += [blank * 2, *(f"<unused{number}>" for number in range(SIZES["vocab_size"] - len(tokens) - 1))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 256 + [3] * len(SPECIAL) + [1] * (SIZES["vocab_size"] - 256 - len(SPECIAL)))
    writer.add_token_merges([f"{blank} {blank}"])
    writer.add_eos_token_id(256)
    for tensor, weight in weights.items():
        writer.add_tensor(_gguf_name(tensor), weight.to(torch.float32).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob(f"{name}*.gguf"))


def _gguf_name(tensor: str) -> str:
    stem, kind = tensor.rsplit(".", 1)
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{kind}"
    _, _, layer, part = tensor.split(".", 3)
    ours = next(name for name, theirs in _HF_LAYER.items() if theirs == part)
    return f"blk.{layer}.{_GGUF_LAYER[ours]}"
