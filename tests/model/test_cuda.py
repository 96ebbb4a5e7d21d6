"""On a real NVIDIA card: captured graphs, kinds of weights, copies and memory. Skipped, and saying so, without one."""

from pathlib import Path

import pytest
import torch

from model.decoder import run_to_end
from model.gpu_decoder import GpuDecoder
from model.gpu_steps import eager
from model.kv import KV, Span
from tests.model.gpu import needs_card, tiny_gpu_decoder
from tests.model.test_gpu_decoder import some_ids
from tests.model.test_torch_decoder import make_folder

pytestmark = needs_card
CARD = torch.device("cuda")
CAPACITY = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_folder(path, "qwen2 with an untied head")
    return path


def on_card(folder: Path, kind: str = "bf16", **more: object) -> GpuDecoder:
    return tiny_gpu_decoder(folder, kind, CARD, None, **more)  # type: ignore[arg-type]


def run(decoder: GpuDecoder, ids: torch.Tensor, kv: KV, start: int) -> torch.Tensor:
    positions = torch.arange(start, start + len(ids))
    return run_to_end(decoder.forward(ids, positions, kv, [Span(len(ids), ((0, start),), start)])).clone()


@pytest.mark.parametrize(("kind", "error"), [("fp32", 1e-3), ("bf16", 0.05), ("nf4", 0.06), ("llmint8", 0.06)])
@pytest.mark.parametrize("n", [1, 4, 8, 9, 700])
def test_a_card_computes_what_the_processor_does(folder: Path, kind: str, error: float, n: int) -> None:
    """A prefill, then a step: both against the same weights in fp32 on the processor."""
    mine, truth = on_card(folder, kind), tiny_gpu_decoder(folder, kind)
    hidden = []
    for decoder in (mine, truth):
        kv = decoder.new_kv(CAPACITY)
        run(decoder, some_ids(n), kv, 0)
        hidden.append(run(decoder, some_ids(3, 2), kv, n).float().cpu())
    assert (hidden[0] - hidden[1]).norm() < error * hidden[1].norm()


@pytest.mark.parametrize("kind", ["bf16", "nf4", "llmint8"])
def test_a_replayed_graph_gives_what_the_plain_step_gives(folder: Path, kind: str) -> None:
    plain, captured = on_card(folder, kind, capture=eager), on_card(folder, kind)
    for size in (1, 4, 8):
        kvs = [decoder.new_kv(CAPACITY) for decoder in (plain, captured)]
        for start in range(0, 5 * size, size):
            got = [
                run(decoder, some_ids(size, start), kv, start)
                for decoder, kv in zip((plain, captured), kvs, strict=True)
            ]
            assert (got[0].float() - got[1].float()).norm() <= 1e-2 * got[0].float().norm()


@pytest.mark.parametrize("kind", ["bf16", "nf4", "llmint8"])
def test_the_decode_loop_allocates_nothing(folder: Path, kind: str) -> None:
    decoder = on_card(folder, kind)
    kv = decoder.new_kv(CAPACITY)

    def steps(begin: int, n: int) -> None:
        for start in range(begin, begin + n):
            span = Span(1, ((0, start),), start)
            decoder.greedy(run_to_end(decoder.forward(some_ids(1), torch.tensor([start]), kv, [span])))

    steps(0, 4)
    before = torch.cuda.memory_stats()
    steps(4, 50)
    after = torch.cuda.memory_stats()
    for count in ("allocation.all.allocated", "num_device_alloc"):
        assert after[count] == before[count]


def test_blocks_lie_in_page_locked_memory_and_come_back_unchanged(folder: Path) -> None:
    decoder = on_card(folder)
    kv, other = decoder.new_kv(CAPACITY), decoder.new_kv(CAPACITY)
    run(decoder, some_ids(400), kv, 0)
    block = decoder.new_block(300)
    assert block.keys.is_pinned()
    decoder.move(kv, 50, 300, block, 0, 0)
    decoder.move(block, 0, 300, other, 50, 0)
    for layer in range(3):
        for mine, theirs in zip(kv.read(layer, ((50, 350),)), other.read(layer, ((50, 350),)), strict=True):
            assert torch.equal(mine, theirs)


def test_memory_that_is_full_is_an_error_that_midfill_knows(folder: Path) -> None:
    from model.device import failure

    decoder = on_card(folder)
    with pytest.raises(torch.OutOfMemoryError) as full:
        decoder.new_kv(1 << 40)
    assert "memory is full" in (failure(full.value) or "")
    assert run(decoder, some_ids(3), decoder.new_kv(64), 0).isfinite().all()
