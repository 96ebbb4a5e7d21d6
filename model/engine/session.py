"""Sessions: one document's keys and values, and what is known of every slot.

Slot i holds token i of the window that the last request asked for, or does not hold it yet: `level` says how
good it is, from nothing to what one pass over the whole window would give. A new window keeps the longest
common prefix as it is; what else it shares with the old one moves to its new place (RoPE depends on
differences alone) and counts as stale until it is computed again.

Rules: a level is raised only when a forward has completed. What lies behind the present window (text below the
place that the user jumped up to) stays, as stale, until something is written over it. The pool's books must
balance: its sessions' bytes never exceed the limit while more than one session lives.
"""

import re
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from model.decoders.interface import Decoder, States
from model.decoders.kv import SessionKV, Slots, Span
from model.engine.layout import Window

# Buffers grow by doubling from here: a short file should not reserve a 16k window.
_INITIAL_SLOTS = 1024
# A shorter match has seen too little of what was around it to be worth its move.
_SHORTEST_MATCH = 16
_GRAM = 8


class Level(IntEnum):
    """What a slot's keys and values are worth."""

    NONE = 0  # nothing is there
    STALE = 1  # computed for another window: before an edit, or at another place
    PARTIAL = 2  # computed for this one while something before it was missing or stale
    WINDOW = 3  # computed after all that stands before it; of a block, after the header
    EXACT = 4  # as one pass over the whole window gives it


# `level` is bytes, so that these run at the speed of a regular expression.
_HELD = re.compile(rb"[\x01-\x04]+")
_BELOW = {
    Level.STALE: re.compile(rb"\x00+"),
    Level.PARTIAL: re.compile(rb"[\x00-\x01]+"),
    Level.WINDOW: re.compile(rb"[\x00-\x02]+"),
    Level.EXACT: re.compile(rb"[\x00-\x03]+"),
}
_AT_MOST_STALE = bytes(min(level, Level.STALE) for level in range(256))


@dataclass(slots=True)
class Work:
    """A forward that was begun: tokens `ids` for slots from `begin`, which will be worth `level`."""

    begin: int
    ids: "array[int]"
    level: Level
    steps: Generator[None, None, States]
    ms: float = 0.0  # spent so far, without what ran in between

    @property
    def end(self) -> int:
        """The slot after its last."""
        return self.begin + len(self.ids)


@dataclass(slots=True)
class Answer:
    """The last answer to a window, and the hidden states that its tokens were chosen from.

    `hidden` are those of the window's last token and of each token of the answer, (n, hidden) each. Other candidates
    part from the answer, and it need not be decoded again.
    """

    window: "array[int]"
    level: bytes  # what the window's slots were worth,
    attend: Slots  # and which of them were seen
    join: Callable[[Sequence[States]], States]  # the decoder's
    tokens: "array[int]" = field(default_factory=lambda: array("I"))
    hidden: list[States] = field(default_factory=list)

    def read(self, tokens: "array[int]", hidden: States) -> None:
        """Take tokens that were run, with their states: a decoder's are valid until its next forward alone."""
        self.tokens.extend(tokens)
        self.hidden.append(self.join([hidden]))


