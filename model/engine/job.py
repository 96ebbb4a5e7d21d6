"""One request in the scheduler: how far it is, and what it is told at its end.

Rules: what was delivered is kept, so that the request can go on elsewhere after a device's failure.
"""

import time
from array import array
from collections.abc import Generator
from dataclasses import dataclass, field, replace

from model.engine.generate import Finished, Generation, Request


@dataclass(slots=True, eq=False)
class Job:
    """A request that was accepted, until its `Finished`."""

    request: Request
    todo: Request = field(init=False)  # the request, or what is left of it after a failure
    delivered: "array[int]" = field(default_factory=lambda: array("I"))
    n_before: int = 0  # of `delivered`, by a device that has failed
    arrived: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    first: float = 0.0  # when the prompt was done
    generation: Generation | None = None
    steps: Generator[None, None, str] | None = None

    def __post_init__(self) -> None:
        self.todo = replace(self.request, on_token=self._deliver)

    def _deliver(self, candidate: int, token: int, logprob: float, spelled: float) -> None:
        self.delivered.append(token)
        self.request.on_token(candidate, token, logprob, spelled)

    def report(self, finish: str, error: str) -> Finished:
        """The counters so far; `finish` is "" while it goes on."""
        now = time.perf_counter()
        started = self.started or now
        first = self.first or now
        work = self.generation
        return Finished(
            finish=finish,
            error=error,
            rung=work.rung or "" if work else "",
            n_prompt=len(self.request.window.ids),
            n_cached=work.n_cached if work else 0,
            n_computed=work.n_computed if work else 0,
            n_attended=work.n_attended if work else 0,
            n_blocks=work.n_blocks if work else 0,
            n_generated=self.n_before + (work.n_generated if work else 0),
            n_drafted=work.drafter.n_drafted if work else 0,
            n_accepted=work.drafter.n_accepted if work else 0,
            queue_ms=(started - self.arrived) * 1e3,
            prefill_ms=(first - started) * 1e3,
            decode_ms=(now - first) * 1e3,
        )
