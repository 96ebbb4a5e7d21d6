"""The default model's own weights: int8 against fp32, and the tokenizer's segments, on held-out code."""

from pathlib import Path

import pytest

from completion.segments import SegmentCache
from model.score import Scorer

pytestmark = pytest.mark.model

N_TOKENS, WINDOW = 2_048, 512
# Code of this repository: written after the model was trained.
HELD_OUT = (Path(__file__).parents[2] / "model" / "scheduler.py", Path(__file__).parents[2] / "model" / "client.py")


@pytest.fixture(scope="module")
def held_out(real_model: str) -> list[int]:
    text = "".join(path.read_text() for path in HELD_OUT)
    ids = Scorer.open(real_model).tokenizer.encode(text)
    assert len(ids) >= N_TOKENS
    return ids[:N_TOKENS]


def mean_nll(scorer: Scorer, ids: list[int]) -> float:
    """Mean negative log-likelihood in windows."""
    logprobs = [lp for at in range(0, len(ids), WINDOW) for lp in scorer.logprobs(ids[at : at + WINDOW])]
    return -sum(logprobs) / len(logprobs)


def test_int8_costs_less_than_003_nats_against_fp32(real_model: str, held_out: list[int]) -> None:
    int8 = mean_nll(Scorer.open(real_model, "int8"), held_out)
    fp32 = mean_nll(Scorer.open(real_model, "fp32"), held_out)
    assert 0.5 < fp32 < 3.0  # the model reads code at all
    assert abs(int8 - fp32) < 0.03


def test_joined_segments_are_the_ids_of_the_whole_text_with_the_real_tokenizer(real_model: str) -> None:
    tokenizer = Scorer.open(real_model).tokenizer
    texts = [path.read_text() for path in sorted(Path(__file__).parents[1].glob("parsers/samples/*"))]
    for text in [*texts, *(path.read_text() for path in HELD_OUT), *(text.replace("\n", "\r\n") for text in texts)]:
        assert SegmentCache(tokenizer).encode(text) == tokenizer.encode(text)
