"""What a request pays for: a cheap one stays cheap, a cold one spends its deadline on what is best."""

import itertools
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.types import Piece
from model.decoders.torch_kv import KVBuffer
from model.engine.layout import Part, Window, window_of
from model.engine.plan import joined, make_plan
from model.engine.session import Level, Session
from model.library.architecture import Architecture
from model.library.speed import Speed

QWEN = Architecture(
    family="qwen2", n_layers=24, hidden=896, n_heads=14, n_kv_heads=2, head_dim=64, intermediate=4864, vocab=151936,
    rope_theta=1e6, rope_scaling=None, norm_eps=1e-6, qkv_bias=True, context_tokens=32768,
)  # fmt: skip
HEADER, BLOCK, FAR, NEAR = 10, 400, 128, 140


def window(n_blocks: int, n_far: int) -> Window:
    pieces = [Piece(n_tokens=HEADER, rank=0, block=False)]
    pieces += [Piece(n_tokens=BLOCK, rank=1 + 2 * rank, block=True) for rank in reversed(range(n_blocks))]
    pieces += [Piece(n_tokens=FAR, rank=rank, block=False) for rank in range(n_far, 0, -1)]
    pieces.append(Piece(n_tokens=NEAR, rank=0, block=False))
    return window_of(array("I", range(sum(piece.n_tokens for piece in pieces))), pieces)


def session(w: Window, level: Callable[[Part], Level]) -> Session:
    kv = KVBuffer(1, 1, 2, 1)
    levels = b"".join(bytes([level(part)]) * len(part) for part in w.parts)
    made = Session(kv=kv, ids=w.ids, level=bytearray(levels), window=w)
    made.level[-1] = Level.NONE
    return made


