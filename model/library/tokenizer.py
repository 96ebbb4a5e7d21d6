"""Text to token ids and back, without torch: used by the server and, for what tokens spell, by the daemon.

The `tokenizer.json` beside a model's store is read with the `tokenizers` library, or mapped (see `vocabulary`), which
takes a tenth of the memory. For a GGUF it is built from the file's own vocabulary and merges (byte-level BPE, the
format of Qwen, Llama-3 and StarCoder).

Rules: special tokens are never produced from text, whatever the text says: a document that contains
"<|fim_middle|>" is ordinary characters. No Unicode normalization: what is encoded decodes to the same bytes.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as HfTokenizer

from model.library.system import give_back_memory

# The pre-tokenizer patterns of llama.cpp's `tokenizer.ggml.pre` names, as published with the models.
_QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3_PATTERN = _QWEN2_PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_PATTERNS = {
    "qwen2": _QWEN2_PATTERN,
    "llama-bpe": _LLAMA3_PATTERN,
    "gpt-2": _GPT2_PATTERN,
    "starcoder": _GPT2_PATTERN,
}


class UnsupportedTokenizer(ValueError):
    """The tokenizer is of a kind midfill cannot build, or damaged; the message names it."""


@functools.cache
def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte (Radford et al. 2019): character -> byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def build_bpe(tokens: Sequence[str], merges: Sequence[str], pre: str) -> HfTokenizer:
    """Build a byte-level BPE tokenizer from a GGUF's lists; UnsupportedTokenizer for an unknown `pre`.

    Special tokens stay in the vocabulary only, so text never becomes one.
    """
    if pre not in _PATTERNS:
        raise UnsupportedTokenizer(f"tokenizer.ggml.pre={pre!r} is not supported (known: {', '.join(_PATTERNS)})")
    pairs = [(left, right) for left, right in (merge.split(" ", 1) for merge in merges)]
    vocab = {token: index for index, token in enumerate(tokens)}
    tokenizer = HfTokenizer(models.BPE(vocab=vocab, merges=pairs, fuse_unk=False))
    split = pre_tokenizers.Split(Regex(_PATTERNS[pre]), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


class VocabTokenizer:
    """A `tokenizers` tokenizer with a byte table. Implements completion.types.Tokenizer."""

    def __init__(self, tokenizer: HfTokenizer, special_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._special = special_ids
        self._alphabet = byte_alphabet()

    @classmethod
    def open(cls, store: Path) -> "VocabTokenizer":
        """Open the tokenizer of a store folder (`tokenizer.json`, `special_tokens.json`), or UnsupportedTokenizer."""
        try:
            special: dict[str, int] = json.loads((store / "special_tokens.json").read_text())
            tokenizer = HfTokenizer.from_file(str(store / "tokenizer.json"))
        except Exception as error:  # the library raises nothing narrower
            raise UnsupportedTokenizer(f"the tokenizer in {store} cannot be read: {error}") from error
        give_back_memory()  # reading takes as much again
        return cls(tokenizer, frozenset(special.values()))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; lone surrogates, which have no UTF-8 form, become "?"."""
        clean = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(clean, add_special_tokens=False).ids
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token stands for; b"" for special and out-of-range ids."""
        if token_id in self._special:
            return b""
        token = self._tokenizer.id_to_token(token_id)
        if token is None:
            return b""
        try:
            return bytes(self._alphabet[character] for character in token)
        except KeyError:  # a vocabulary entry outside the byte alphabet cannot be produced from text
            return b""

    def special_tokens(self) -> dict[str, int]:
        """The special tokens by their names."""
        names = {token_id: self._tokenizer.id_to_token(token_id) for token_id in self._special}
        return {name: token_id for token_id, name in names.items() if name}

    @property
    def n_tokens(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))


def strip_added_tokens(tokenizer_json: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Split a Hugging Face tokenizer.json into one without special-token matching, and name -> id of those.

    The added tokens' ids move into the BPE vocabulary so that ids stay what the model was trained with.
    UnsupportedTokenizer when its tokens are not bytes (CodeLlama, Yi).
    """
    model = tokenizer_json["model"]
    if (kind := model.get("type", "BPE")) != "BPE" or model.get("byte_fallback"):
        name = "SentencePiece" if kind == "BPE" else kind
        raise UnsupportedTokenizer(f"the tokenizer is of the kind {name}, which is not supported: byte-level BPE is")
    special = {entry["content"]: int(entry["id"]) for entry in tokenizer_json.get("added_tokens", [])}
    plain = dict(tokenizer_json, added_tokens=[], normalizer=None, post_processor=None)
    plain["model"] = dict(plain["model"], vocab={**plain["model"]["vocab"], **special})
    return plain, special
