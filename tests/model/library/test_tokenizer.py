"""The tokenizer: text comes back byte for byte, and no text becomes a special token."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HfTokenizer

from model.library.catalog import resolve
from model.library.store import newest_store
from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer, build_bpe, spellings, strip_added_tokens
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


def test_a_store_says_what_tokens_spell_as_its_tokenizer_does(tmp_path: Path) -> None:
    words = [*byte_tokens(), "ab", "abc", "<|fim_middle|>", "Ġreturn", "ĊĊ", "ÅĤ", "漢", "a漢"]
    (tmp_path / "tokenizer.json").write_text(build_bpe(words, ["a b", "ab c"], "qwen2").to_str())
    (tmp_path / "special_tokens.json").write_text(json.dumps({"<|fim_middle|>": 258}))
    tokenizer = VocabTokenizer.open(tmp_path)
    spelled = spellings(tmp_path)
    assert spelled == [tokenizer.token_bytes(token_id) for token_id in range(len(words))]
    assert spelled[257:261] == [b"abc", b"", b" return", b"\n\n"]
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UnsupportedTokenizer, match="cannot be read"):
        spellings(tmp_path)


@pytest.mark.model
def test_so_does_the_real_models(real_model: str) -> None:
    store = newest_store(resolve(real_model).model_id)
    assert store is not None
    tokenizer, spelled = VocabTokenizer.open(store), spellings(store)
    assert len(spelled) > 100_000
    assert spelled == [tokenizer.token_bytes(token_id) for token_id in range(len(spelled))]


_GROWN = """
import sys
from pathlib import Path
from model.library.system import rss_mb
from model.library.tokenizer import VocabTokenizer
before = rss_mb()
tokenizer = VocabTokenizer.open(Path(sys.argv[1]))
print(rss_mb() - before)
"""


@pytest.mark.model
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep less of what is freed")
def test_a_process_that_has_read_a_tokenizer_does_not_keep_what_only_reading_takes(real_model: str) -> None:
    """Each window's server has one: 47 MB, and while it is read 86."""
    store = newest_store(resolve(real_model).model_id)
    said = subprocess.run([sys.executable, "-I", "-c", _GROWN, str(store)], check=True, capture_output=True, text=True)
    assert float(said.stdout) < 65


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
