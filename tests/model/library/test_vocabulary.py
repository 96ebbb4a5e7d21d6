"""The mapped vocabulary says what the `tokenizers` library says of any text; where it cannot be, the library does."""

import json
import platform
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.engine.sampler import ByteTable
from model.library import vocabulary
from model.library.catalog import resolve
from model.library.store import newest_store
from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer, build_bpe
from model.library.vocabulary import VOCABULARY, MappedTokenizer, open_tokenizer, write_vocabulary
from model.native import binding
from model.weights.mapped import MappedTensors
from tests.fakes import bpe_tokenizer
from tests.model.tiny import byte_tokens

pytestmark = pytest.mark.skipif(not binding.is_built(), reason="the native extension was not built")

_SOURCES = sorted(Path(__file__).parents[3].glob("completion/**/*.py"))


def _store(folder: Path, tokenizer_json: str, special: dict[str, int]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer_json)
    (folder / "special_tokens.json").write_text(json.dumps(special))
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[MappedTokenizer, VocabTokenizer]:
    """A tokenizer of 2,000 tokens with Qwen's pattern, mapped and by its library."""
    store = _store(tmp_path_factory.mktemp("stores") / "one", bpe_tokenizer()._tokenizer.to_str(), {})
    mapped = open_tokenizer(store)
    assert isinstance(mapped, MappedTokenizer)
    return mapped, VocabTokenizer.open(store)


def test_it_says_of_sources_what_the_library_says(both: tuple[MappedTokenizer, VocabTokenizer]) -> None:
    mapped, library = both
    for file in _SOURCES:
        assert mapped.encode(text := file.read_text(encoding="utf-8")) == library.encode(text)


@given(st.text())
def test_and_of_any_text(both: tuple[MappedTokenizer, VocabTokenizer], text: str) -> None:
    mapped, library = both
    assert mapped.encode(text) == library.encode(text)


@given(st.text(st.sampled_from("aaab e\n\t.(r"), max_size=400))
def test_and_of_words_in_which_much_can_merge(both: tuple[MappedTokenizer, VocabTokenizer], text: str) -> None:
    mapped, library = both
    assert mapped.encode(text) == library.encode(text)
    assert mapped.encode(text * 20) == library.encode(text * 20)


def test_and_of_a_word_of_any_length(both: tuple[MappedTokenizer, VocabTokenizer]) -> None:
    mapped, library = both
    word = "".join(random.Random(1).choices("aeinrst", k=300_000))
    assert mapped.encode(word) == library.encode(word)


def test_tokens_spell_the_same(both: tuple[MappedTokenizer, VocabTokenizer]) -> None:
    mapped, library = both
    assert mapped.n_tokens == library.n_tokens == mapped.n_ids
    ids = range(mapped.n_ids + 3)
    assert [mapped.token_bytes(i) for i in ids] == [library.token_bytes(i) for i in ids]


@given(st.binary(min_size=1, max_size=5))
def test_what_may_follow_is_found_by_its_order_as_without(
    both: tuple[MappedTokenizer, VocabTokenizer], outstanding: bytes
) -> None:
    mapped, library = both
    n = mapped.n_ids
    by_order, slow = ByteTable(n, mapped.token_bytes, mapped.in_order), ByteTable(n, library.token_bytes)
    assert by_order.allowed(outstanding) == slow.allowed(outstanding)


def test_special_tokens_and_what_no_text_becomes_spell_nothing(tmp_path: Path) -> None:
    words = [*byte_tokens(), "ab", "abc", "<|fim_middle|>", "Ġreturn", "ĊĊ", "漢", "a漢"]
    made = build_bpe(words, ["a b", "ab c"], "qwen2").to_str()
    tokenizer = open_tokenizer(_store(tmp_path / "store", made, {"<|fim_middle|>": 258}))
    assert isinstance(tokenizer, MappedTokenizer)
    assert [tokenizer.token_bytes(i) for i in range(257, 264)] == [b"abc", b"", b" return", b"\n\n", b"", b"", b""]
    assert tokenizer.special_tokens() == {"<|fim_middle|>": 258}
    assert tokenizer.encode("abcab<|fim_middle|>")[:3] == [257, 256, ord("<")]
    assert 258 not in tokenizer.encode("x<|fim_middle|>y")


