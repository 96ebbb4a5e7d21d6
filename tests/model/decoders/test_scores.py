"""Scores in NumPy and in torch: the same answers, by the definition."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.decoders.array_scores import ArrayScores
from model.decoders.torch_scores import TorchScores


@given(
    vocab=st.integers(3, 400),
    rows=st.integers(1, 3),
    n=st.integers(1, 20),
    among=st.booleans(),
    seed=st.integers(0, 99),
)
def test_both_say_what_the_definition_says(vocab: int, rows: int, n: int, among: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocab, generator=generator) * 5
    truth = logits.log_softmax(1)
    allowed = torch.randperm(vocab, generator=generator)[: vocab // 2].tolist() if among else None
    ids = torch.randint(vocab, (rows,), generator=generator).tolist()
    for scores in (ArrayScores(logits.numpy()), TorchScores(logits)):
        assert len(scores) == rows
        assert scores.logprobs(ids) == pytest.approx([float(truth[row, ids[row]]) for row in range(rows)], abs=1e-4)
        for row in range(rows):
            ranked = sorted(allowed or range(vocab), key=lambda token: -float(truth[row, token]))[:n]
            best = scores.best(row, n, allowed)
            assert [token for token, _ in best] == ranked
            assert [p for _, p in best] == pytest.approx([float(truth[row, token]) for token in ranked], abs=1e-4)
            some = allowed or [0, 2]
            assert scores.total(row, some) == pytest.approx(float(truth[row, some].logsumexp(0)), abs=1e-4)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.integers(1, 12))
def test_of_equal_scores_the_first_token_comes_first(values: list[int], n: int) -> None:
    """Also where there are more equals than blocks that are looked into."""
    scores = ArrayScores(np.array([values], np.float32))
    assert [token for token, _ in scores.best(0, n)] == sorted(range(len(values)), key=lambda i: -values[i])[:n]


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    logits = np.random.default_rng(1).standard_normal((5, 1000), np.float32)
    together = ArrayScores(logits)
    for row in range(5):
        alone = ArrayScores(logits[row : row + 1].copy())
        assert alone.best(0, 9) == together.best(row, 9)
        assert alone.logprobs([7]) == together.logprobs([7] * 5)[row : row + 1]
