"""Sessions: what a new window keeps, what it moves, what survives a cancel, and the pool's books."""

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from completion.types import Piece
from model.decoders.interface import Decoder, run_to_end
from model.decoders.kv import KV, Span
from model.decoders.native_decoder import NativeKV
from model.decoders.torch_kv import KVBuffer
from model.engine.layout import Window, window_of
from model.engine.session import Level, Session, SessionPool, Work, common_prefix, matching_runs
from model.library.catalog import resolve
from model.weights.load import load_native
from model.weights.load_torch import load_torch
from model.weights.quantize import make_store
from tests.model.kernels import available, computing_with
from tests.model.tiny import make_tiny_model


def ids(*values: int) -> "array[int]":
    return array("I", values)


def buffer(capacity: int) -> KVBuffer:
    return KVBuffer(1, 1, 2, capacity)


def plain(*values: int) -> Window:
    return window_of(ids(*values), ())


class NoDecoder:
    """For sessions that have nothing to move."""

    def move(self, *arguments: object) -> None:
        raise AssertionError("nothing has to be moved")


NOTHING = NoDecoder()


def session_of(*values: int, capacity: int = 8) -> Session:
    return Session(kv=buffer(capacity), ids=ids(*values), level=bytearray([Level.EXACT]) * len(values))


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_common_prefix_equals_counting(a: list[int], b: list[int]) -> None:
    slow = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert common_prefix(array("I", a), array("I", b)) == slow


@given(st.lists(st.integers(0, 2), max_size=120), st.lists(st.integers(0, 2), max_size=120))
def test_matching_runs_match_in_order_and_are_long(old: list[int], new: list[int]) -> None:
    at_old = at_new = 0
    for begin_old, begin_new, n in matching_runs(array("I", old), array("I", new)):
        assert n >= 16
        assert begin_old >= at_old
        assert begin_new >= at_new
        assert old[begin_old : begin_old + n] == new[begin_new : begin_new + n]
        at_old, at_new = begin_old + n, begin_new + n


def test_a_line_inserted_in_the_middle_leaves_both_sides_matching() -> None:
    old = array("I", range(200))
    new = old[:90] + ids(900, 901) + old[90:]
    assert list(matching_runs(old, new)) == [(0, 0, 90), (90, 92, 110)]


def test_of_runs_that_changed_places_the_longest_stays() -> None:
    """A fill-in-the-middle prompt when a line is finished: it goes up, and what stands below goes down."""
    below, line = ids(*range(100, 160)), ids(*range(20))
    assert list(matching_runs(below + ids(7, *line), line + ids(8) + below + ids(7))) == [(0, 21, 61)]


@pytest.mark.parametrize(
    ("have", "prompt", "reused"),
    [
        ((), (1, 2), 0),
        ((1, 2, 3), (1, 2, 3, 4), 3),
        ((1, 2, 3), (1, 2, 3), 2),  # the last token's hidden state is needed
        ((1, 2, 3, 4), (1, 2, 9), 2),
        ((5,), (1,), 0),
    ],
)
def test_adopting_keeps_the_common_prefix(have: tuple[int, ...], prompt: tuple[int, ...], reused: int) -> None:
    session = session_of(*have)
    session.adopt(plain(*prompt), NOTHING)  # type: ignore[arg-type]
    assert session.held(len(prompt)) == (((0, reused),) if reused else ())
    assert session.ids[: len(prompt)] == ids(*prompt)


def test_what_stands_behind_a_shorter_window_stays_as_stale() -> None:
    session = session_of(1, 2, 3, 4, 5)
    session.adopt(plain(1, 2), NOTHING)  # type: ignore[arg-type]
    assert list(session.level) == [Level.EXACT, Level.NONE, Level.STALE, Level.STALE, Level.STALE]


def suspended(start: int, *tokens: int) -> Work:
    def steps() -> Iterator[None]:
        yield

    return Work(start, ids(*tokens), Level.EXACT, steps())  # type: ignore[arg-type]


def test_a_suspended_forward_goes_on_when_its_tokens_come_next() -> None:
    session = session_of(1, 2)
    session.ids.extend([3, 4])
    session.level.extend([Level.NONE] * 2)
    session.work = work = suspended(2, 3, 4)
    session.adopt(plain(1, 2, 3, 4, 5), NOTHING)  # type: ignore[arg-type]
    assert session.start(NOTHING, 2, ids(3, 4), ((0, 2),)) is work  # type: ignore[arg-type]
    assert session.work is None


