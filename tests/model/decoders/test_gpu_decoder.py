"""The graphics card's decoder, on the CPU: static steps and chunks against the torch decoder, in fp32."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.decoders.gpu_decoder import GpuDecoder
from model.decoders.gpu_kv import TILE, GpuKV
from model.decoders.gpu_steps import MAX_RANGES, STEP_SIZES, tiles_for
from model.decoders.interface import Decoder, run_to_end
from model.decoders.kv import KV, Slots, Span
from model.decoders.torch_decoder import TorchDecoder
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.decoders.test_torch_decoder import CASES, make_folder
from tests.model.gpu import tiny_gpu_decoder

_CAPACITY = 2000


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[GpuDecoder, TorchDecoder]:
    folder = tmp_path_factory.mktemp("model")
    make_folder(folder, request.param)
    with open_source(folder) as weights:
        return tiny_gpu_decoder(weights), load_fp32(weights)


def some_ids(n: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 160, (n,), generator=torch.Generator().manual_seed(seed))


def run(decoder: Decoder, ids: torch.Tensor, kv: KV, start: int, attend: Slots | None = None) -> torch.Tensor:
    """Hidden states of ids at positions and slots start.., attending to `attend` (default: all before)."""
    span = Span(len(ids), ((0, start),) if attend is None else attend, start)
    return run_to_end(decoder.forward(ids, torch.arange(start, start + len(ids)), kv, [span])).clone()


def assert_close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("n", [1, 3, 8, 9, 70])
def test_tokens_from_nothing_are_the_torch_decoders(pair: tuple[GpuDecoder, TorchDecoder], n: int) -> None:
    mine, truth = pair
    got = mine.logits(run(mine, some_ids(n), mine.new_kv(_CAPACITY), 0))
    expected = truth.logits(run(truth, some_ids(n), truth.new_kv(_CAPACITY), 0))
    assert expected.std() > 0.1
    assert_close(got, expected)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("start", [40, 255, 256, 1020, 1030])
def test_a_static_step_equals_the_dynamic_path(pair: tuple[GpuDecoder, TorchDecoder], n: int, start: int) -> None:
    """At the borders of tiles and of the numbers of tiles that steps are made for."""
    hidden = []
    for decoder in pair:
        kv = decoder.new_kv(_CAPACITY)
        run(decoder, some_ids(start), kv, 0)
        hidden.append(run(decoder, some_ids(n, 2), kv, start))
    assert_close(*hidden)


def test_steps_repeat_by_their_replays(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    """The first step of a shape runs plainly, the second is captured, later ones replay: all must give the same."""
    mine, truth = pair
    ids = some_ids(60)
    ours, theirs = mine.new_kv(_CAPACITY), truth.new_kv(_CAPACITY)
    for start in range(0, 60, 4):
        step = ids[start : start + 4]
        assert_close(run(mine, step, ours, start), run(truth, step, theirs, start))
    assert [key for key, replay in ours.replays.items() if replay is not None] == [(4, 4)]


def test_holes_are_never_seen_in_steps_and_chunks(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    attend = ((0, 17), (40, 77), (300, 513))
    for n in (1, 8, 30):
        hidden = []
        for decoder in pair:
            kv = decoder.new_kv(_CAPACITY)
            run(decoder, some_ids(600), kv, 0)
            hidden.append(run(decoder, some_ids(n, 3), kv, 600, attend))
        assert_close(*hidden)


def test_many_holes_go_the_dynamic_way(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    attend = tuple((begin, begin + 1) for begin in range(0, 2 * MAX_RANGES, 2))
    hidden = []
    for decoder in pair:
        kv = decoder.new_kv(_CAPACITY)
        run(decoder, some_ids(100), kv, 0)
        hidden.append(run(decoder, some_ids(2, 3), kv, 100, attend))
    assert_close(*hidden)


def test_candidates_side_by_side_are_one_step(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    """Several spans, each with slots of its own behind a shared prompt."""
    hidden = []
    for decoder in pair:
        kv = decoder.new_kv(_CAPACITY)
        run(decoder, some_ids(50), kv, 0)
        for token in range(3):
            spans = [Span(1, ((0, 50), (start, start + token)), start + token) for start in (50, 70, 90)]
            steps = decoder.forward(some_ids(3, token), torch.full((3,), 50 + token), kv, spans)
            hidden.append(run_to_end(steps).clone())
    for got, expected in zip(hidden[:3], hidden[3:], strict=True):
        assert_close(got, expected)


def test_what_lies_in_free_slots_changes_nothing(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    mine, _ = pair
    clean, dirty = mine.new_kv(_CAPACITY), mine.new_kv(_CAPACITY)
    dirty.keys.normal_(0, 100)
    dirty.values.normal_(0, 100)
    for kv in (clean, dirty):
        run(mine, some_ids(30), kv, 0)
    assert torch.equal(run(mine, some_ids(3, 2), clean, 30), run(mine, some_ids(3, 2), dirty, 30))


def test_greedy_of_a_step_comes_with_it(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    mine, _ = pair
    kv = mine.new_kv(_CAPACITY)
    for n in (4, 20):
        span = Span(n, (), 0)
        hidden = run_to_end(mine.forward(some_ids(n), torch.arange(n), kv, [span]))
        logits = mine.logits(hidden)
        for rows in (slice(0, n), slice(n - 1, n), slice(1, 3)):
            best = mine.greedy(hidden[rows])
            assert [token for token, _ in best] == logits[rows].argmax(1).tolist()
            assert [p for _, p in best] == pytest.approx(logits[rows].log_softmax(1).amax(1).tolist(), abs=1e-4)


@pytest.mark.parametrize("distance", [0, 7, -20])
def test_a_moved_range_is_what_the_torch_decoder_moves(pair: tuple[GpuDecoder, TorchDecoder], distance: int) -> None:
    hidden = []
    for decoder in pair:
        kv, other = decoder.new_kv(_CAPACITY), decoder.new_kv(_CAPACITY)
        run(decoder, some_ids(90), kv, 0)
        block = decoder.new_block(50)
        decoder.move(kv, 30, 50, block, 0, 0)
        decoder.move(kv, 0, 10, other, 0, 0)
        decoder.move(block, 0, 50, other, 30 + distance, distance)
        decoder.move(other, 30 + distance, 50, other, 34 + distance, 4)  # ranges that overlap
        hidden.append(run(decoder, some_ids(2, 4), other, 120, ((0, 10), (34 + distance, 84 + distance))))
    assert_close(*hidden)


def test_growing_keeps_keys_and_values_and_drops_replays(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    mine, truth = pair
    ours, theirs = mine.new_kv(TILE), truth.new_kv(_CAPACITY)
    for start in range(0, 256, 8):
        run(mine, some_ids(8, start), ours, start)
        expected = run(truth, some_ids(8, start), theirs, start)
    ours.grow(TILE + 1, 256)
    assert ours.capacity == 2 * TILE
    assert not ours.replays
    assert_close(run(mine, some_ids(8), ours, 256), run(truth, some_ids(8), theirs, 256))
    assert expected.std() > 0.1


def test_a_capture_is_made_once_for_a_shape_and_a_buffer(tmp_path: Path) -> None:
    """With a capture that counts, in place of a card's."""
    make_folder(tmp_path, "qwen2 with a tied head")
    n_captured, n_replayed = 0, 0

    def capture(step: Callable[[], None]) -> Callable[[], None]:
        nonlocal n_captured
        n_captured += 1

        def replay() -> None:
            nonlocal n_replayed
            n_replayed += 1
            step()

        return replay

    decoder = tiny_gpu_decoder(tmp_path, capture=capture)
    first, second = decoder.new_kv(_CAPACITY), decoder.new_kv(_CAPACITY)
    for start in range(10):
        run(decoder, some_ids(1), first, start)
    assert (n_captured, n_replayed) == (1, 9)
    run(decoder, some_ids(3), first, 10)
    run(decoder, some_ids(1), second, 0)
    assert (n_captured, n_replayed) == (1, 9)  # the first of each shape runs plainly
    run(decoder, some_ids(1), second, 1)
    assert (n_captured, n_replayed) == (2, 10)


