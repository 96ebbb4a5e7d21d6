"""Scores from packed counts are those of the formula."""

import math
import random
from collections import Counter

import pytest

from lsp_server.index.ranking import packed, saturated, scores, weighted


def test_scores_from_counts_are_the_sums_of_the_formula() -> None:
    choose = random.Random(0)
    vocabulary = [f"word{n}" for n in range(50)]
    chunks = [choose.choices(vocabulary, k=choose.randint(0, 80)) for _ in range(30)]
    weight = {word: choose.random() for word in [*vocabulary[::3], "unheard"]}
    lengths = [len(chunk) / 40 for chunk in chunks]
    expected = [
        math.fsum(weight[word] * saturated(n, length) for word, n in Counter(chunk).items() if word in weight)
        for chunk, length in zip(chunks, lengths, strict=True)
    ]
    assert max(expected) > 0
    assert scores(weight, lengths, [packed(chunk) for chunk in chunks]).tolist() == pytest.approx(expected)


def test_no_chunks_have_no_scores() -> None:
    assert scores({"word": 1.0}, [], []).tolist() == []
    assert scores({"word": 1.0}, [0.0], [packed([])]).tolist() == [0.0]


def test_a_word_is_counted_up_to_255_times() -> None:
    many = scores({"word": 1.0}, [1.0, 1.0], [packed(["word"] * 255), packed(["word"] * 1_000)]).tolist()
    assert many == pytest.approx([saturated(255, 1.0)] * 2)


def test_rare_words_weigh_more() -> None:
    weight = weighted({"rare": 1.0, "frequent": 1.0, "near": 2.0}, {"rare": 1, "frequent": 90, "near": 90}, 100)
    assert weight["rare"] > weight["near"] == 2 * weight["frequent"] > 0