def test_a_file_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", bpe_tokenizer()._tokenizer.to_str(), {})
    whole = open_tokenizer(store).encode("return self.x")
    n_bytes = (store / VOCABULARY).stat().st_size
    for damage in (b"", b"\x07", (store / VOCABULARY).read_bytes()[: n_bytes // 2]):
        (store / VOCABULARY).write_bytes(damage)
        tokenizer = open_tokenizer(store)
        assert isinstance(tokenizer, MappedTokenizer)
        assert tokenizer.encode("return self.x") == whole
        assert (store / VOCABULARY).stat().st_size == n_bytes


def _emptied(table: Any) -> Any:
    return table[:0]


def _of_bytes(table: Any) -> Any:
    return table.astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "change"),
    [("slots", _emptied), ("bytes", _emptied), ("slots", _of_bytes), ("bytes", _of_bytes), ("ends", _of_bytes)],
)
def test_tables_of_another_format_are_refused_before_anything_reads_them(
    tmp_path: Path, name: str, change: Callable[[Any], Any]
) -> None:
    store = _store(tmp_path / "store", bpe_tokenizer()._tokenizer.to_str(), {})
    write_vocabulary(store)
    tensors = MappedTensors(store / VOCABULARY)
    others = {each: change(tensors[each]) if each == name else tensors[each] for each in tensors}
    with pytest.raises(ValueError, match="not of this format"):
        MappedTokenizer(others, tensors.metadata, {})


def _refuse(*_: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_where_it_cannot_be_written_the_library_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _store(tmp_path / "store", bpe_tokenizer()._tokenizer.to_str(), {})
    monkeypatch.setattr(vocabulary.os, "replace", _refuse)
    tokenizer = open_tokenizer(store)
    assert isinstance(tokenizer, VocabTokenizer)
    assert tokenizer.encode("return") == bpe_tokenizer().encode("return")
    assert sorted(file.name for file in store.iterdir()) == ["special_tokens.json", "tokenizer.json"]


def _ignoring_merges(raw: dict[str, Any]) -> None:
    raw["model"]["ignore_merges"] = True


def _normalizing(raw: dict[str, Any]) -> None:
    raw["normalizer"] = {"type": "NFC"}


def _with_a_space_before(raw: dict[str, Any]) -> None:
    raw["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}


def _without_a_byte(raw: dict[str, Any]) -> None:
    raw["model"]["vocab"].pop("!")


@pytest.mark.parametrize("change", [_ignoring_merges, _normalizing, _with_a_space_before, _without_a_byte])
def test_another_kind_is_left_to_the_library(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(bpe_tokenizer()._tokenizer.to_str())
    change(raw)
    store = _store(tmp_path / "store", json.dumps(raw), {})
    with pytest.raises(UnsupportedTokenizer):
        write_vocabulary(store)
    assert isinstance(open_tokenizer(store), VocabTokenizer)


def test_a_tokenizer_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTokenizer, match="cannot be read"):
        open_tokenizer(_store(tmp_path / "store", "{}", {}))


def test_of_two_merges_of_one_pair_the_last_counts_as_in_the_library() -> None:
    table = binding.bpe_table(np.array([[97, 98, 0, 300], [97, 98, 1, 301]], np.uint32))
    first = np.arange(256, dtype=np.uint32)
    assert binding.bpe(table, first, b"abc", np.array([3], np.int32)) == [301, 99]


def test_words_that_are_not_the_text_are_refused() -> None:
    table, first = binding.bpe_table(np.zeros((0, 4), np.uint32)), np.arange(256, dtype=np.uint32)
    assert binding.bpe(table, first, b"", np.zeros(0, np.int32)) == []
    with pytest.raises(ValueError, match="not the text"):
        binding.bpe(table, first, b"abc", np.array([2], np.int32))


_GROWN = """
import sys
from pathlib import Path
from model.library.system import rss_mb
from model.library.vocabulary import open_tokenizer
before = rss_mb()
tokenizer = open_tokenizer(Path(sys.argv[1]))
tokenizer.encode("def f(x):")
print(rss_mb() - before)
"""


@pytest.mark.model
class TestTheRealOne:
    """The model's own."""

    @pytest.fixture
    def store(self, real_model: str) -> Path:
        store = newest_store(resolve(real_model).model_id)
        assert store is not None
        return store

    def test_it_says_what_the_library_says(self, store: Path) -> None:
        mapped, library = open_tokenizer(store), VocabTokenizer.open(store)
        assert isinstance(mapped, MappedTokenizer)
        assert mapped.n_tokens == library.n_tokens > 100_000
        assert mapped.special_tokens() == library.special_tokens()
        ids = range(mapped.n_ids)
        assert [mapped.token_bytes(i) for i in ids] == [library.token_bytes(i) for i in ids]
        rng = random.Random(3)
        for _ in range(2_000):
            kinds = (rng.randrange(32, 127), rng.randrange(0x3000), rng.randrange(0x110000), 10, 32, 32)
            text = "".join(chr(rng.choice(kinds)) for _ in range(rng.randrange(60)))
            assert mapped.encode(text) == library.encode(text)

    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep less of what is freed")
    def test_a_window_keeps_little_of_it(self, store: Path) -> None:
        """The library's takes 50 MB."""
        open_tokenizer(store)
        said = subprocess.run(
            [sys.executable, "-I", "-c", _GROWN, str(store)], check=True, capture_output=True, text=True
        )
        assert float(said.stdout) < 15
