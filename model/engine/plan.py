"""What one request pays for: which blocks it attends to, and which parts it computes, within its deadline.

A warm request has its required parts already: the last request was a few keys ago. It computes the new tokens,
attends to all that is there as far as the deadline allows, and leaves the rest to idle time.

A cold request lacks required parts: a file's first request, or one after a jump. It cannot be answered at once, so it
spends the time up to its deadline on the best of the other parts. A file's first request is cold however small the file
is. Where no idle work will come, the request after its other files changed is cold, too: else no request would see
them.

Rules: pure functions of the session's levels and the speed. Required parts are computed whatever the deadline says.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model.decoders.kv import Slots
from model.engine.layout import Part, Window
from model.engine.session import Level, Session
from model.library.speed import Speed

# Up to this many required tokens missing a request is warm: a new line moves the text after it, and what is
# near of that (64 tokens) is computed anew. A file that was never there misses more (128 above the cursor).
_CHEAP_TOKENS = 128
# Of a completion, decoding steps that the deadline has to pay for besides the prompt.
_DECODE_STEPS = 8
# Of the deadline, up to where a cold request buys the file's own text, nearest first, before any block: of the lines
# of `midfill eval blocks` 384 more tokens of it are worth more than all blocks (evals/LOG.md).
_OWN_SHARE = 0.6
# Moving a warm block into its place, in memory traffic alone; reading it from disk first is in the same order.
_PLACE_MS_PER_TOKEN = 0.01


@dataclass(slots=True)
class Plan:
    """`place`: warm blocks to move in; `buy`: cold blocks to compute; `compute`: flow slots to compute, in order;
    `unseen`: slots of blocks that are there and that this request does not attend to."""

    place: list[Part] = field(default_factory=list)
    buy: list[Part] = field(default_factory=list)
    compute: list[tuple[int, int]] = field(default_factory=list)
    unseen: list[tuple[int, int]] = field(default_factory=list)

    def attend(self, session: Session, end: int) -> Slots:
        """The ranges below `end` that this request's tokens see."""
        ranges = session.held(end)
        for begin, stop in self.unseen:
            ranges = tuple(_without(ranges, begin, stop))
        return ranges


def make_plan(
    session: Session,
    window: Window,
    is_warm: Callable[[Part], bool],
    speed: Speed,
    budget_ms: float | None,
    may_idle: bool = True,
) -> Plan:
    """Plan a request whose window the session has adopted. `budget_ms` None: pay for everything.

    may_idle: idle work will bring in what is left out.
    """
    if budget_ms is None:
        return _everything(session, window, is_warm)
    required = [part for part in window.flow if part.rank == 0]
    missing = _missing(session, [part for part in required if not part.loose], Level.PARTIAL)
    missing += _missing(session, [part for part in required if part.loose], Level.STALE)
    chosen = _Chosen(session, speed, joined(missing), _n_seen(session, window))
    is_cold = chosen.n_missing > _CHEAP_TOKENS or _is_new(session, window, Level.STALE if may_idle else Level.PARTIAL)
    optional = sorted((part for part in window.flow if part.rank), key=lambda part: part.rank) if is_cold else []
    for part in optional:
        chosen.buy_own(part, _OWN_SHARE * budget_ms)
    for block in window.blocks:
        if is_placed(session, block) or is_warm(block):
            chosen.take_in(block, budget_ms)
    if is_cold:
        cold = [block for block in window.blocks if not is_placed(session, block) and not is_warm(block)]
        for part in sorted([*optional, *cold], key=lambda part: part.rank):
            if part.block:
                chosen.buy_block(part, window.n_header, budget_ms)
            else:
                chosen.buy_own(part, budget_ms)
    chosen.plan.compute = joined(chosen.plan.compute)
    return chosen.plan


class _Chosen:
    """A plan in the making, and what it costs so far."""

    def __init__(self, session: Session, speed: Speed, missing: list[tuple[int, int]], n_seen: int) -> None:
        self.plan = Plan(compute=missing)
        self.n_missing = _total(missing)
        self._session, self._speed, self._n_seen = session, speed, n_seen
        self._other_ms = 0.0  # spent on blocks, besides attending to them

    def buy_own(self, part: Part, budget_ms: float) -> None:
        """Compute a part of the file's text if that fits; a part that is there already costs nothing."""
        missing = [found for found in _missing(self._session, [part], Level.PARTIAL) if found not in self.plan.compute]
        n_more = _total(missing)
        if missing and self._ms(n_more, n_more) <= budget_ms:
            self.n_missing, self._n_seen = self.n_missing + n_more, self._n_seen + n_more
            self.plan.compute += missing

    def take_in(self, block: Part, budget_ms: float) -> None:
        """Attend to a block that is there or warm if that fits."""
        placed = is_placed(self._session, block)
        place_ms = 0.0 if placed else _PLACE_MS_PER_TOKEN * len(block)
        if self._ms(0, len(block)) + place_ms <= budget_ms:
            self._n_seen, self._other_ms = self._n_seen + len(block), self._other_ms + place_ms
            if not placed:
                self.plan.place.append(block)
        elif placed:
            self.plan.unseen.append((block.begin, block.end))

    def buy_block(self, block: Part, n_header: int, budget_ms: float) -> None:
        """Compute a cold block if that fits."""
        block_ms = self._speed.ms(len(block), n_header + len(block) // 2)
        if self._ms(0, len(block)) + block_ms <= budget_ms:
            self._n_seen, self._other_ms = self._n_seen + len(block), self._other_ms + block_ms
            self.plan.buy.append(block)

    def _ms(self, n_more: int, n_seen_more: int) -> float:
        """What the request costs with so many more tokens to compute and to see."""
        seen = self._n_seen + n_seen_more
        return self._speed.ms(self.n_missing + n_more, seen) + _DECODE_STEPS * self._speed.ms(1, seen) + self._other_ms


def _is_new(session: Session, window: Window, level: Level) -> bool:
    """Whether none of the file's own text is there and worth `level`. Where other blocks came before it, it has moved
    and is stale."""
    begin, end = window.tail, len(window.ids)
    return _total(session.below(level, begin, end)) == end - begin


def _n_seen(session: Session, window: Window) -> int:
    """How many tokens of the flow a request sees at least: what it must compute, and what is there."""
    return sum(len(part) for part in window.flow if not part.rank or not _missing(session, [part], Level.PARTIAL))


def _total(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in ranges)


def _everything(session: Session, window: Window, is_warm: Callable[[Part], bool]) -> Plan:
    absent = [block for block in window.blocks if not is_placed(session, block)]
    return Plan(
        place=[block for block in absent if is_warm(block)],
        buy=[block for block in absent if not is_warm(block)],
        compute=_missing(session, window.flow, Level.WINDOW),
    )


def is_placed(session: Session, block: Part) -> bool:
    """Whether all of a block is in its slots."""
    return next(session.below(Level.WINDOW, block.begin, block.end), None) is None


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that touch or overlap as one."""
    result: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def _missing(session: Session, parts: list[Part], level: Level) -> list[tuple[int, int]]:
    return joined(found for part in parts for found in session.below(level, part.begin, part.end))


def _without(ranges: Slots, begin: int, end: int) -> Iterable[tuple[int, int]]:
    for start, stop in ranges:
        if start < min(stop, begin):
            yield start, min(stop, begin)
        if max(start, end) < stop:
            yield max(start, end), stop
