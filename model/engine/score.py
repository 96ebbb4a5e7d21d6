"""Teacher-forced log-probabilities, in process, for evals and tests: ours as users run it, or the fp32 truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.decoders.interface import Decoder, States, run_to_end
from model.decoders.kv import KV, Slots, Span
from model.library.catalog import resolve
from model.library.fetch import fetch
from model.library.system import n_cores
from model.library.vocabulary import StoreTokenizer, open_tokenizer
from model.weights.load import open_decoder

_CHUNK_TOKENS = 256


def run_once(decoder: Decoder, ids: Sequence[int], kv: KV, *, position: int, write: int, attend: Slots) -> States:
    """One forward: ids at position.. into slots write..; returns hidden states (n, hidden)."""
    positions = np.arange(position, position + len(ids))
    return run_to_end(decoder.forward(np.array(ids, np.int64), positions, kv, [Span(len(ids), attend, write)]))


def logprobs(decoder: Decoder, ids: Sequence[int]) -> list[float]:
    """Log-probability of ids[1:], each given all ids before it; len(ids) - 1 values."""
    kv = decoder.new_kv(len(ids))
    result: list[float] = []
    for begin in range(0, len(ids) - 1, _CHUNK_TOKENS):
        chunk = ids[begin : min(begin + _CHUNK_TOKENS, len(ids) - 1)]
        hidden = run_once(decoder, chunk, kv, position=begin, write=begin, attend=((0, begin),))
        result += decoder.scores(hidden).logprobs(ids[begin + 1 : begin + 1 + len(chunk)])
    return result


class Scorer:
    """A decoder with its tokenizer and no scheduler around it."""

    def __init__(self, decoder: Decoder, tokenizer: StoreTokenizer, store: Path) -> None:
        self.decoder, self.tokenizer, self.store = decoder, tokenizer, store

    @classmethod
    def open(cls, model: str, kind: str = "auto") -> "Scorer":
        """Fetch and quantize if needed, then load `kind`: "auto", "int4", "int8", or "fp32" (the truth).

        ModelError when the model is unknown.
        """
        source = resolve(model)
        file = fetch(source)
        decoder, store = open_decoder(source, file, kind, n_cores())
        return cls(decoder, open_tokenizer(store), store)

    def run(self, ids: Sequence[int], kv: KV, *, position: int, write: int, attend: Slots) -> States:
        """`run_once` of its decoder."""
        return run_once(self.decoder, ids, kv, position=position, write=write, attend=attend)

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """`logprobs` of its decoder."""
        return logprobs(self.decoder, ids)
