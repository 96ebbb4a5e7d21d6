"""Teacher-forced scores: how probable the true text was, whatever the engine would have generated.

Used by `lines`, `nll` and `blocks`. Log-probabilities are natural; NLL is their negative.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from model.engine.score import Scorer

_CHUNK_TOKENS = 256


class TargetScorer(Protocol):
    """Scores target ids after a prompt."""

    def target_logprobs(self, prompt: Sequence[int], target: Sequence[int]) -> list[float]:
        """Log-probability of each target id, given the prompt and the target ids before it."""
        ...


class MidfillScorer:
    """Implements TargetScorer with midfill's own decoder, in this process."""

    def __init__(self, scorer: "Scorer") -> None:
        self._scorer = scorer
        self.tokenizer = scorer.tokenizer

    def target_logprobs(self, prompt: Sequence[int], target: Sequence[int]) -> list[float]:
        """As the protocol says; the vocabulary's scores are computed for the target's rows only."""
        ids = [*prompt, *target]
        kv = self._scorer.decoder.new_kv(len(ids))
        hidden = []
        for begin in range(0, len(ids) - 1, _CHUNK_TOKENS):
            chunk = ids[begin : min(begin + _CHUNK_TOKENS, len(ids) - 1)]
            hidden.append(self._scorer.run(chunk, kv, position=begin, write=begin, attend=((0, begin),)))
        decoder = self._scorer.decoder
        return decoder.scores(decoder.join(hidden)[-len(target) :]).logprobs(target)


def open_midfill_scorer(model: str, kind: str = "auto") -> MidfillScorer:
    """Load a model ("auto", "int4", "int8" or "fp32") to score with; ModelError when it cannot be had."""
    from model.engine.score import Scorer  # who does not score must not wait for it

    return MidfillScorer(Scorer.open(model, kind))
