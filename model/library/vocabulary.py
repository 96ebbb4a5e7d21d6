"""A model's vocabulary where it is mapped: what tokens spell and which of them merge, in a file beside its tokenizer.

`tokenizers` reads a tokenizer.json of 7 MB in a third of a second, into 50 MB of each window's server. Of that the
library keeps what is short: it splits a text into words, by the model's own pattern. The merges, which are the most,
are looked up in the file by `native/bpe.cpp`, in pages that all processes share.

Rules: it is `tokenizers` that is right; the file is made only of a tokenizer that says the same of a telling text. A
store is complete without the file: it is made when it lacks, and where that fails the library does all.
"""

import functools
import json
import logging
import os
import threading
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Tokenizer as HfTokenizer
from tokenizers.pre_tokenizers import PreTokenizer

from model.library.store import SPECIAL_TOKENS, StoreError
from model.library.system import give_back_memory
from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer, byte_alphabet
from model.native import binding
from model.weights.mapped import MappedTensors

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]

# The number is the format's.
VOCABULARY = "vocabulary-1.safetensors"
# What a BPE of the library may have beside its merges.
_MORE_THAN_MERGES = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges")
# Where families of tokenizers differ: numbers, blanks, ends of lines, cases, quotes, other scripts, long words.
_TELLING = (
    "def f(x):\r\n\treturn x  # 12345 + 1e-7\n\n\n        it's WE'LL naïve 漢字 🙂\u200d e\u0301 \u00a0\u2028x "
    "<|endoftext|>    }\n" + "ab" * 300 + "\t\t\t \n  ÅÄÖ١٢३ǅ\x00\x7f"
)


class MappedTokenizer:
    """A store's tokenizer over its mapped vocabulary. Implements completion.types.Tokenizer."""

    def __init__(
        self, tensors: MappedTensors | dict[str, Array], metadata: dict[str, str], special: dict[str, int]
    ) -> None:
        """Over the tensors and the metadata of `_tensors`; KeyError or ValueError where they are others."""
        slots, first, ends = tensors["slots"], tensors["bytes"], tensors["ends"]
        # Native code reads them by these.
        are_right = slots.shape[1:] == (4,) and len(slots).bit_count() == 1 and first.shape == (256,)
        if not are_right or any(table.dtype != np.uint32 for table in (slots, first, ends)):
            raise ValueError("the tables are not of this format")
        self._slots, self._first = slots, first
        self._ends, self._spelled = ends, tensors["spelled"]
        self._pre_tokenizer, self._special = metadata["pre_tokenizer"], special
        self.n_tokens = int(metadata["n_tokens"])
        # The ids that spell something, by what they spell: (n,) uint32.
        self.in_order: npt.NDArray[np.uint32] = tensors["order"]

    @functools.cached_property
    def _words(self) -> PreTokenizer:
        """The library's part; its words are spelled in `byte_alphabet`."""
        empty = {"type": "BPE", "vocab": {}, "merges": []}
        said = {"version": "1.0", "added_tokens": [], "pre_tokenizer": json.loads(self._pre_tokenizer), "model": empty}
        words: PreTokenizer = HfTokenizer.from_str(json.dumps(said)).pre_tokenizer
        return words

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; lone surrogates, which have no UTF-8 form, become "?"."""
        clean = text.encode("utf-8", "replace")
        words = self._words.pre_tokenize_str(clean.decode())
        ends = np.fromiter(accumulate(len(word) for word, _ in words), np.int32, len(words))  # a character is a byte
        return binding.bpe(self._slots, self._first, clean, ends)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token stands for; b"" for special and out-of-range ids."""
        if token_id + 1 >= len(self._ends):
            return b""
        return self._spelled[self._ends[token_id] : self._ends[token_id + 1]].tobytes()

    @property
    def n_ids(self) -> int:
        """One more than the highest id."""
        return len(self._ends) - 1

    def special_tokens(self) -> dict[str, int]:
        """The special tokens by their names."""
        return dict(self._special)


StoreTokenizer = MappedTokenizer | VocabTokenizer


