"""The one thread that owns every tensor: takes commands, advances the most urgent work by one step.

`run` is the loop to read: accept commands -> pick a job, or idle work -> let it do one layer. Work is a generator that
yields between layers, so a keystroke is noticed within one layer of a prefill or one layer of a decode
step, and what is no longer the most urgent simply is not advanced.

    INTERACTIVE: a request waits for its answer  >  SERVED: another program's does  >  NEXT: the request that may come
    next  >  WARM: windows to bring in  >  idle work

Of one priority the newest comes first, since one person has one cursor; but of other programs' the oldest, since many
people may stand behind these, and a newer one of somebody else's would come in between for ever.

Rules: no other thread touches the decoder or the sessions. Commands come in through a queue, results leave
through the callback of their request, and every accepted request ends with exactly one `Finished`. Whatever is raised
ends the work it came from, with its session, and never the loop.
A cancelled request leaves its half-done chunk with its session: the next prompt usually goes on with it.
When a device fails, `rescue` gives another engine, and every request goes on there after what it has delivered.
"""

import logging
import queue
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from completion.types import Priority
from model.engine.decode import decode
from model.engine.generate import Engine, Finished, Generation, Request
from model.engine.idle_work import Improver
from model.engine.job import Job
from model.engine.resume import rest_of
from model.engine.session import SessionPool
from model.link.counters import EngineCounters

log = logging.getLogger(__name__)

# Before a window is computed once more in one exact pass, its session must have been quiet for so long.
_EXACT_AFTER_S = 20.0
# How soon idle work is tried again when it was no good time for it.
_RETRY_IDLE_S = 2.0


class Replacement(Protocol):
    """What to go on with after a failure; `device` says where that is, and why, in words."""

    @property
    def engine(self) -> Engine: ...

    @property
    def pool(self) -> SessionPool: ...

    @property
    def device(self) -> str: ...


@dataclass(slots=True)
class _Idle:
    """Idle work on a session's window."""

    session: str
    exact: bool
    due: float  # not before this time
    steps: Generator[None, None, None] | None = None


