"""Whether one thing is better than another on the same examples: the mean difference and its interval.

`evals.scoring.stats` has other intervals: it draws examples, and nothing but the evals may import the evals.

Rules: examples of one file are alike, so what is drawn anew, again and again, are the files (a cluster bootstrap).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 2000
_SEED = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """After less before: the mean over examples, and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def difference(before: Sequence[float], after: Sequence[float], clusters: Sequence[str]) -> Difference:
    """The paired difference of examples that belong to clusters, such as files."""
    names = sorted(set(clusters))
    index = {name: number for number, name in enumerate(names)}
    sums, counts = np.zeros(len(names)), np.zeros(len(names))
    for old, new, name in zip(before, after, clusters, strict=True):
        sums[index[name]] += new - old
        counts[index[name]] += 1
    drawn = np.random.default_rng(_SEED).integers(0, len(names), (_DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Difference(float(sums.sum() / counts.sum()), float(low), float(high))
