"""What the model process counts from its start on: written by the engine thread, told in every `StatusReply`.

Rules: a record is frozen. The engine thread replaces it whole, so any thread may read it at any time.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockCounters:
    """What became of the blocks, in blocks."""

    n_computed: int = 0
    n_from_memory: int = 0
    n_from_disk: int = 0
    n_discarded: int = 0  # damaged files


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCounters:
    """The totals of all requests, and what runs them. Everything is 0 or "" before the model is ready."""

    n_sessions: int = 0
    n_requests: int = 0
    n_computed_tokens: int = 0
    n_cached_tokens: int = 0
    n_idle_tokens: int = 0  # computed while no request was waiting
    n_drafted_tokens: int = 0
    n_accepted_tokens: int = 0
    n_failed_checks: int = 0
    n_incomplete: int = 0  # sessions whose windows idle time will complete
    blocks: BlockCounters = field(default_factory=BlockCounters)
    kv_mb: float = 0.0
    prefill_tokens_per_s: float = 0.0
    best_tokens_per_s: float = 0.0  # at its fastest,
    n_measured_tokens: int = 0  # in forwards of so many tokens
    n_threads: int = 0
    kernels: str = ""  # "" is torch
    device: str = ""  # where the model runs, with which weights, and why
    last_error: str = ""
