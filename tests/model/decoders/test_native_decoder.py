"""The native decoder against the torch decoder on the same store, and against itself, by every kernel there is here."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from model.decoders.interface import Decoder, States, run_to_end
from model.decoders.kv import KV, Slots, Span
from model.decoders.native_decoder import NativeDecoder
from model.decoders.torch_decoder import TorchDecoder
from model.library.catalog import resolve
from model.native import binding
from model.weights.load import load_native
from model.weights.load_torch import load_torch
from model.weights.quantize import make_store
from tests.model.kernels import available, computing_with, opened
from tests.model.tiny import make_tiny_model

pytestmark = pytest.mark.skipif(binding.load(2) is None, reason="the native extension was not built")


@pytest.fixture(autouse=True, params=available())
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the native decoder computes with in a test."""
    with computing_with(request.param):
        yield request.param


@pytest.fixture(scope="module", params=["int8", "int4"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[NativeDecoder, TorchDecoder]:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDFILL_CACHE", str(tmp_path_factory.mktemp("cache")))
        store = make_store(resolve(str(folder)), folder, request.param, lambda done: None)
    library = binding.load(2)
    assert library is not None
    return load_native(store, library), load_torch(store, exact=True)


def run(decoder: Decoder, ids: torch.Tensor, kv: KV, start: int, attend: Slots | None = None) -> States:
    """Hidden states of ids at positions and slots start.., attending to `attend` (default: all before)."""
    span = Span(len(ids), ((0, start),) if attend is None else attend, start)
    return run_to_end(decoder.forward(ids.numpy(), np.arange(start, start + len(ids)), kv, [span]))


def same(a: States, b: States) -> bool:
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))


def assert_close(got: States, expected: States) -> None:
    """What may remain is the rounding of activations to int8 and of keys and values to fp16."""
    got, expected = torch.as_tensor(got), torch.as_tensor(expected)
    assert (got - expected).norm() < 0.05 * expected.norm()


def some_ids(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n,), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("n", [1, 7, 70])
def test_logits_are_close_to_torchs_on_the_same_weights(pair: tuple[NativeDecoder, TorchDecoder], n: int) -> None:
    mine, truth = pair
    got = mine.logits(run(mine, some_ids(n), mine.new_kv(128), 0))
    expected = truth.logits(run(truth, some_ids(n), truth.new_kv(128), 0))
    assert_close(got, expected)


def test_a_gap_between_attended_ranges_is_never_seen(pair: tuple[NativeDecoder, TorchDecoder]) -> None:
    ids = some_ids(120)
    hidden = []
    for decoder in pair:
        kv = decoder.new_kv(128)
        run(decoder, ids[:100], kv, 0)
        hidden.append(run(decoder, ids[100:], kv, 100, attend=((0, 17), (40, 77))))
    got, expected = (decoder.logits(h) for decoder, h in zip(pair, hidden, strict=True))
    assert_close(got, expected)


@pytest.mark.parametrize("cuts", [(1, 2, 60), (13, 14, 64, 100), (119,)])
def test_chunks_give_the_same_bits_as_one_pass(pair: tuple[NativeDecoder, TorchDecoder], cuts: tuple[int, ...]) -> None:
    decoder, ids = pair[0], some_ids(120)
    whole = run(decoder, ids, decoder.new_kv(128), 0)
    kv = decoder.new_kv(128)
    bounds = (0, *cuts, 120)
    parts = [run(decoder, ids[a:b], kv, a) for a, b in itertools.pairwise(bounds)]
    assert same(decoder.join(parts), whole)


def test_all_kernels_give_the_same_bits(pair: tuple[NativeDecoder, TorchDecoder], kernels: str) -> None:
    decoder, ids = pair[0], some_ids(70)
    mine = decoder.logits(run(decoder, ids, decoder.new_kv(128), 0))
    opened("scalar")
    assert same(decoder.logits(run(decoder, ids, decoder.new_kv(128), 0)), mine)


def test_growing_keeps_keys_and_values(pair: tuple[NativeDecoder, TorchDecoder]) -> None:
    decoder, ids = pair[0], some_ids(60)
    kv = decoder.new_kv(48)
    run(decoder, ids[:45], kv, 0)
    kv.grow(100, 45)
    assert kv.capacity >= 100
    assert same(run(decoder, ids[45:], kv, 45), run(decoder, ids, decoder.new_kv(64), 0)[45:])


def test_greedy_is_the_best_logit_and_its_log_probability(pair: tuple[NativeDecoder, TorchDecoder]) -> None:
    for decoder in pair:
        hidden = run(decoder, some_ids(9), decoder.new_kv(16), 0)
        logits = torch.as_tensor(decoder.logits(hidden))
        best = decoder.greedy(hidden)
        assert [token for token, _ in best] == logits.argmax(1).tolist()
        assert [p for _, p in best] == pytest.approx(logits.log_softmax(1).amax(1).tolist(), abs=1e-4)
