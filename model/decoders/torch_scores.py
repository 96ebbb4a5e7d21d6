"""A model's scores as a torch tensor, on the processor or on a card. `array_scores` is the same in NumPy.

Rules: implements `model.decoders.interface.Scores`. What is asked is computed where the scores lie: an answer, never a
row of the vocabulary, comes to the host.
"""

from collections.abc import Sequence
from functools import cached_property

import torch


class TorchScores:
    """Scores over logits (n, vocab) fp32."""

    def __init__(self, logits: torch.Tensor) -> None:
        self._logits = logits

    def __len__(self) -> int:
        return len(self._logits)

    @torch.inference_mode()
    def best(self, row: int, n: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """As `model.decoders.interface.Scores.best`."""
        given = None if among is None else self._ids(among)
        values = self._logits[row] if given is None else self._logits[row][given]
        top = values.topk(min(n, len(values)))
        ids = top.indices if given is None else given[top.indices]
        return list(zip(ids.tolist(), (top.values - self._totals[row]).tolist(), strict=True))

    @torch.inference_mode()
    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """As `model.decoders.interface.Scores.logprobs`."""
        chosen: list[float] = (self._logits.gather(1, self._ids(ids)[:, None])[:, 0] - self._totals).tolist()
        return chosen

    @torch.inference_mode()
    def total(self, row: int, among: Sequence[int]) -> float:
        """As `model.decoders.interface.Scores.total`."""
        return float(self._logits[row][self._ids(among)].logsumexp(0) - self._totals[row])

    @cached_property
    def _totals(self) -> torch.Tensor:
        return self._logits.logsumexp(1)

    def _ids(self, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(ids, dtype=torch.int64, device=self._logits.device)


def best_tokens(logits: torch.Tensor) -> list[tuple[int, float]]:
    """Per row of (n, vocab): the best token id (the first of equals) and its log-probability."""
    ids = logits.argmax(1)
    logprobs = logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1)
    return list(zip(ids.tolist(), logprobs.tolist(), strict=True))