@pytest.mark.parametrize("prompt", [(1, 2, 3, 9), (1, 2, 3), (1, 9, 3, 4)])
def test_a_suspended_forward_of_other_tokens_is_dropped(prompt: tuple[int, ...]) -> None:
    session = session_of(1, 2)
    session.ids.extend([3, 4])
    session.level.extend([Level.NONE] * 2)
    session.work = suspended(2, 3, 4)
    session.adopt(plain(*prompt), NOTHING)  # type: ignore[arg-type]
    assert session.work is None


def test_dropping_a_forward_over_valid_slots_makes_them_stale() -> None:
    session = session_of(1, 2, 3, 4)
    session.work = suspended(2, 3, 4)
    session.drop_work()
    assert list(session.level) == [Level.EXACT, Level.EXACT, Level.STALE, Level.STALE]


def test_levels_say_what_a_token_will_have_seen() -> None:
    session = session_of(1, 2, 3, 4)
    assert session.level_after(((0, 4),), 4) is Level.EXACT
    assert session.level_after(((0, 2),), 4) is Level.PARTIAL
    session.level[1] = Level.WINDOW
    assert session.level_after(((0, 4),), 4) is Level.WINDOW
    session.level[3] = Level.STALE
    assert session.level_after(((0, 4),), 4) is Level.PARTIAL
    assert session.level_after(((0, 3),), 3) is Level.WINDOW


# -- moving keys and values ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDFILL_CACHE", str(tmp_path_factory.mktemp("cache")))
        return make_store(resolve(str(folder)), folder, "int8", lambda done: None)


@pytest.fixture(scope="module", params=["torch", *available()])
def decoder(request: pytest.FixtureRequest, store: Path) -> Iterator[Decoder]:
    if request.param == "torch":
        yield load_torch(store, exact=True)
    else:
        with computing_with(request.param) as library:
            yield load_native(store, library)