class Scheduler:
    """Runs requests on one engine. `submit`, `cancel` and `stop` may be called from any thread.

    may_idle: asked before idle work; `exact_after_s` None leaves out the exact pass. `device`: where it runs, in
    words. `rescue` is asked in the engine's thread for a replacement when an exception may be a device's failure.
    """

    def __init__(
        self,
        engine: Engine,
        pool: SessionPool,
        may_idle: Callable[[], bool] = lambda: True,
        exact_after_s: float | None = _EXACT_AFTER_S,
        device: str = "on the processor",
    ) -> None:
        self.device = device
        self.rescue: Callable[[Exception], Replacement | None] = lambda error: None
        self._counters = EngineCounters()
        self._engine, self._pool, self._may_idle, self._exact_after_s = engine, pool, may_idle, exact_after_s
        self._improver = Improver(engine)
        self._commands: queue.SimpleQueue[Request | _Cancel | None] = queue.SimpleQueue()
        self._jobs: list[Job] = []  # oldest first
        self._idle: list[_Idle] = []  # the session used last comes first

    @property
    def context_tokens(self) -> int:
        """The most tokens a prompt and its completion may have together."""
        return self._engine.decoder.architecture.context_tokens

    @property
    def vocab(self) -> int:
        """Token ids are below this."""
        return self._engine.decoder.architecture.vocab

    @property
    def counters(self) -> EngineCounters:
        """What was counted so far, for any thread."""
        return replace(
            self._counters,
            n_incomplete=sum(not idle.exact for idle in list(self._idle)),
            blocks=self._engine.blocks.counters,
            device=self.device,
        )

    def runs_on(self, n_threads: int, kernels: str) -> None:
        """Note what computes, for the status."""
        self._count(n_threads=n_threads, kernels=kernels)

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._commands.put(request)

    def cancel(self, key: object) -> None:
        """End a request; its Finished("cancelled") comes unless it has ended already."""
        self._commands.put(_Cancel(key))

    def stop(self) -> None:
        """End all requests as cancelled and leave `run`."""
        self._commands.put(None)

    def run(self) -> None:
        """The loop; returns after `stop`. This is the only thread that touches tensors."""
        while True:
            try:
                if not self._accept_commands():
                    return
                if job := self._most_urgent():
                    self._advance(job)
                elif idle := self._due():
                    self._advance_idle(idle)
            except Exception as error:
                log.exception("the engine's loop failed; all requests end, and it goes on with empty sessions")
                self._begin_afresh(error)

    # -- commands ------------------------------------------------------------------------------------------

    def _accept_commands(self) -> bool:
        """Apply what has arrived, waiting for it when there is nothing to do; False to stop."""
        while True:
            wait = self._wait_s()
            if wait != 0.0 and self._commands.empty():
                self._check()
            try:
                command = self._commands.get(block=wait != 0.0, timeout=wait or None)
            except queue.Empty:
                return True
            match command:
                case None:
                    for job in list(self._jobs):
                        self._finish(job, "cancelled")
                    return False
                case _Cancel(key):
                    for job in [j for j in self._jobs if j.request.key == key]:
                        self._finish(job, "cancelled")
                case Request():
                    self._accept(command)

    def _wait_s(self) -> float | None:
        """How long there is nothing to do unless a command comes; None: for good."""
        if any(job.request.priority.is_awaited for job in self._jobs):
            return 0.0
        if self._jobs:
            return 0.0 if self._may_idle() else _RETRY_IDLE_S
        if not self._idle:
            return None
        wait = max(0.0, min(idle.due for idle in self._idle) - time.monotonic())
        return wait if wait or self._may_idle() else _RETRY_IDLE_S

    def _check(self) -> None:
        """Look through the books. What cannot be trusted is thrown away: it costs time, and no user notices more."""
        try:
            self._pool.check()
            self._engine.blocks.check()
            assert len({idle.session for idle in self._idle}) == len(self._idle), "idle work twice for one session"
        except AssertionError as error:
            log.exception("the books do not balance; starting with empty sessions")
            self._count(n_failed_checks=self._counters.n_failed_checks + 1, last_error=f"integrity check: {error}")
            self._idle.clear()
            self._pool.clear()

    def _accept(self, request: Request) -> None:
        """Add a job. One session serves one request: the newer one supersedes, unless it is less urgent."""
        same = [job for job in self._jobs if job.request.session == request.session]
        self._count(n_requests=self._counters.n_requests + 1)
        job = Job(request)
        self._jobs.append(job)
        if any(other.request.priority < request.priority for other in same):
            self._finish(job, "superseded")
            return
        for other in same:
            self._finish(other, "superseded")
        self._end_idle(request.session)

    # -- jobs ----------------------------------------------------------------------------------------------

    def _most_urgent(self) -> Job | None:
        """The first in turn; None when no request waits for it and this is no good time."""
        job = min(self._jobs, key=lambda job: job.turn, default=None)
        return job if job is None or job.request.priority.is_awaited or self._may_idle() else None

    def _advance(self, job: Job) -> None:
        if job.steps is None:
            job.started = time.perf_counter()
            job.steps = self._warm(job) if job.request.priority is Priority.WARM else self._generate(job)
        try:
            next(job.steps)
        except StopIteration as done:
            self._finish(job, done.value)
        except Exception as error:
            if self._rescued(error):
                return
            log.exception("request failed")
            self._fail(job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        """End a request that raised; what its session holds is not to be trusted any more."""
        self._count(last_error=f"{type(error).__name__}: {error}")
        self._finish(job, "failed", str(error) or type(error).__name__)
        self._forget(job.request.session)

    def _forget(self, session: str) -> None:
        self._end_idle(session)
        self._pool.drop(session)

    def _begin_afresh(self, error: Exception) -> None:
        """After a failure that belongs to no request: nothing is left to do, so that it cannot come again and again."""
        self._pool.clear()
        self._idle.clear()
        while self._jobs:
            try:
                self._fail(self._jobs[-1], error)
            except Exception:
                log.exception("a request's end could not be told")

    def _rescued(self, error: Exception) -> bool:
        """Go on elsewhere after a device's failure; False when it is none. No request is lost by it."""
        if (other := self.rescue(error)) is None:
            return False
        self._engine, self._pool, self.device = other.engine, other.pool, other.device
        self._improver = Improver(self._engine, self._improver.n_computed)
        self._idle.clear()
        self._count(last_error=f"{other.device} after {type(error).__name__}: {error}")
        for job in list(self._jobs):
            if job.steps is not None:
                job.steps.close()
            job.steps, job.generation, job.n_before = None, None, len(job.delivered)
            rest = rest_of(job.request, job.delivered, self._engine.table()) if job.delivered else job.todo
            if rest is None:
                self._finish(job, "length")
            else:
                job.todo = replace(rest, on_token=job.todo.on_token)
        return True

    def _finish(self, job: Job, finish: str, error: str = "") -> None:
        self._jobs.remove(job)
        try:
            if job.steps is not None:
                job.steps.close()
                self._begin_idle(job.request.session, exact=False)
        finally:
            stats, totals = job.stats(), self._counters
            self._count(
                n_computed_tokens=totals.n_computed_tokens + stats.n_computed,
                n_cached_tokens=totals.n_cached_tokens + stats.n_cached,
                n_drafted_tokens=totals.n_drafted_tokens + stats.n_drafted,
                n_accepted_tokens=totals.n_accepted_tokens + stats.n_accepted,
            )
            self._measure()
            job.request.on_finished(Finished(finish=finish, error=error, stats=stats))

    def _count(self, **news: Any) -> None:
        self._counters = replace(self._counters, **news)

    def _measure(self) -> None:
        """Count what is there, and how fast it is."""
        speed, n_bytes = self._engine.speed, self._pool.n_bytes + self._engine.blocks.n_bytes
        self._count(
            prefill_tokens_per_s=speed.tokens_per_s,
            best_tokens_per_s=speed.best_tokens_per_s,
            n_measured_tokens=speed.n_measured,
            n_idle_tokens=self._improver.n_computed,
            n_sessions=len(self._pool),
            kv_mb=n_bytes / 1e6,
        )

    def _start(self, job: Job) -> Generation:
        request = job.todo
        n_slots = len(request.window.ids) + request.n_new
        session = self._pool.acquire(request.session, n_slots, is_guest=request.priority is Priority.SERVED)
        job.generation = Generation(self._engine, session, request)
        return job.generation

    def _generate(self, job: Job) -> Generator[None, None, str]:
        """Prefill, then decode. Returns how it finished."""
        request = job.request
        # The deadline of work ahead counts from its beginning: it may have waited long for a good time.
        waited_ms = (time.perf_counter() - job.arrived) * 1e3 if request.priority.is_awaited else 0.0
        budget_ms = None if request.deadline_ms is None else max(0.0, request.deadline_ms - waited_ms)
        generation = self._start(job)
        hidden = yield from generation.prefill(budget_ms, self._may_idle())
        if not job.prefilled:
            job.prefilled = time.perf_counter()
            request.on_prefilled(job.stats())
        return (yield from decode(generation, hidden))

    def _warm(self, job: Job) -> Generator[None, None, str]:
        """Bring the whole window in, and generate nothing."""
        generation = self._start(job)
        session, window = generation.session, job.request.window
        session.adopt(window, self._engine.decoder)
        generation.n_cached = session.n_held(0, len(window.ids))
        before = self._improver.n_computed
        yield from self._improver.improve(session, exact=False)
        generation.n_computed = self._improver.n_computed - before
        return "stop"

    # -- idle work -----------------------------------------------------------------------------------------

    def _begin_idle(self, session: str, *, exact: bool) -> None:
        self._end_idle(session)
        due = time.monotonic() + (self._exact_after_s or 0.0 if exact else 0.0)
        self._idle.insert(0, _Idle(session, exact, due))

    def _end_idle(self, session: str) -> None:
        """Leave off: a chunk under way stays with the session."""
        for idle in [idle for idle in self._idle if idle.session == session]:
            if idle.steps is not None:
                idle.steps.close()
            self._idle.remove(idle)

    def _due(self) -> _Idle | None:
        now = time.monotonic()
        due = (idle for idle in self._idle if idle.due <= now)
        return next(due, None) if self._may_idle() else None

    def _advance_idle(self, idle: _Idle) -> None:
        session = self._pool.get(idle.session)
        if session is None:  # another session needed the room
            self._idle.remove(idle)
            return
        if idle.steps is None:
            idle.steps = self._improver.improve(session, exact=idle.exact)
        try:
            next(idle.steps)
        except StopIteration:
            self._idle.remove(idle)
            if not idle.exact and self._exact_after_s is not None and session.window and session.window.blocks:
                self._begin_idle(idle.session, exact=True)
        except Exception as error:
            if self._rescued(error):
                return
            log.exception("idle work failed")
            self._count(last_error=f"{type(error).__name__}: {error}")
            self._forget(idle.session)
        else:
            return  # one layer of many: the totals are summed when it ends
        self._measure()


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: object
