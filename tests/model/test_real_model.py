"""The default model's own weights on held-out code: quantization's cost, exactness, the tokenizer's segments."""

from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from completion.prompt.segments import SegmentCache
from model.engine.decode import decode
from model.engine.generate import Generation, Request
from model.engine.layout import window_of
from model.engine.score import Scorer
from model.engine.session import Session
from model.native import binding
from tests.model.tiny import engine_of

pytestmark = pytest.mark.model

N_TOKENS, WINDOW = 1_024, 512
# Code of this repository: written after the model was trained.
HELD_OUT = (Path(__file__).parents[2] / "model/engine/scheduler.py", Path(__file__).parents[2] / "model/link/client.py")


@pytest.fixture(scope="module")
def held_out(real_model: str) -> list[int]:
    # Code alone: the prose at the head of a module is hard to foretell, and is rewritten.
    text = "".join(path.read_text().split('"""', 2)[2] for path in HELD_OUT)
    ids = Scorer.open(real_model).tokenizer.encode(text)
    assert len(ids) >= N_TOKENS
    return ids[:N_TOKENS]


def mean_nll(scorer: Scorer, ids: list[int]) -> float:
    """Mean negative log-likelihood in windows."""
    logprobs = [lp for at in range(0, len(ids), WINDOW) for lp in scorer.logprobs(ids[at : at + WINDOW])]
    return -sum(logprobs) / len(logprobs)


def test_quantization_costs_little_against_fp32(real_model: str, held_out: list[int]) -> None:
    """On 1,024 tokens the difference is known to about 0.015; `midfill eval nll` measures it on more."""
    fp32 = mean_nll(Scorer.open(real_model, "fp32"), held_out)
    assert 0.5 < fp32 < 3.0  # the model reads code at all
    assert abs(mean_nll(Scorer.open(real_model, "int8"), held_out) - fp32) < 0.02
    assert abs(mean_nll(Scorer.open(real_model, "int4"), held_out) - fp32) < 0.06


@pytest.mark.skipif(not binding.kernel_name(), reason="the native extension was not built")
def test_guessing_ahead_and_reuse_give_the_bits_of_plain_decoding(real_model: str, held_out: list[int]) -> None:
    decoder = Scorer.open(real_model).decoder

    def generate(session: Session, n_prompt: int, speculate: bool) -> tuple[list[tuple[int, float]], Generation]:
        tokens: list[tuple[int, float]] = []
        request = Request(
            key=0, session="", window=window_of(array("I", held_out[:n_prompt]), ()), heal=b"",
            stop_token_ids=frozenset(),
            max_tokens=32, speculate=speculate, on_prefilled=lambda report: None,
            on_token=lambda candidate, token, logprob, spelled: tokens.append((token, logprob)),
            on_finished=lambda report: None,
        )  # fmt: skip
        generation = Generation(engine_of(decoder), session, request)

        def work() -> Iterator[None]:
            yield from decode(generation, (yield from generation.prefill()))

        for _ in work():
            pass
        return tokens, generation

    growing, n_accepted = Session(kv=decoder.new_kv(1024)), 0
    for n_prompt in (300, 301, 420, 555):
        plain, _ = generate(Session(kv=decoder.new_kv(1024)), n_prompt, speculate=False)
        guessed, generation = generate(growing, n_prompt, speculate=True)
        assert guessed == plain
        n_accepted += generation.drafter.n_accepted
    assert n_accepted > 0


def test_joined_segments_are_the_ids_of_the_whole_text_with_the_real_tokenizer(real_model: str) -> None:
    tokenizer = Scorer.open(real_model).tokenizer
    texts = [path.read_text() for path in sorted(Path(__file__).parents[1].glob("parsers/samples/*"))]
    for text in [*texts, *(path.read_text() for path in HELD_OUT), *(text.replace("\n", "\r\n") for text in texts)]:
        assert SegmentCache(tokenizer).encode(text) == tokenizer.encode(text)
