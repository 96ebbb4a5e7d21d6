"""Sessions: the longest common prefix, what survives a cancel, and the pool's books."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.kv import Inflight, KVBuffer, Session, SessionPool, common_prefix


def ids(*values: int) -> "array[int]":
    return array("I", values)


def buffer(capacity: int) -> KVBuffer:
    return KVBuffer(1, 1, 2, capacity)


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_common_prefix_equals_counting(a: list[int], b: list[int]) -> None:
    slow = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert common_prefix(array("I", a), array("I", b)) == slow


@pytest.mark.parametrize(
    ("have", "prompt", "reused"),
    [
        (ids(), ids(1, 2), 0),
        (ids(1, 2, 3), ids(1, 2, 3, 4), 3),
        (ids(1, 2, 3), ids(1, 2, 3), 2),  # the last token's hidden state is needed
        (ids(1, 2, 3, 4), ids(1, 2, 9), 2),
        (ids(5), ids(1), 0),
    ],
)
def test_reuse_keeps_the_common_prefix(have: "array[int]", prompt: "array[int]", reused: int) -> None:
    session = Session(kv=buffer(8), ids=have)
    assert session.reuse(prompt) == reused
    assert session.ids == prompt[:reused]


def suspended(start: int, tokens: "array[int]") -> Inflight:
    def steps():  # type: ignore[no-untyped-def]
        yield

    return Inflight(start, tokens, steps())


def test_a_suspended_forward_goes_on_when_its_tokens_come_next() -> None:
    session = Session(kv=buffer(8), ids=ids(1, 2), inflight=suspended(2, ids(3, 4)))
    assert session.reuse(ids(1, 2, 3, 4, 5)) == 2
    assert session.inflight is not None


@pytest.mark.parametrize("prompt", [ids(1, 2, 3, 9), ids(1, 2, 3), ids(1, 9, 3, 4)])
def test_a_suspended_forward_of_other_tokens_is_dropped(prompt: "array[int]") -> None:
    session = Session(kv=buffer(8), ids=ids(1, 2), inflight=suspended(2, ids(3, 4)))
    session.reuse(prompt)
    assert session.inflight is None


def test_growing_keeps_what_is_valid() -> None:
    kv = buffer(4)
    kv.keys.copy_(kv.keys.new_tensor(range(8)).view(kv.keys.shape))
    kv.values.copy_(kv.keys)
    before = kv.keys[:, :, :3].clone()
    kv.grow(16, 3)
    assert kv.capacity == 16
    assert kv.keys.shape[2] == 16
    assert (kv.keys[:, :, :3] == before).all()
    assert (kv.values[:, :, :3] == before).all()


def test_the_least_recently_used_session_leaves_first() -> None:
    pool = SessionPool(buffer, max_slots=3000)
    first = pool.acquire("first", 10)
    pool.acquire("second", 10)
    assert pool.acquire("first", 10) is first
    pool.acquire("third", 2000)  # 1024 + 1024 + 2000 > 3000: "second" leaves, and that is not enough
    pool.check()
    assert len(pool) == 1


def test_a_session_larger_than_the_pool_still_works_alone() -> None:
    pool = SessionPool(buffer, max_slots=100)
    assert pool.acquire("big", 5000).kv.capacity >= 5000
    pool.check()
