"""The wire: whatever goes in comes out, in pieces of any size, and garbage is named."""

import struct
from array import array
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.types import GenerationStats, Piece
from model.link import wire
from model.link.counters import BlockCounters, EngineCounters

STATS = GenerationStats(
    n_prompt=10, n_cached=8, n_computed=2, n_attended=9, n_blocks=1, rung="window", queue_ms=0.1, prefill_ms=20.0
)
COUNTERS = EngineCounters(
    n_sessions=1,
    n_requests=2,
    n_computed_tokens=3,
    n_cached_tokens=4,
    n_idle_tokens=7,
    n_drafted_tokens=6,
    n_accepted_tokens=5,
    blocks=BlockCounters(n_computed=1, n_from_memory=2, n_from_disk=3),
    kv_mb=12.5,
    prefill_tokens_per_s=300.0,
    best_tokens_per_s=320.0,
    n_measured_tokens=2048,
    n_threads=2,
    kernels="avx2",
    device="cpu",
)
MESSAGES: list[wire.Message] = [
    wire.Generate(
        id=1,
        session="w1:file:///a.py",
        prompt=wire.pack_ids(array("I", [1, 2, 151_663])),
        pieces=[Piece(n_tokens=2, rank=3, block=True), Piece(n_tokens=1, rank=0, block=False)],
        deadline_ms=400.0,
        priority=0,
        heal=b"re\xff",
        stop_token_ids=[7, 8],
        max_tokens=64,
        n_candidates=1,
        line_only=False,
        target=wire.pack_ids(array("I", [5])),
    ),
    wire.Cancel(1),
    wire.Status(),
    wire.Shutdown(),
    wire.State("fetching", "half way", 0.5, ""),
    wire.Token(1, 3, 42, -0.25, -1.5),
    wire.Prefilled(1, STATS),
    wire.Done(1, "stop", "", replace(STATS, rung="exact", n_generated=3, n_drafted=2, n_accepted=1, decode_ms=30.0)),
    wire.StatusReply(1, "m", 2.0, 600.0, COUNTERS),
    wire.Bye("idle"),
]


def frame(body: object) -> bytes:
    packed = msgpack.packb(body)
    return struct.pack(">I", len(packed)) + packed


@given(st.integers(1, 200))
def test_messages_survive_being_cut_into_pieces(size: int) -> None:
    stream = b"".join(wire.encode(message) for message in MESSAGES)
    reader = wire.FrameReader()
    got = [m for at in range(0, len(stream), size) for m in reader.feed(stream[at : at + size])]
    assert got == MESSAGES


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_packed_ids_come_back(ids: list[int]) -> None:
    assert wire.unpack_ids(wire.pack_ids(array("I", ids))) == array("I", ids)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (struct.pack(">I", wire.MAX_FRAME_BYTES + 1), "limit"),
        (struct.pack(">I", 3) + b"\xc1\xc1\xc1", "msgpack"),
        (frame([1, 2]), "tagged"),
        (frame({"t": "Explode"}), "Explode"),
        (frame({"t": "Cancel"}), "missing id"),
        (frame({"t": "Cancel", "id": "one"}), "id"),
        (frame({"t": "Cancel", "id": 1, "extra": 2}), "extra"),
        (frame({"t": "Cancel", "id": True}), "id"),
    ],
)
def test_garbage_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(wire.ProtocolError, match=says):
        list(wire.FrameReader().feed(data))


def test_ids_of_a_broken_length_are_refused() -> None:
    with pytest.raises(wire.ProtocolError):
        wire.unpack_ids(b"12345")


def piece(n: int, rank: int = 0, block: bool = False) -> Piece:
    return Piece(n_tokens=n, rank=rank, block=block)


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([], ""),
        ([piece(4, 1, True), piece(6)], ""),
        ([piece(4)], "have 4 tokens"),
        ([piece(12), piece(-2)], "negative"),
        ([piece(4), piece(6, -1)], "negative"),
        ([piece(4), piece(6, 1)], "last piece"),
        ([piece(4), piece(6, 0, True), piece(0)], "last piece"),
    ],
)
def test_pieces_that_do_not_fit_the_prompt_are_refused(pieces: list[Piece], says: str) -> None:
    problem = wire.problem_of(pieces, 10)
    assert says in problem
    assert bool(problem) == bool(says)