@dataclass(slots=True)
class Session:
    """One document's KV. `ids[i]` is the token of slot i, `level[i]` what its keys and values are worth.

    `work` is a suspended forward: idle work, or what is left of a cancelled request. `suggestion` is the end of the
    last prompt with what was generated after it, to draft from.
    """

    kv: SessionKV
    ids: "array[int]" = field(default_factory=lambda: array("I"))
    level: bytearray = field(default_factory=bytearray)
    window: Window | None = None
    suggestion: "array[int]" = field(default_factory=lambda: array("I"))
    answer: Answer | None = None
    work: Work | None = None
    is_guest: bool = False  # another program's, not an editor's

    def adopt(self, window: Window, decoder: Decoder) -> None:
        """Make `window` the session's: keep what is the same, move what moved, count the rest as missing.

        A suspended forward is kept only when its tokens belong to the unchanged beginning. The last token is
        always left to compute, since its hidden state is needed.
        """
        n_new, n_same = len(window.ids), common_prefix(self.ids, window.ids)
        if self.work is not None and n_same < self.work.end:
            self.drop_work()
        self.level[n_same:] = self.level[n_same:].translate(_AT_MOST_STALE)
        level = self.level[:n_same] + bytes(n_new - n_same)
        if n_new - n_same > _SHORTEST_MATCH and len(self.ids) > n_same:  # typing adds fewer
            for old, new, n in self._move_matches(window, n_same, decoder):
                level[new : new + n] = self.level[old : old + n]
        self.ids[:n_new], self.level[:n_new] = window.ids, level
        self.window = window
        self.level[n_new - 1] = Level.NONE

    def _move_matches(self, window: Window, n_same: int, decoder: Decoder) -> list[tuple[int, int, int]]:
        """Move text after the blocks that is there already to its new place; (old slot, new slot, n) of each.

        Blocks are not looked for: they come from the block store.
        """
        old_tail = max(n_same, self.window.tail if self.window is not None else 0)
        new_tail = max(n_same, window.tail)
        found = list(matching_runs(self.ids[old_tail:], window.ids[new_tail:]))
        moves = [(old_tail + old, new_tail + new, n) for old, new, n in found]
        # Matches come in order on both sides: what goes up is moved last one first, what goes down first one first.
        up = [move for move in reversed(moves) if move[1] > move[0]]
        down = [move for move in moves if move[1] < move[0]]
        for old, new, n in up + down:
            decoder.move(self.kv, old, n, self.kv, new, new - old)
        return moves

    def forget(self, begin: int, end: int | None = None) -> None:
        """Count slots from `begin` (up to `end`) as empty: something else was written there, or will be."""
        if end is None or end >= len(self.ids):
            del self.ids[begin:], self.level[begin:]
        else:
            self.level[begin:end] = bytes(end - begin)

    def n_held(self, begin: int, end: int) -> int:
        """How many slots of a range hold something."""
        return end - begin - self.level.count(0, begin, end)

    def recall(self, attend: Slots) -> "tuple[array[int], States | None]":
        """The answer to this very window, as far as it is still there: n tokens, and the (n + 1, hidden) states that
        they were chosen from; None when there is none. What stands behind these tokens is forgotten.
        """
        window, answer, n_known = self.window, self.answer, 0
        assert window is not None, "an answer stands behind a window"
        n = len(window.ids)
        here = (window.ids, bytes(self.level[:n]), attend)
        # Not when something before it was computed anew since, or is seen now.
        if answer is not None and here == (answer.window, answer.level, answer.attend):
            n_known = common_prefix(self.ids[n:], answer.tokens)
        self.forget(n + n_known)
        if answer is None or not n_known:
            return array("I"), None
        self.level[n:] = bytes([self.level_after(attend, n)]) * n_known
        return answer.tokens[:n_known], answer.join(answer.hidden)[: n_known + 1]

    def held(self, end: int) -> Slots:
        """The ranges below `end` that hold something."""
        return tuple(match.span() for match in _HELD.finditer(self.level, 0, end))

    def below(self, level: Level, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges within begin..end that are worth less than `level`."""
        return (match.span() for match in _BELOW[level].finditer(self.level, begin, end))

    def level_after(self, attend: Slots, begin: int) -> Level:
        """What a token computed at slot `begin` after seeing the ranges `attend` will be worth."""
        if sum(stop - start for start, stop in attend) < begin or next(self.below(Level.WINDOW, 0, begin), None):
            return Level.PARTIAL
        return Level.WINDOW if next(self.below(Level.EXACT, 0, begin), None) else Level.EXACT

    def start(self, decoder: Decoder, begin: int, ids: "array[int]", attend: Slots) -> Work:
        """A forward of `ids` for slots from `begin`, which sees the ranges `attend` and itself.

        The suspended one is returned when it is just that, and dropped when it writes to the same slots.
        """
        if (work := self.work) is not None and work.begin < begin + len(ids) and begin < work.end:
            if work.begin == begin and work.ids == ids:
                self.work = None
                return work
            self.drop_work()
        steps = decoder.forward(
            np.array(ids, np.int64),
            np.arange(begin, begin + len(ids)),
            self.kv,
            [Span(len(ids), attend, begin)],
        )
        return Work(begin, ids, self.level_after(attend, begin), steps)

    def advance(self, work: Work) -> States | None:
        """Run one layer of a forward. At its end its slots count, and its hidden states are returned."""
        started = time.perf_counter()
        try:
            next(work.steps)
        except StopIteration as done:
            self.ids[work.begin : work.end] = work.ids
            self.level[work.begin : work.end] = bytes([work.level]) * len(work.ids)
            hidden: States = done.value
            return hidden
        except BaseException:  # the forward is spent and cannot go on
            self._spoil(work)
            raise
        finally:
            work.ms += (time.perf_counter() - started) * 1e3
        return None

    def suspend(self, work: Work) -> None:
        """Keep a forward that was not finished: the next request usually goes on with it."""
        self.drop_work()
        self.work = work

    def drop_work(self) -> None:
        """Give up the suspended forward."""
        if self.work is not None:
            self._spoil(self.work)
            self.work = None

    def _spoil(self, work: Work) -> None:
        """Where an unfinished forward wrote over something, layers of two computations are mixed now."""
        work.steps.close()
        self.level[work.begin : work.end] = self.level[work.begin : work.end].translate(_AT_MOST_STALE)

    def check(self) -> None:
        """AssertionError when the books do not balance."""
        assert len(self.ids) == len(self.level) <= self.kv.capacity, "tokens, levels and slots do not add up"
        assert not self.level or max(self.level) <= Level.EXACT, "a level that there is not"
        exact = next(self.below(Level.EXACT, 0, len(self.level)), (len(self.level), 0))[0]
        assert Level.EXACT not in self.level[exact:], "exact after something that is not"


def common_prefix(a: "array[int]", b: "array[int]") -> int:
    """Length of the longest common prefix, found by halving so that comparing runs at C speed."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:  # a[:low] == b[:low], a[:high] != b[:high]
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def matching_runs(old: "array[int]", new: "array[int]") -> Iterator[tuple[int, int, int]]:
    """Runs of equal tokens, in order on both sides: (index in old, index in new, length), each at least 16 long.

    The longest ones, where some are in another order: of a fill-in-the-middle prompt a finished line goes up, and the
    text after the cursor down.
    """
    kept: list[tuple[int, int, int]] = []
    for run in sorted(_equal_runs(old, new), key=lambda run: -run[2]):
        if all(_in_order(run, other) or _in_order(other, run) for other in kept):
            kept.append(run)
    return iter(sorted(kept))


def _in_order(run: tuple[int, int, int], later: tuple[int, int, int]) -> bool:
    """Whether one run ends before another begins, on both sides."""
    return run[0] + run[2] <= later[0] and run[1] + run[2] <= later[1]


def _equal_runs(old: "array[int]", new: "array[int]") -> Iterator[tuple[int, int, int]]:
    """Runs as of `matching_runs`, in order of the new side, in any of the old one.

    Greedy from the left, found by runs of eight tokens: linear, where a longest common subsequence is not.
    """
    places: dict[bytes, list[int]] = {}
    for at in range(len(old) - _GRAM + 1):
        places.setdefault(old[at : at + _GRAM].tobytes(), []).append(at)
    at_old = at_new = 0
    while at_new <= len(new) - _SHORTEST_MATCH:
        if candidates := places.get(new[at_new : at_new + _GRAM].tobytes(), ()):
            begin = candidates[bisect_left(candidates, at_old) % len(candidates)]  # the next one, or the first of all
            n = common_prefix(old[begin:], new[at_new:])
            if n >= _SHORTEST_MATCH:
                yield begin, at_new, n
                at_old, at_new = begin + n, at_new + n
                continue
        at_new += 1


class SessionPool:
    """Sessions by name, least recently used first, within `max_bytes` of keys and values altogether.

    A guest's leaves before any editor's.
    """

    def __init__(self, new_kv: Callable[[int], SessionKV], max_bytes: int) -> None:
        self._new_kv = new_kv
        self._max_bytes = max_bytes
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def n_bytes(self) -> int:
        """Memory held by all sessions."""
        return sum(session.kv.n_bytes for session in self._sessions.values())

    def get(self, name: str) -> Session | None:
        """A session that is there."""
        return self._sessions.get(name)

    def acquire(self, name: str, n_slots: int, *, is_guest: bool = False) -> Session:
        """The session `name` with room for `n_slots`; other sessions leave to make room: guests', then the oldest."""
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session(kv=self._new_kv(max(_INITIAL_SLOTS, n_slots)))
        elif session.kv.capacity < n_slots:
            session.drop_work()  # it writes into the old buffer
            session.kv.grow(max(2 * session.kv.capacity, n_slots), len(session.ids))
        session.is_guest = is_guest
        self._sessions.move_to_end(name)
        while self.n_bytes > self._max_bytes and len(self._sessions) > 1:
            others = [other for other in self._sessions if other != name]
            self.drop(next((other for other in others if self._sessions[other].is_guest), others[0]))
        return session

    def drop(self, name: str) -> None:
        """Forget a session, if there is one."""
        self._sessions.pop(name, None)

    def clear(self) -> None:
        """Forget all sessions."""
        self._sessions.clear()

    def check(self) -> None:
        """Raise AssertionError when the books do not balance. Called when the engine is idle."""
        for session in self._sessions.values():
            session.check()
        assert self.n_bytes <= self._max_bytes or len(self._sessions) <= 1, "pool over its limit"
