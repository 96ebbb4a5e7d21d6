"""Token healing: what may come next, against a slow reading of the definition."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.decoders.array_scores import ArrayScores
from model.decoders.interface import Scores
from model.decoders.torch_scores import TorchScores
from model.engine.sampler import ByteTable, pick

VOCAB = [b"", b"r", b"re", b"ret", b"return", b"returns", b" ret", b"x", b"\xff", b"\xff\xff", b"\xff\x00", b"r\xc3"]


@given(st.sampled_from([b"r", b"re", b"ret", b"retu", b"return", b"\xff", b"\xff\xff", b"x", b"q", b" "]))
def test_allowed_is_every_token_that_agrees_with_the_outstanding_bytes(outstanding: bytes) -> None:
    table = ByteTable(len(VOCAB), VOCAB.__getitem__)
    slow = [i for i, t in enumerate(VOCAB) if t and (t.startswith(outstanding) or outstanding.startswith(t))]
    assert sorted(table.allowed(outstanding)) == slow


@given(st.lists(st.binary(max_size=3), max_size=40), st.binary(min_size=1, max_size=4))
def test_allowed_equals_the_definition_for_any_vocabulary(vocab: list[bytes], outstanding: bytes) -> None:
    table = ByteTable(len(vocab), vocab.__getitem__)
    slow = [i for i, t in enumerate(vocab) if t and (t.startswith(outstanding) or outstanding.startswith(t))]
    assert sorted(table.allowed(outstanding)) == slow


@pytest.mark.parametrize("scores_of", [TorchScores, lambda logits: ArrayScores(logits.numpy())])
def test_pick_is_the_best_allowed_token_with_its_probability_among_all(
    scores_of: Callable[[torch.Tensor], Scores],
) -> None:
    logits = torch.tensor([0.0, 3.0, 1.0, 2.0])
    token_id, logprob, spelled = pick(scores_of(logits[None]), [0, 2, 3])
    assert token_id == 3
    assert abs(logprob - float(logits.log_softmax(0)[3])) < 1e-6
    assert abs(spelled - float(logits.softmax(0)[[0, 2, 3]].sum().log())) < 1e-6  # of all that could have stood there
