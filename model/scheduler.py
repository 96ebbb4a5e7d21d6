"""The one thread that owns every tensor: takes commands, advances the most urgent job by one step.

`run` is the loop to read: accept commands -> pick a job -> let it do one layer. A job is a generator that
yields between layers, so a keystroke is noticed within one layer of a prefill or one layer of a decode
step, and a job that is no longer the most urgent simply is not advanced.

Rules: nobody else touches the decoder or the sessions. Commands come in through a queue, results leave
through the callback of their request, and every accepted request ends with exactly one `Finished`.
A cancelled request leaves its half-done chunk with its session: the next prompt usually goes on with it.
"""

import logging
import queue
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from model.decoder import Decoder
from model.generate import CHUNK_TOKENS, Finished, Generation, Request
from model.kv import SessionPool
from model.sampler import ByteTable

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """Totals since the daemon started; read by other threads, written by this one."""

    n_requests: int = 0
    n_computed_tokens: int = 0
    n_cached_tokens: int = 0
    n_drafted_tokens: int = 0
    n_accepted_tokens: int = 0
    n_sessions: int = 0
    prefill_tokens_per_s: float = 0.0
    last_error: str = ""


@dataclass(slots=True, eq=False)
class _Job:
    request: Request
    arrived: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    first: float = 0.0  # when the prompt was done
    generation: Generation | None = None
    steps: Generator[None, None, str] | None = None


class Scheduler:
    """Runs requests on one decoder. `submit`, `cancel` and `stop` may be called from any thread."""

    def __init__(self, decoder: Decoder, table: Callable[[], ByteTable], pool: SessionPool) -> None:
        self.counters = Counters()
        self._decoder, self._make_table, self._pool = decoder, table, pool
        self._table: ByteTable | None = None
        self._commands: queue.SimpleQueue[Request | _Cancel | None] = queue.SimpleQueue()
        self._jobs: list[_Job] = []  # oldest first
        self._stopping = False

    @property
    def context_tokens(self) -> int:
        """The most tokens a prompt and its completion may have together."""
        return self._decoder.architecture.context_tokens

    @property
    def vocab(self) -> int:
        """Token ids are below this."""
        return self._decoder.architecture.vocab

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
        while self._accept_commands():
            if job := self._most_urgent():
                self._advance(job)

    def _accept_commands(self) -> bool:
        """Apply what has arrived, waiting for it when there is nothing to do; False to stop."""
        while True:
            if not self._jobs and self._commands.empty():
                self._pool.check()
            try:
                command = self._commands.get(block=not self._jobs)
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

    def _accept(self, request: Request) -> None:
        """Add a job. One session serves one request: the newer one supersedes, unless it only warms."""
        same = [job for job in self._jobs if job.request.session == request.session]
        self.counters.n_requests += 1
        if request.warm and any(not job.request.warm for job in same):
            self._jobs.append(job := _Job(request))
            self._finish(job, "superseded")
            return
        for job in same:
            self._finish(job, "superseded")
        self._jobs.append(_Job(request))

    def _most_urgent(self) -> _Job | None:
        """The newest request somebody waits for, else the newest warming one."""
        return max(self._jobs, key=lambda job: (not job.request.warm, job.arrived), default=None)

    def _advance(self, job: _Job) -> None:
        if job.steps is None:
            job.started = time.perf_counter()
            job.steps = self._generate(job)
        try:
            next(job.steps)
        except StopIteration as done:
            self._finish(job, done.value)
        except (RuntimeError, MemoryError, ValueError, IndexError) as error:
            # torch reports exhausted memory and bad shapes as RuntimeError: the request fails, not the daemon.
            log.exception("request failed")
            self.counters.last_error = f"{type(error).__name__}: {error}"
            self._finish(job, "failed", str(error))

    def _finish(self, job: _Job, finish: str, error: str = "") -> None:
        self._jobs.remove(job)
        if job.steps is not None:
            job.steps.close()
        report = _report(job, finish, error)
        if report.n_computed >= CHUNK_TOKENS // 4 and job.first:
            self.counters.prefill_tokens_per_s = report.n_computed / (job.first - job.started)
        self.counters.n_computed_tokens += report.n_computed
        self.counters.n_cached_tokens += report.n_cached
        self.counters.n_drafted_tokens += report.n_drafted
        self.counters.n_accepted_tokens += report.n_accepted
        self.counters.n_sessions = len(self._pool)
        job.request.on_finished(report)

    def _generate(self, job: _Job) -> Generator[None, None, str]:
        """Prefill, then decode. Returns how it finished."""
        request = job.request
        session = self._pool.acquire(request.session, len(request.prompt) + request.n_candidates * request.max_tokens)
        generation = job.generation = Generation(self._decoder, self._bytes, session, request)
        hidden = yield from generation.prefill()
        job.first = time.perf_counter()
        if request.warm:
            return "stop"
        request.on_prefilled(_report(job, "", ""))
        return (yield from generation.decode(hidden))

    def _bytes(self) -> ByteTable:
        """Made at the first use: it takes a tenth of a second that the first token should not wait for."""
        if self._table is None:
            self._table = self._make_table()
        return self._table


def _report(job: _Job, finish: str, error: str) -> Finished:
    now = time.perf_counter()
    started = job.started or now
    first = job.first or now
    work = job.generation
    return Finished(
        finish=finish,
        error=error,
        n_prompt=len(job.request.prompt),
        n_cached=work.n_cached if work else 0,
        n_computed=work.n_computed if work else 0,
        n_generated=work.n_generated if work else 0,
        n_drafted=work.drafter.n_drafted if work else 0,
        n_accepted=work.drafter.n_accepted if work else 0,
        queue_ms=(started - job.arrived) * 1e3,
        prefill_ms=(first - started) * 1e3,
        decode_ms=(now - first) * 1e3,
    )


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: object
