"""Teacher-forced log-probabilities, in process, for the evals and the tests: ours in int8, or the fp32 truth."""

from collections.abc import Sequence
from pathlib import Path

import torch

from model.catalog import resolve
from model.decoder import Decoder
from model.fetch import fetch
from model.kv import KVBuffer, Slots
from model.load import load_fp32, load_int8
from model.quantize import ensure_store
from model.source import open_source
from model.tokenizer import VocabTokenizer

_CHUNK_TOKENS = 256


class Scorer:
    """A decoder with its tokenizer and no scheduler around it."""

    def __init__(self, decoder: Decoder, tokenizer: VocabTokenizer, store: Path) -> None:
        self.decoder, self.tokenizer, self.store = decoder, tokenizer, store

    @classmethod
    def open(cls, model: str, kind: str = "int8") -> "Scorer":
        """Fetch and quantize if needed, then load `kind` "int8" or "fp32"; ModelError when unknown."""
        source = resolve(model)
        file = fetch(source)
        store = ensure_store(source, file, lambda done: None)
        if kind == "int8":
            decoder = load_int8(store)
        elif kind == "fp32":
            with open_source(file) as weights:
                decoder = load_fp32(weights)
        else:
            raise ValueError(f"kind {kind!r} is neither 'int8' nor 'fp32'")
        return cls(decoder, VocabTokenizer.open(store), store)

    def run(self, ids: Sequence[int], kv: KVBuffer, *, position: int, write: int, attend: Slots) -> torch.Tensor:
        """One forward: ids at position.. into slots write..; returns hidden states (n, hidden)."""
        positions = torch.arange(position, position + len(ids))
        steps = self.decoder.forward(torch.tensor(ids), positions, kv, attend=attend, write=write)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                hidden: torch.Tensor = done.value
                return hidden

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """Log-probability of ids[1:], each given all ids before it; len(ids) - 1 values."""
        kv = self.decoder.new_kv(len(ids))
        result: list[float] = []
        for begin in range(0, len(ids) - 1, _CHUNK_TOKENS):
            chunk = ids[begin : min(begin + _CHUNK_TOKENS, len(ids) - 1)]
            hidden = self.run(chunk, kv, position=begin, write=begin, attend=((0, begin),))
            targets = torch.tensor(ids[begin + 1 : begin + 1 + len(chunk)])
            logits = self.decoder.logits(hidden)
            result += (logits[torch.arange(len(chunk)), targets] - logits.logsumexp(1)).tolist()
        return result