def test_few_numbers_of_tiles_serve_every_length() -> None:
    most = 65
    used = {tiles_for(end, most) for end in range(1, most * TILE + 1)}
    assert all(tiles_for(end, most) * TILE >= end for end in range(1, most * TILE + 1))
    assert len(used) * len(STEP_SIZES) <= 18


def test_a_prefill_yields_between_layers_and_a_step_before_it_begins(pair: tuple[GpuDecoder, TorchDecoder]) -> None:
    mine, _ = pair
    kv = mine.new_kv(64)
    assert isinstance(kv, GpuKV)
    assert sum(1 for _ in mine.forward(some_ids(20), torch.arange(20), kv, [Span(20, (), 0)])) == 3
    kv.keys.zero_()
    steps = mine.forward(some_ids(2), torch.arange(2), kv, [Span(2, (), 0)])
    next(steps)
    assert not kv.keys.any()  # dropped now, it has written nothing


def test_a_mask_and_torchs_bias_for_a_card_mean_the_same() -> None:
    from torch.nn.attention.bias import causal_lower_right

    for n, slots in ((9, 9), (9, 30), (1, 12)):
        mask = torch.ones(n, slots, dtype=torch.bool).tril(slots - n)
        assert torch.equal(causal_lower_right(n, slots)._materialize(), mask)


def test_who_runs_on_the_processor_pays_nothing_for_cards_at_the_start() -> None:
    """torch's compiler alone takes over a second to import, and bitsandbytes longer."""
    late = ("torch._dynamo", "bitsandbytes", "triton")
    code = f"import model.engine.startup, sys; print([m for m in {late} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
