"""One request in the scheduler: how far it is, and what it is told at its end.

Rules: what was delivered is kept, so that the request can go on elsewhere after a device's failure.
"""

import time
from array import array
from collections.abc import Generator
from dataclasses import dataclass, field, replace

from completion.types import GenerationStats, Priority
from model.engine.generate import Generation, Request


@dataclass(slots=True, eq=False)
class Job:
    """A request that was accepted, until its `Finished`."""

    request: Request
    todo: Request = field(init=False)  # the request, or what is left of it after a failure
    delivered: "array[int]" = field(default_factory=lambda: array("I"))
    n_before: int = 0  # of `delivered`, by a device that has failed
    arrived: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    prefilled: float = 0.0  # when the prompt was done
    generation: Generation | None = None
    steps: Generator[None, None, str] | None = None

    def __post_init__(self) -> None:
        self.todo = replace(self.request, on_token=self._deliver)

    @property
    def turn(self) -> tuple[int, float]:
        """When it is its turn, the first of all is the least."""
        priority = self.request.priority
        return priority, self.arrived if priority is Priority.SERVED else -self.arrived

    def _deliver(self, candidate: int, token: int, logprob: float, spelled: float) -> None:
        self.delivered.append(token)
        self.request.on_token(candidate, token, logprob, spelled)

    def stats(self) -> GenerationStats:
        """The counters so far."""
        now = time.perf_counter()
        started = self.started or now
        prefilled = self.prefilled or now
        stats = GenerationStats(
            n_prompt=len(self.request.window.ids),
            n_generated=self.n_before,
            queue_ms=(started - self.arrived) * 1e3,
            prefill_ms=(prefilled - started) * 1e3,
            decode_ms=(now - prefilled) * 1e3,
        )
        if (work := self.generation) is None:
            return stats
        return replace(
            stats,
            n_cached=work.n_cached,
            n_computed=work.n_computed,
            n_attended=work.n_attended,
            n_blocks=work.n_blocks,
            rung=work.rung or "",
            n_generated=self.n_before + work.n_generated,
            n_drafted=work.drafter.n_drafted,
            n_accepted=work.drafter.n_accepted,
        )