def open_tokenizer(store: Path) -> StoreTokenizer:
    """The tokenizer of a store, mapped where that can be; UnsupportedTokenizer when it cannot be read."""
    if not binding.is_built():
        return VocabTokenizer.open(store)
    if (mapped := _mapped(store)) is not None:
        return mapped
    try:
        write_vocabulary(store)
    except (UnsupportedTokenizer, OSError) as error:
        log.info("the tokenizer is read, not mapped: %s", error)
    return _mapped(store) or VocabTokenizer.open(store)


def _mapped(store: Path) -> MappedTokenizer | None:
    """That of a store's file; None where there is none, or a damaged one."""
    file = store / VOCABULARY
    try:
        tensors = MappedTensors(file)
        return MappedTokenizer(tensors, tensors.metadata, json.loads((store / SPECIAL_TOKENS).read_text()))
    except FileNotFoundError:
        return None
    except (StoreError, OSError, KeyError, ValueError) as error:
        log.warning("%s is made again: %s", file, error)
        return None


def write_vocabulary(store: Path) -> None:
    """Make a store's vocabulary of its tokenizer.json, where the kernels are there that read it.

    UnsupportedTokenizer when the tokenizer is damaged or of another kind; OSError when it cannot be written.
    """
    if not binding.is_built():
        return
    try:
        raw: dict[str, Any] = json.loads((store / "tokenizer.json").read_bytes())
        special: dict[str, int] = json.loads((store / SPECIAL_TOKENS).read_text())
        tensors, metadata = _tensors(raw, frozenset(special.values()))
        del raw  # 300,000 small objects
        mapped = MappedTokenizer(tensors, metadata, special).encode(_TELLING)
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedTokenizer(f"the tokenizer in {store} is of another kind: {error!r}") from error
    if mapped != VocabTokenizer.open(store).encode(_TELLING):
        raise UnsupportedTokenizer(f"the tokenizer in {store} is of a kind that only its library knows")
    made = store / f".{VOCABULARY}-{os.getpid()}-{threading.get_ident()}"
    try:
        save_file(tensors, made, metadata)
        os.replace(made, store / VOCABULARY)
    finally:
        made.unlink(missing_ok=True)
    del tensors
    give_back_memory()


def _tensors(raw: dict[str, Any], special: frozenset[int]) -> tuple[dict[str, Array], dict[str, str]]:
    """The file's tensors and metadata, of a tokenizer.json. KeyError where a byte or a merge has no token."""
    more = [name for name in _MORE_THAN_MERGES if raw["model"].get(name)]
    if more or raw.get("normalizer") or raw.get("added_tokens"):
        raise UnsupportedTokenizer(f"the tokenizer does more than to merge: {', '.join(more) or 'it normalizes'}")
    vocab: dict[str, int] = raw["model"]["vocab"]
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in raw["model"]["merges"])
    merges = [(vocab[left], vocab[right], rank, vocab[left + right]) for rank, (left, right) in enumerate(pairs)]
    first = {byte: vocab[character] for character, byte in byte_alphabet().items()}
    spelled = _spellings(vocab, special)
    order = sorted((token_id for token_id, text in enumerate(spelled) if text), key=spelled.__getitem__)
    tensors = {
        "slots": binding.bpe_table(np.array(merges, np.uint32).reshape(-1, 4)),
        "bytes": np.array([first[byte] for byte in range(256)], np.uint32),
        "ends": np.fromiter(accumulate(map(len, spelled), initial=0), np.uint32, len(spelled) + 1),
        "spelled": np.frombuffer(b"".join(spelled), np.uint8),
        "order": np.array(order, np.uint32),
    }
    return tensors, {"pre_tokenizer": json.dumps(raw["pre_tokenizer"]), "n_tokens": str(len(vocab))}


def _spellings(vocab: dict[str, int], special: frozenset[int]) -> list[bytes]:
    """What each id stands for, as `VocabTokenizer.token_bytes` says."""
    alphabet = byte_alphabet()
    as_bytes = {ord(character): chr(byte) for character, byte in alphabet.items()}
    spelled = [b""] * (max(vocab.values(), default=-1) + 1)
    for token, token_id in vocab.items():
        # As there: what is outside of the byte alphabet cannot be produced from text.
        if token_id not in special and alphabet.keys() >= set(token):
            spelled[token_id] = token.translate(as_bytes).encode("latin-1")
    return spelled
