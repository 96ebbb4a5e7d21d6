"""What one request pays for: which blocks it attends to, and which parts it computes, within its deadline.

A request whose required parts are there already (somebody is typing) computes the new tokens, attends to all
that is there as far as the deadline allows, and leaves the rest to idle time: what is cheap stays cheap. One whose
required parts are cold (a file switch, a jump) makes its user wait anyway, and spends the time up to its deadline on
the best of the other parts.

Rules: pure functions of the session's levels and the speed. Required parts are computed whatever the deadline says.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model.kv import Slots
from model.session import Level, Session
from model.speed import Speed
from model.window import Part, Window

# Up to this many required tokens missing a request counts as typing: a new line moves the text after it, and what is
# near of that (64 tokens) is computed anew. A file that was never there misses more (128 above the cursor).
_CHEAP_TOKENS = 128
# Of a completion, decoding steps that the deadline has to pay for besides the prompt.
_DECODE_STEPS = 8
# Of the deadline, for the required parts and decoding while more blocks are taken in; the rest buys what is cold.
_BLOCK_SHARE = 0.6
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
    session: Session, window: Window, is_warm: Callable[[Part], bool], speed: Speed, budget_ms: float | None
) -> Plan:
    """Plan a request whose window the session has adopted. `budget_ms` None: pay for everything."""
    if budget_ms is None:
        return _everything(session, window, is_warm)
    required = [part for part in window.flow if part.rank == 0]
    missing = _missing(session, required, Level.PARTIAL)
    n_missing = sum(end - begin for begin, end in missing)
    optional = [part for part in window.flow if part.rank and _missing(session, [part], Level.PARTIAL)]
    n_seen = sum(map(len, window.flow)) - sum(map(len, optional))
    plan = Plan(compute=missing)

    def cost(n_more: int, seen: int) -> float:
        return speed.ms(n_missing + n_more, seen) + _DECODE_STEPS * speed.ms(1, seen)

    n_placed = 0
    for block in window.blocks:
        placed = is_placed(session, block)
        if not placed and not is_warm(block):
            continue
        n_new = 0 if placed else len(block)
        if cost(0, n_seen + len(block)) + _PLACE_MS_PER_TOKEN * (n_placed + n_new) > _BLOCK_SHARE * budget_ms:
            if placed:
                plan.unseen.append((block.begin, block.end))
            continue
        n_seen, n_placed = n_seen + len(block), n_placed + n_new
        if not placed:
            plan.place.append(block)
    if n_missing > _CHEAP_TOKENS:
        cold = [block for block in window.blocks if not is_placed(session, block) and not is_warm(block)]
        n_bought, block_ms = 0, 0.0
        for part in sorted([*optional, *cold], key=lambda part: part.rank):
            n_flow = 0 if part.block else sum(end - begin for begin, end in _missing(session, [part], Level.PARTIAL))
            extra_ms = speed.ms(len(part), window.n_header + len(part) // 2) if part.block else 0.0
            if cost(n_bought + n_flow, n_seen + len(part)) + block_ms + extra_ms > budget_ms:
                continue
            n_seen, n_bought, block_ms = n_seen + len(part), n_bought + n_flow, block_ms + extra_ms
            if part.block:
                plan.buy.append(part)
            else:
                plan.compute += _missing(session, [part], Level.PARTIAL)
        plan.compute = joined(plan.compute)
    return plan


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
