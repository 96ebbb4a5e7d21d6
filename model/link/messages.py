"""From the core's types to the daemon's messages and back. Used by the client; pure.

Rules: a field that the wire has and the core does not is decided here.
"""

from array import array
from dataclasses import asdict
from typing import Any

from completion.types import Priority, Prompt
from model.link import wire


def generate_message(request_id: int, prompt: Prompt, session: str, priority: Priority) -> wire.Generate:
    """A request, as the daemon is asked."""
    return wire.Generate(
        id=request_id,
        session=session,
        prompt=wire.pack_ids(prompt.token_ids),
        heal=prompt.heal,
        stop_token_ids=list(prompt.stop_token_ids),
        pieces=list(prompt.pieces),
        deadline_ms=float(prompt.deadline_ms or 0.0),
        priority=int(priority),
        max_tokens=0 if priority is Priority.WARM else prompt.max_tokens,
        n_candidates=prompt.n_candidates,
        line_only=prompt.line_only,
        target=wire.pack_ids(array("I", prompt.target)),
    )


def facts_of(reply: wire.StatusReply) -> dict[str, Any]:
    """All that a daemon says of itself, by name and without a level: what `midfill/status` and doctor show."""
    facts: dict[str, Any] = asdict(reply)
    counters: dict[str, Any] = facts.pop("counters")
    blocks = {f"n_blocks_{name.removeprefix('n_')}": n for name, n in counters.pop("blocks").items()}
    return facts | counters | blocks
