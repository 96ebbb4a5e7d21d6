"""A tiny random model as a safetensors folder: real files, real architecture, milliseconds to run.

transformers is imported by who makes one: it takes seconds, in every process that collects tests.
"""

import json
from pathlib import Path

from model.decoders.interface import Decoder
from model.engine.blocks import BlockStore
from model.engine.generate import Engine
from model.engine.sampler import ByteTable
from model.library.speed import Speed
from model.library.tokenizer import build_bpe

SIZES = {
    "vocab_size": 272,
    "hidden_size": 96,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.2,
}
SPECIAL = ("<|endoftext|>", "<|repo_name|>", "<|file_sep|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def engine_of(decoder: Decoder, table: ByteTable | None = None, folder: Path | None = None) -> Engine:
    """What the scheduler gives every request: here with blocks in memory, or below a folder."""
    blocks = BlockStore(decoder.new_block, folder, 50_000_000, 50_000_000)
    return Engine(decoder, lambda: table or ByteTable(0, lambda i: b""), blocks, Speed(decoder.architecture))


def make_tiny_model(folder: Path, seed: int = 7, **sizes: int) -> Path:
    """Write config.json, model.safetensors and a byte-level tokenizer.json into `folder`; `sizes` instead of SIZES."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    Qwen2ForCausalLM(Qwen2Config(**SIZES | sizes, tie_word_embeddings=False, eos_token_id=256)).save_pretrained(folder)
    tokenizer = json.loads(build_bpe(byte_tokens(), [], "qwen2").to_str())
    tokenizer["added_tokens"] = [
        {"id": 256 + i, "content": text, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for i, text in enumerate(SPECIAL)
    ]  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def byte_tokens() -> list[str]:
    """The 256 single-byte tokens, id == byte."""
    from model.library.tokenizer import byte_alphabet

    alphabet = {byte: character for character, byte in byte_alphabet().items()}
    return [alphabet[byte] for byte in range(256)]
