"""What the server can say about itself: counts, the last answer, and in words why nothing is shown."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from completion.types import Completion, GenerationStats
from lsp_server.index.state import IndexState
from model.link.client import EngineState, Phase
from model.link.messages import facts_of
from model.link.wire import StatusReply


@dataclass(slots=True)
class Journal:
    """The last completion and how many ended in which way."""

    last: Completion | None = None
    outcomes: Counter[str] = field(default_factory=Counter)

    def record(self, completion: Completion) -> None:
        """Remember an answer."""
        self.last = completion
        self.outcomes[completion.outcome] += 1


def describe(state: EngineState, last: Completion | None, enabled: bool, host: str = "") -> str:
    """One sentence for the user: what works, or why nothing is shown; `host` is where code is sent."""
    if not enabled:
        return "midfill is switched off (midfill.enabled)"
    if state.phase is not Phase.READY:
        share = f" ({state.fraction:.0%})" if state.fraction is not None else ""
        return f"nothing is shown yet: {state.message}{share}"
    ready = f"ready, and code is sent to {host}" if host else "ready"
    if last is None:
        return f"{ready}; nothing has been asked yet"
    if last.text:
        return f"{ready}; the last request was answered"
    return f"{ready}; the last request showed nothing ({last.outcome}): {last.reason or 'no further reason'}"


def status(
    state: EngineState,
    journal: Journal,
    config: dict[str, Any],
    enabled: bool,
    daemon: StatusReply | None,
    indexes: Mapping[str, IndexState],
    stalls: Mapping[str, float],
    machine: str,
    host: str,
) -> dict[str, Any]:
    """The answer to `midfill/status`; `stalls` are waits for the event loop in milliseconds.

    `machine` says how fast this machine is, and what fits it; `host` where code is sent, "" where it stays here.
    """
    last = journal.last
    return {
        "phase": str(state.phase),
        "message": describe(state, last, enabled, host),
        "engine": state.message,
        "machine": machine,
        "host": host,
        "outcomes": {str(outcome): n for outcome, n in journal.outcomes.items()},
        "last": None if last is None else summary(last),
        "daemon": None if daemon is None else facts_of(daemon),
        "indexes": {
            root: {"phase": str(index.phase), "message": index.message, "updateMs": index.update_ms}
            for root, index in indexes.items()
        },
        "stalls": dict(stalls),
        "config": config,
    }


def summary(completion: Completion) -> dict[str, Any]:
    """Counters and timings of one completion, without its text."""
    stats = completion.stats or GenerationStats(n_prompt=0)
    return {
        "outcome": str(completion.outcome),
        "mode": str(completion.mode),
        "reason": completion.reason,
        "reused": completion.reused,
        "nPrompt": stats.n_prompt,
        "nCached": stats.n_cached,
        "nComputed": stats.n_computed,
        "nAttended": stats.n_attended,
        "nBlocks": stats.n_blocks,
        "rung": stats.rung,
        "nGenerated": stats.n_generated,
        "timingsMs": {name: round(ms, 2) for name, ms in completion.timings_ms.items()},
    }
