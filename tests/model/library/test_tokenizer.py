"""The tokenizer: text comes back byte for byte, and no text becomes a special token."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HfTokenizer

from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer, build_bpe, strip_added_tokens
from tests.model.tiny import SPECIAL, byte_tokens

TOKENIZER = VocabTokenizer(
    build_bpe([*byte_tokens(), "ab", "abc", "<|fim_middle|>"], ["a b", "ab c"], "qwen2"), frozenset({258})
)


@given(st.text())
def test_text_comes_back_byte_for_byte(text: str) -> None:
    spelled = b"".join(TOKENIZER.token_bytes(i) for i in TOKENIZER.encode(text))
    assert spelled == text.encode("utf-8", "replace")


def test_merges_apply() -> None:
    assert TOKENIZER.encode("abcab") == [257, 256]


def test_a_sentinel_in_the_text_is_ordinary_characters() -> None:
    ids = TOKENIZER.encode("x<|fim_middle|>y")
    assert 258 not in ids
    assert len(ids) == len("x<|fim_middle|>y")


def test_special_and_unknown_ids_spell_nothing() -> None:
    assert TOKENIZER.token_bytes(258) == b""
    assert TOKENIZER.token_bytes(10_000) == b""


def test_an_unknown_pre_tokenizer_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedTokenizer, match="tekken"):
        build_bpe(byte_tokens(), [], "tekken")


def test_a_hugging_face_tokenizer_loses_its_special_matching_and_keeps_its_ids(tmp_path: Path) -> None:
    raw = json.loads(build_bpe(byte_tokens(), [], "qwen2").to_str())
    raw["added_tokens"] = [
        {"id": 256 + i, "content": text, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for i, text in enumerate(SPECIAL)
    ]  # fmt: skip
    matching = HfTokenizer.from_str(json.dumps(raw))
    assert 261 in matching.encode("a<|fim_middle|>").ids  # what we do not want
    plain, special = strip_added_tokens(raw)
    assert special["<|fim_middle|>"] == 261
    assert 261 not in HfTokenizer.from_str(json.dumps(plain)).encode("a<|fim_middle|>").ids
