"""Whole requests on the graphics card's decoder, on the CPU in fp32: the same answers as on the torch decoder."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from completion.types import Piece
from model.decoders.gpu_kv import HostBlock
from model.decoders.interface import Decoder
from model.engine.blocks import BlockStore
from model.engine.generate import Engine, Finished
from model.engine.layout import window_of
from model.engine.scheduler import Scheduler
from model.engine.session import SessionPool
from model.library.speed import Speed
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.engine.test_rescue import TABLE, request
from tests.model.engine.test_scheduler import Answer
from tests.model.gpu import tiny_gpu_decoder

HEADER, ONE, TWO, REST = (
    [seed * number % 251 for number in range(1, n)] for seed, n in ((3, 9), (5, 40), (7, 30), (11, 50))
)
PROMPT = HEADER + ONE + TWO + REST
PIECES = (
    Piece(n_tokens=len(HEADER), rank=0, block=False),
    Piece(n_tokens=len(ONE), rank=1, block=True),
    Piece(n_tokens=len(TWO), rank=2, block=True),
    Piece(n_tokens=len(REST), rank=0, block=False),
)


def torch_decoder(folder: Path) -> Decoder:
    with open_source(folder) as weights:
        return load_fp32(weights)


def answers(make: Callable[[Path], Decoder], folder: Path, blocks: Path, **more: object) -> list[Answer]:
    """The same request three times, in two sessions: with blocks from nothing, held, and from the store."""
    decoder = make(folder)
    store = BlockStore(decoder.new_block, blocks, 50_000_000, 50_000_000)
    engine = Engine(decoder, lambda: TABLE, store, Speed(decoder.architecture))
    scheduler = Scheduler(engine, SessionPool(decoder.new_kv, 100_000_000), may_idle=lambda: False)
    given: list[Answer] = []
    for session in ("one", "one", "two"):
        answer = Answer()

        def on_finished(report: Finished, answer: Answer = answer) -> None:
            answer.on_finished(report)
            scheduler.stop()

        scheduler.submit(
            request(
                answer,
                [],
                session=session,
                window=window_of(array("I", PROMPT), PIECES),
                on_finished=on_finished,
                **more,
            )
        )
        scheduler.run()
        given.append(answer)
    assert store.counters.n_computed == 2
    assert store.counters.n_from_memory == 2
    return given


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"speculate": True, "max_tokens": 30},
        {"n_candidates": 3},
        {"heal": b"ab"},
        {"heal": b"a", "n_candidates": 2},
        {"target": array("I", [5, 6, 7])},
        {"target": array("I", range(20))},
    ],
    ids=str,
)
def test_requests_are_answered_as_on_the_torch_decoder(
    tiny_model: Path, tmp_path: Path, more: dict[str, object]
) -> None:
    expected = answers(torch_decoder, tiny_model, tmp_path / "truth", **more)
    for got, truth in zip(answers(tiny_gpu_decoder, tiny_model, tmp_path / "card", **more), expected, strict=True):
        assert got.candidates == truth.candidates
        assert got.logprobs == pytest.approx(truth.logprobs, abs=1e-3)
        assert got.finished[0].finish == truth.finished[0].finish


def test_a_block_comes_back_from_the_disk_into_the_hosts_memory(tiny_model: Path, tmp_path: Path) -> None:
    first = answers(tiny_gpu_decoder, tiny_model, tmp_path)
    decoder = tiny_gpu_decoder(tiny_model)
    store = BlockStore(decoder.new_block, tmp_path, 50_000_000, 50_000_000)
    keys = list(store._on_disk)
    assert len(keys) == 2
    found = [store.get(key, n) for key in keys for n in (len(ONE), len(TWO))]
    assert sum(isinstance(block, HostBlock) for block in found) >= 2
    assert first[0].tokens
