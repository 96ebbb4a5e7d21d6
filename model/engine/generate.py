"""One request's work: what is generated, its state, and its prompt brought in as far as its plan pays for.

`decode` goes on from the prompt's last hidden states.

Rules: a generator that yields between layers and knows no other request.
"""

from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum

from completion.types import GenerationStats, Priority
from model.decoders.interface import CPU_CHUNKS, Decoder, States
from model.decoders.kv import Slots
from model.engine import blocks
from model.engine.blocks import BlockStore
from model.engine.layout import Part, Window
from model.engine.plan import Plan, is_placed, make_plan
from model.engine.sampler import ByteTable
from model.engine.session import Answer, Level, Session
from model.engine.speculate import Drafter
from model.library.speed import Speed

CHUNK_TOKENS = CPU_CHUNKS.prefill


class Rung(StrEnum):
    """How much of its window a request was answered from."""

    INSTANT = "instant"  # some of it was missing, or stale
    WINDOW = "window"  # all of it; blocks had seen the header and themselves
    EXACT = "exact"  # as one pass over the whole window gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to generate. `WARM` requests only bring the session's window in and generate nothing."""

    key: object  # unique; names the request in the scheduler's `cancel`
    session: str
    window: Window
    heal: bytes
    stop_token_ids: frozenset[int]
    max_tokens: int  # of each candidate
    priority: Priority = Priority.INTERACTIVE
    deadline_ms: float | None = None  # from arrival; None pays for the whole window
    n_candidates: int = 1
    line_only: bool = False  # each of several candidates ends with its line
    target: "array[int]" = field(default_factory=lambda: array("I"))  # scored instead of generating, unless empty
    speculate: bool = True

    @property
    def n_new(self) -> int:
        """Slots behind the prompt that it may need."""
        return len(self.target) or self.n_candidates * self.max_tokens

    on_prefilled: Callable[[GenerationStats], None]  # the counters so far, once the prompt is done
    on_token: Callable[
        [int, int, float, float], None
    ]  # candidate, id, log-probability, and that of all that spell what is typed
    on_finished: Callable[["Finished"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a request."""

    finish: str  # "stop", "length", "cancelled", "superseded", "failed"
    error: str
    stats: GenerationStats


@dataclass(slots=True)
class Engine:
    """What all requests share. `table` gives the byte table, made at its first use."""

    decoder: Decoder
    table: Callable[[], ByteTable]
    blocks: BlockStore
    speed: Speed


@dataclass(slots=True)
class Generation:
    """The state of one request's work."""

    engine: Engine
    session: Session
    request: Request
    rung: Rung | None = None
    n_cached: int = 0
    n_computed: int = 0
    n_attended: int = 0
    n_blocks: int = 0
    n_generated: int = 0
    drafter: Drafter = field(default_factory=Drafter)
    _plan: Plan = field(default_factory=Plan)

    def prefill(self, budget_ms: float | None = None, may_idle: bool = True) -> Generator[None, None, States]:
        """Bring in what the budget pays for (None: all); returns the hidden states of the last chunk.

        may_idle: idle work will bring in what this leaves out.
        """
        window, session, engine = self.request.window, self.session, self.engine
        session.adopt(window, engine.decoder)
        self._plan = plan = make_plan(session, window, self._is_warm, engine.speed, budget_ms, may_idle)
        for block in plan.place:
            if not self._place(block) and budget_ms is None:  # gone meanwhile, and all is paid for
                plan.buy.append(block)
        self.n_cached = session.n_held(0, len(window.ids)) - sum(session.n_held(*range_) for range_ in plan.compute)
        for block in plan.buy:
            yield from self._buy(block)
        hidden: States = ()
        for begin, end in plan.compute:
            while begin < end:
                hidden = yield from self._prefill_chunk(begin, end)
                n_chunk = min(len(hidden), end - begin)
                begin += n_chunk
                self.n_computed += n_chunk
        self._describe(window)
        return hidden

    # -- prefill -------------------------------------------------------------------------------------------

    def _is_warm(self, block: Part) -> bool:
        return blocks.key_of(self.request.window, block) in self.engine.blocks

    def _place(self, block: Part) -> bool:
        """Move a warm block into its slots; False when it is not there any more."""
        return blocks.place_warm(self.engine.decoder, self.engine.blocks, self.session, self.request.window, block)

    def _buy(self, block: Part) -> Generator[None, None, None]:
        """Compute a cold block; its header is flow, and computed before it."""
        window, engine, session = self.request.window, self.engine, self.session
        for begin, end in list(session.below(Level.EXACT, 0, window.n_header)):
            while begin < end:
                begin += len((yield from self._prefill_chunk(begin, end)))
        yield from blocks.bring_in(engine.decoder, engine.blocks, session, window, block)
        self.n_computed += len(block)

    def _prefill_chunk(self, begin: int, end: int) -> Generator[None, None, States]:
        """Compute up to a chunk of begin..end; one that was begun for an earlier request goes on.

        A target that is to be scored is run with the prompt's end: a forward of its own would read all weights again.
        """
        work, request = self.session.work, self.request
        begun = work is not None and work.begin == begin and work.end <= end
        ids = (
            work.ids
            if work and begun
            else request.window.ids[begin : min(begin + self.engine.decoder.chunks.prefill, end)]
        )
        if begin + len(ids) == len(request.window.ids):
            ids = ids + request.target[:-1]
        return (yield from self.forward(begin, ids))

    def _describe(self, window: Window) -> None:
        """Note what the request is answered from."""
        session, n = self.session, len(window.ids)
        attend = self._plan.attend(session, n)
        self.n_attended = sum(end - begin for begin, end in attend)
        unseen = {begin for begin, _ in self._plan.unseen}
        self.n_blocks = sum(is_placed(session, block) and block.begin not in unseen for block in window.blocks)
        level = session.level_after(attend, n)
        self.rung = {Level.WINDOW: Rung.WINDOW, Level.EXACT: Rung.EXACT}.get(level, Rung.INSTANT)

    # -- what decoding uses -------------------------------------------------------------------------------

    def begin_answer(self, hidden: States) -> Answer:
        """The session's record of its new answer, from the prompt's last hidden state (1, hidden) on."""
        n = len(self.request.window.ids)
        level, join = bytes(self.session.level[:n]), self.engine.decoder.join
        self.session.answer = answer = Answer(self.request.window.ids, level, self.attend(n), join)
        answer.read(array("I"), hidden)
        return answer

    def attend(self, begin: int) -> Slots:
        """The slots before `begin` that a token there sees."""
        return self._plan.attend(self.session, begin)

    def forward(self, begin: int, ids: "array[int]") -> Generator[None, None, States]:
        """Run tokens for slots from `begin`, which see what the plan lets them see."""
        return (yield from run_forward(self.engine, self.session, begin, ids, self.attend(begin)))


def run_forward(
    engine: Engine, session: Session, begin: int, ids: "array[int]", attend: Slots
) -> Generator[None, None, States]:
    """Run tokens for slots from `begin`; the session keeps the forward when this is closed before its end."""
    work = session.start(engine.decoder, begin, ids, attend)
    while (hidden := session.advance(work)) is None:
        try:
            yield
        except GeneratorExit:
            session.suspend(work)
            raise
    engine.speed.learn(len(ids), sum(end - start for start, end in attend) + len(ids) // 2, work.ms)
    return hidden
