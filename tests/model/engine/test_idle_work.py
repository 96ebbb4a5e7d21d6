"""Idle work by turns on several sessions, on a real (tiny) decoder."""

from array import array

import pytest

from completion.types import Piece
from model.engine.generate import Engine
from model.engine.idle_work import Improver
from model.engine.layout import Window, window_of
from model.engine.session import Level, Session
from model.weights.load_torch import load_fp32
from model.weights.source import open_source
from tests.model.tiny import engine_of, make_tiny_model


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    with open_source(make_tiny_model(tmp_path_factory.mktemp("tiny"))) as weights:
        return engine_of(load_fp32(weights))


def window(seed: int) -> Window:
    """A header that all windows share, two blocks of this seed, and a tail."""
    sizes = [(8, 0, False), (300, 2, True), (200, 1, True), (90, 0, False)]
    ids = array("I", [i % 250 if i < 8 else (i * (seed + 3)) % 250 for i in range(sum(n for n, _, _ in sizes))])
    return window_of(ids, [Piece(n_tokens=n, rank=rank, block=block) for n, rank, block in sizes])


def session(engine: Engine, seed: int) -> Session:
    made = Session(kv=engine.decoder.new_kv(700))
    made.adopt(window(seed), engine.decoder)
    return made


def complete(one: Session) -> bool:
    assert one.window is not None
    return next(one.below(Level.WINDOW, 0, len(one.window.ids) - 1), None) is None


@pytest.mark.parametrize("n_steps", [1, 4, 9, 15])
def test_sessions_improved_by_turns_all_become_complete(engine: Engine, n_steps: int) -> None:
    """A block under way belongs to its session's work, whatever other sessions begin and end meanwhile."""
    improver, sessions = Improver(engine), [session(engine, 10 * n_steps + seed) for seed in range(3)]
    work = [improver.improve(one, exact=False) for one in sessions]
    turns = list(range(len(work)))
    while turns:
        for turn in list(turns):
            for _ in range(n_steps):
                try:
                    next(work[turn])
                except StopIteration:
                    turns.remove(turn)
                    break
    assert all(complete(one) for one in sessions)


def test_a_block_that_was_interrupted_goes_on_where_it_was(engine: Engine) -> None:
    improver, one = Improver(engine), session(engine, 1)
    work = improver.improve(one, exact=False)
    for _ in range(4):
        next(work)
    work.close()
    n_before = engine.blocks.counters.n_computed
    n_layers = engine.decoder.architecture.n_layers
    # The header took one forward; of the block's two chunks one step is done: so many are left until it is there.
    n_left = 0
    for _ in improver.improve(one, exact=False):
        n_left += 1
        if engine.blocks.counters.n_computed > n_before:
            break
    assert n_left <= 2 * n_layers
