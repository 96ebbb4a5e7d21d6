"""Bootstrap intervals, for every number that the evals and `midfill tune` report.

Rules: seeded, so the same examples give the same interval. Examples are resampled, not tokens: tokens of one
line depend on each other. A paired difference is the interval of the differences, one per example.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Numerators and denominators, one of each per example.
Shares = tuple[Sequence[float], Sequence[float]]
Column = NDArray[np.float64]

_RESAMPLES = 10_000
# Resamples drawn at once: keeps the index matrix below about 100 MB for 10,000 examples.
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean of one value per example; ValueError when there are none."""
    return ratio_interval(values, [1.0] * len(values), seed)


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float], seed: int = 0) -> Interval:
    """sum(numerators) / sum(denominators), as in NLL per token: both have one entry per example."""
    if not numerators:
        raise ValueError("no examples")
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if top.shape != bottom.shape:
        raise ValueError(f"{len(top)} numerators, {len(bottom)} denominators")
    generator = np.random.default_rng(seed)
    ratios = []
    for _ in range(_RESAMPLES // _BATCH):
        chosen = generator.integers(len(top), size=(_BATCH, len(top)))
        above, below = top[chosen].sum(1), bottom[chosen].sum(1)
        ratios.append(above[below > 0] / below[below > 0])  # a resample of nothing says nothing
    low, high = np.quantile(np.concatenate(ratios), (0.025, 0.975))
    return Interval(float(top.sum() / bottom.sum()), float(low), float(high))


def paired_difference(a: Sequence[float], b: Sequence[float], seed: int = 0) -> Interval:
    """The mean of b - a over examples that both have, in the same order."""
    return mean_interval([y - x for x, y in zip(a, b, strict=True)], seed)


def clustered_difference(a: Sequence[float], b: Sequence[float], clusters: Sequence[str], seed: int = 0) -> Interval:
    """The mean of b - a over examples that belong to clusters, such as files, which are resampled whole.

    Examples of one file are alike: resampled one by one they would seem to say more than they do.
    """
    sums, counts = dict.fromkeys(clusters, 0.0), dict.fromkeys(clusters, 0.0)
    for x, y, cluster in zip(a, b, clusters, strict=True):
        sums[cluster] += y - x
        counts[cluster] += 1
    return ratio_interval(list(sums.values()), list(counts.values()), seed)


def ratio_of_ratios(a: Shares, b: Shares, seed: int = 0) -> Interval:
    """(sum / sum of a) over (sum / sum of b), each (numerators, denominators) of the same examples, resampled together.

    Resamples in which b's is nothing count as infinite; the caller sees to it that not all are.
    """
    first, second = _resampled(a, b, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        every = np.nan_to_num(first / second, nan=1.0, posinf=sys.float_info.max)
    low, high = np.quantile(every[1:], (0.025, 0.975))
    return Interval(float(every[0]), float(low), float(high))


def ratio_difference(a: Shares, b: Shares, seed: int = 0) -> Interval:
    """(sum / sum of a) minus (sum / sum of b), likewise."""
    first, second = _resampled(a, b, seed)
    every = first - second
    low, high = np.quantile(every[1:], (0.025, 0.975))
    return Interval(float(every[0]), float(low), float(high))


def _resampled(a: Shares, b: Shares, seed: int) -> tuple[Column, Column]:
    """Both shares, first of all examples and then of each resample; ValueError without examples."""
    columns = np.asarray([*a, *b], dtype=float)
    if not columns.shape[1]:
        raise ValueError("no examples")
    generator = np.random.default_rng(seed)
    sums = [columns.sum(1)[None]]
    for _ in range(_RESAMPLES // _BATCH):
        chosen = generator.integers(columns.shape[1], size=(_BATCH, columns.shape[1]))
        sums.append(columns[:, chosen].sum(2).T)
    every = np.concatenate(sums)
    every = every[(every[:, 1] > 0) & (every[:, 3] > 0)]  # a resample of nothing says nothing
    return every[:, 0] / every[:, 1], every[:, 2] / every[:, 3]