def slots(kv: KV, layer: int, begin: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of some slots of a layer, each (kv_heads, n, head_dim), in fp32."""
    keys, values = torch.as_tensor(kv.keys[layer]), torch.as_tensor(kv.values[layer])
    if isinstance(kv, NativeKV):
        keys = keys.transpose(-1, -2).flatten(1, 2)
    return keys[:, begin:end].float(), values[:, begin:end].float()


def computed(decoder: Decoder, tokens: "array[int]", position: int) -> KV:
    """Tokens at slots and positions from `position`, seeing themselves alone."""
    kv = decoder.new_kv(256)
    positions = np.arange(position, position + len(tokens))
    run_to_end(decoder.forward(np.array(tokens, np.int64), positions, kv, [Span(len(tokens), (), position)]))
    return kv


@pytest.mark.parametrize(("begin", "slot"), [(0, 0), (0, 37), (37, 0), (16, 48), (5, 9), (9, 5)])
def test_moved_keys_and_values_are_those_of_the_new_place(decoder: Decoder, begin: int, slot: int) -> None:
    """What a token sees only by differences of positions: the same text elsewhere has the same values, turned keys."""
    tokens = array("I", [(7 * i) % 250 for i in range(60)])
    kv, there = computed(decoder, tokens, begin), computed(decoder, tokens, slot)
    decoder.move(kv, begin, len(tokens), kv, slot, slot - begin)
    for layer in range(decoder.architecture.n_layers):
        for moved, fresh in zip(slots(kv, layer, slot, slot + 60), slots(there, layer, slot, slot + 60), strict=True):
            # Int8 activations magnify rounding from layer to layer; a wrong angle would be an error of order one.
            assert float((moved - fresh).abs().mean()) < 0.02 * float(fresh.abs().mean()) * (1 + layer)


def test_a_move_by_nothing_copies_the_bits(decoder: Decoder) -> None:
    kv, other = computed(decoder, array("I", range(40)), 3), decoder.new_kv(64)
    decoder.move(kv, 3, 40, other, 11, 0)
    for layer in range(decoder.architecture.n_layers):
        for copy, original in zip(slots(other, layer, 11, 51), slots(kv, layer, 3, 43), strict=True):
            assert torch.equal(copy, original)


def test_text_behind_an_inserted_line_moves_and_is_stale(decoder: Decoder) -> None:
    old = array("I", [(11 * i) % 250 for i in range(120)])
    session = Session(kv=decoder.new_kv(256))
    session.adopt(window_of(old, ()), decoder)
    work = session.start(decoder, 0, old, ())
    while session.advance(work) is None:
        pass
    first_keys = slots(session.kv, 0, 40, 119)[0]
    new = old[:40] + array("I", [1, 2, 3]) + old[40:]
    session.adopt(window_of(new, ()), decoder)
    assert session.held(len(new)) == ((0, 40), (43, 122))
    assert set(session.level[43:122]) == {Level.STALE}
    moved = slots(session.kv, 0, 43, 122)[0]
    assert not torch.allclose(moved, first_keys, atol=1e-3)  # turned
    fresh = computed(decoder, new, 0)
    expected = slots(fresh, 0, 43, 122)[0]  # in the first layer keys depend on token and position alone
    assert torch.allclose(moved, expected, atol=0.03 * float(expected.abs().max()))


def test_a_change_of_blocks_moves_the_text_behind_them(decoder: Decoder) -> None:
    header, tail = array("I", range(10)), array("I", [(3 * i) % 200 for i in range(80)])
    one, two = array("I", range(100, 130)), array("I", range(130, 180))

    def window(*blocks: "array[int]") -> Window:
        tokens, pieces = header[:], [Piece(n_tokens=10, rank=0, block=False)]
        for block in blocks:
            tokens += block
            pieces.append(Piece(n_tokens=len(block), rank=1, block=True))
        return window_of(tokens + tail, [*pieces, Piece(n_tokens=80, rank=0, block=False)])

    session = Session(kv=decoder.new_kv(256))
    session.adopt(window(one), decoder)
    session.level[:] = bytes([Level.WINDOW]) * len(session.level)
    session.adopt(window(two, one), decoder)
    assert session.held(170) == ((0, 10), (90, 169))  # the blocks come from their store
    assert set(session.level[90:169]) == {Level.STALE}


# -- the pool ------------------------------------------------------------------------------------------------

_SLOT_BYTES = 16  # of `buffer`: two fp32 keys and two values


def test_growing_keeps_what_is_valid() -> None:
    kv = buffer(4)
    kv.keys.copy_(kv.keys.new_tensor(range(8)).view(kv.keys.shape))
    kv.values.copy_(kv.keys)
    before = kv.keys[:, :, :3].clone()
    kv.grow(16, 3)
    assert kv.capacity == 16
    assert kv.n_bytes == 16 * _SLOT_BYTES
    assert (kv.keys[:, :, :3] == before).all()
    assert (kv.values[:, :, :3] == before).all()


def test_the_least_recently_used_session_leaves_first() -> None:
    pool = SessionPool(buffer, max_bytes=3000 * _SLOT_BYTES)
    first = pool.acquire("first", 10)
    pool.acquire("second", 10)
    assert pool.acquire("first", 10) is first
    pool.acquire("third", 1900)  # 1024 + 1024 + 1900 > 3000: "second" leaves
    pool.check()
    assert pool.get("second") is None
    assert pool.get("first") is first


def test_a_guest_leaves_before_any_editor_however_long_ago_that_was_used() -> None:
    pool = SessionPool(buffer, max_bytes=4000 * _SLOT_BYTES)
    editor = pool.acquire("editor", 10)
    pool.acquire("older guest", 10, is_guest=True)
    pool.acquire("guest", 10, is_guest=True)
    pool.acquire("third guest", 1900, is_guest=True)  # of the guests the one that was used first leaves
    pool.check()
    assert [name for name in ("older guest", "guest") if pool.get(name)] == ["guest"]
    assert pool.get("editor") is editor
    pool.acquire("second editor", 1900)
    assert [name for name in ("guest", "third guest") if pool.get(name)] == []
    assert pool.get("editor") is editor
    pool.acquire("large guest", 3900, is_guest=True)  # there is no other way
    assert (pool.get("editor"), len(pool)) == (None, 1)


def test_a_session_larger_than_the_pool_still_works_alone() -> None:
    pool = SessionPool(buffer, max_bytes=100 * _SLOT_BYTES)
    assert pool.acquire("big", 5000).kv.capacity >= 5000
    pool.check()


def test_books_that_do_not_balance_are_noticed() -> None:
    pool = SessionPool(buffer, max_bytes=10_000)
    pool.acquire("s", 10).ids.append(1)
    with pytest.raises(AssertionError):
        pool.check()
