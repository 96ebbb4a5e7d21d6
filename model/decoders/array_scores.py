"""A model's scores as a NumPy array: what `native_decoder` answers with. `torch_scores` is the same in torch.

Rules: implements `model.decoders.interface.Scores`. A row's answers do not depend, bit for bit, on the other rows.
"""

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

# Of neighboring tokens, whose best score stands for all of them.
_BLOCK = 64


class ArrayScores:
    """Scores over logits (n, vocab) fp32."""

    def __init__(self, logits: npt.NDArray[np.float32]) -> None:
        self._logits = logits
        self._totals: dict[int, float] = {}  # of the rows that were asked for

    def __len__(self) -> int:
        return len(self._logits)

    def best(self, row: int, n: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """As `model.decoders.interface.Scores.best`; the first of equals comes first."""
        logits, total = self._logits[row], self._total(row)
        if among is None:
            ids = _best(logits, n)
        else:
            given = np.asarray(among)
            ids = given[_best(logits[given], n)]
        return [(int(token), float(logits[token]) - total) for token in ids]

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """As `model.decoders.interface.Scores.logprobs`."""
        rows = enumerate(zip(self._logits, ids, strict=True))
        return [float(logits[token]) - self._total(row) for row, (logits, token) in rows]

    def total(self, row: int, among: Sequence[int]) -> float:
        """As `model.decoders.interface.Scores.total`."""
        return _logsumexp(self._logits[row][np.asarray(among)]) - self._total(row)

    def _total(self, row: int) -> float:
        if row not in self._totals:
            self._totals[row] = _logsumexp(self._logits[row])
        return self._totals[row]


def _logsumexp(values: npt.NDArray[np.float32]) -> float:
    most = values.max()
    shares = values - most
    return float(most) + log(float(np.exp(shares, out=shares).sum()))


def _best(values: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.intp]:
    """Indices of the n largest, in order, the first of equals first.

    They lie in the n blocks with the largest maxima, so that of a vocabulary of 150,000 little has to be sorted.
    """
    whole = len(values) // _BLOCK
    blocks = np.argsort(-values[: whole * _BLOCK].reshape(whole, _BLOCK).max(1), kind="stable")[:n]
    places = (np.sort(blocks)[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
    places = np.concatenate([places, np.arange(whole * _BLOCK, len(values))])
    return places[np.argsort(-values[places], kind="stable")[:n]]