def n_computed(ranges: list[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in ranges)


def everything(part: Part) -> Level:
    return Level.WINDOW


def nothing(part: Part) -> Level:
    return Level.NONE


def test_typing_computes_the_new_tokens_and_attends_to_all_there_is() -> None:
    w = window(30, 8)
    plan = make_plan(session(w, everything), w, lambda part: False, Speed(QWEN), 1000.0)
    assert plan.compute == [(len(w.ids) - 1, len(w.ids))]
    assert plan.unseen == plan.buy == plan.place == []


def test_typing_beside_holes_leaves_them_to_idle_time() -> None:
    w = window(3, 8)
    have = session(w, lambda part: Level.NONE if part.rank in (2, 3, 7) else Level.PARTIAL)
    plan = make_plan(have, w, lambda part: False, Speed(QWEN), 1e6)
    assert n_computed(plan.compute) == 1
    assert plan.buy == []


def test_a_loose_part_is_taken_as_it_is_unless_it_is_missing() -> None:
    lengths = ((NEAR, False), (64, True), (1, False))
    pieces = [Piece(n_tokens=n, rank=0, block=False, loose=loose) for n, loose in lengths]
    w = window_of(array("I", range(NEAR + 65)), pieces)
    for level, n_more in ((Level.STALE, 0), (Level.PARTIAL, 0), (Level.NONE, 64)):
        have = session(w, lambda part, level=level: level if part.loose else Level.WINDOW)  # type: ignore[misc]
        assert n_computed(make_plan(have, w, lambda part: False, Speed(QWEN), 1e6).compute) == 1 + n_more
        assert n_computed(make_plan(have, w, lambda part: False, Speed(QWEN), None).compute) == 65  # paid for all


def test_a_cold_request_attends_to_the_best_warm_blocks_and_computes_what_is_near() -> None:
    w, speed = window(30, 30), Speed(QWEN)
    plan = make_plan(session(w, nothing), w, lambda part: True, speed, 1000.0)
    placed = [block.rank for block in plan.place]
    assert placed == sorted(placed)[: len(placed)]
    assert placed[0] == 1
    assert 5 <= len(placed) < 30
    assert plan.buy == []
    n = n_computed(plan.compute)
    assert n >= HEADER + NEAR
    assert n < len(w.ids) - 30 * BLOCK
    assert plan.compute[-1][1] == len(w.ids)
    far = [part for part in w.flow if part.rank]
    bought = [part.rank for part in far if any(begin <= part.begin < end for begin, end in plan.compute)]
    assert sorted(bought) == list(range(1, len(bought) + 1))  # the nearest


def test_the_files_own_text_comes_before_blocks_and_leaves_them_a_share() -> None:
    w, speed = window(30, 3), Speed(QWEN)
    plan = make_plan(session(w, nothing), w, lambda part: True, speed, 1000.0)
    own = [part.rank for part in w.flow if part.rank and (part.begin, part.end) in _pieces(plan.compute)]
    assert own == [1]  # at 60 % of the deadline; two pieces would need more
    assert 0 < len(plan.place) < 30


def _pieces(ranges: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """All 128-token pieces, counted from the end, that ranges cover."""
    return {(i, i + FAR) for b, e in ranges for i in range(b, e - FAR + 1)}


def test_a_tight_deadline_still_computes_what_is_required() -> None:
    w = window(4, 4)
    plan = make_plan(session(w, nothing), w, lambda part: False, Speed(QWEN), 0.0)
    assert n_computed(plan.compute) == HEADER + NEAR
    assert plan.buy == plan.place == []


def test_a_slow_machine_leaves_warm_blocks_unseen_rather_than_be_late() -> None:
    w, speed = window(38, 0), Speed(QWEN)
    for _ in range(40):
        speed.learn(256, 128, 256 * 20.0)  # 20 ms a token
    plan = make_plan(session(w, everything), w, lambda part: True, speed, 1800.0)
    assert 0 < len(plan.unseen) < 38
    worst = {block.begin for block in w.blocks[-len(plan.unseen) :]}
    assert {begin for begin, _ in plan.unseen} == worst
    attended = plan.attend(session(w, everything), len(w.ids) - 1)
    assert n_computed(list(attended)) == len(w.ids) - 1 - len(plan.unseen) * BLOCK


def test_without_a_deadline_everything_is_paid_for() -> None:
    w = window(5, 3)
    plan = make_plan(session(w, nothing), w, lambda part: part.rank > 4, Speed(QWEN), None)
    assert [block.rank for block in plan.place] == [5, 7, 9]
    assert [block.rank for block in plan.buy] == [1, 3]
    assert n_computed(plan.compute) == len(w.ids) - 5 * BLOCK


def test_cold_blocks_are_bought_when_there_is_time() -> None:
    w = window(3, 1)
    plan = make_plan(session(w, nothing), w, lambda part: False, Speed(QWEN), 4000.0)
    assert [block.rank for block in plan.buy] == [1, 3, 5]


SMALL = 40


def small(n_blocks: int) -> Window:
    """A small file: all of it is required, and less than what typing may miss."""
    pieces = [Piece(n_tokens=HEADER, rank=0, block=False)]
    pieces += [Piece(n_tokens=BLOCK, rank=1 + rank, block=True) for rank in reversed(range(n_blocks))]
    pieces.append(Piece(n_tokens=SMALL, rank=0, block=False))
    return window_of(array("I", range(sum(piece.n_tokens for piece in pieces))), pieces)


def small_session(w: Window, own: Level) -> Session:
    """The header is there, no block is, and the file's own text is worth `own`."""
    return session(w, lambda part: Level.NONE if part.block else own if part.begin else Level.EXACT)


@pytest.mark.parametrize("may_idle", [True, False])
def test_the_first_request_of_a_small_file_buys_the_best_blocks_within_its_deadline(may_idle: bool) -> None:
    w = small(4)
    for deadline_ms, n_bought in ((0.0, 0), (1_000.0, 1), (1e6, 4)):
        plan = make_plan(small_session(w, Level.NONE), w, lambda part: False, Speed(QWEN), deadline_ms, may_idle)
        assert [block.rank for block in plan.buy] == [1, 2, 3, 4][:n_bought]
        assert n_computed(plan.compute) == SMALL


@pytest.mark.parametrize(("may_idle", "n_bought"), [(True, 0), (False, 1)])
def test_when_other_files_have_changed_idle_work_brings_them_in_or_the_next_request(
    may_idle: bool, n_bought: int
) -> None:
    w = small(1)  # the text has moved behind a new block
    plan = make_plan(small_session(w, Level.STALE), w, lambda part: False, Speed(QWEN), 2_000.0, may_idle)
    assert len(plan.buy) == n_bought


@pytest.mark.parametrize("may_idle", [True, False])
@pytest.mark.parametrize("n_new", [1, 30, SMALL - 1])
def test_keys_and_new_lines_in_a_small_file_buy_nothing(may_idle: bool, n_new: int) -> None:
    w = small(4)
    have = small_session(w, Level.PARTIAL)
    have.level[-n_new:] = bytes(n_new)
    plan = make_plan(have, w, lambda part: False, Speed(QWEN), 1e6, may_idle)
    assert plan.buy == []
    assert n_computed(plan.compute) == n_new


ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)).map(lambda r: (r[0], r[0] + r[1] + 1)), max_size=8)


@given(ranges)
def test_joined_ranges_cover_the_same_and_do_not_touch(given_ranges: list[tuple[int, int]]) -> None:
    result = joined(given_ranges)
    assert {i for b, e in result for i in range(b, e)} == {i for b, e in given_ranges for i in range(b, e)}
    assert all(left[1] < right[0] for left, right in itertools.pairwise(result))


@pytest.mark.parametrize(
    ("n", "attended", "measured"),
    [(1, 512, 9.6), (8, 512, 29.6), (1, 4096, 12.8), (1, 16384, 23.1), (8, 16384, 97.0), (256, 16384, 256 * 9.33)],
)
def test_the_estimates_are_near_what_was_measured(n: int, attended: int, measured: float) -> None:
    """`midfill bench`, commit 2ec6b4e, 0.5B on two cores with AVX-512 VNNI: from one figure all others follow."""
    speed = Speed(QWEN)
    for _ in range(30):
        speed.learn(256, 1024, 256 * 2.12)
    assert speed.ms(n, attended) == pytest.approx(measured, rel=0.25)
