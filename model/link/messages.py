"""From the core's types to the daemon's messages and back. Used by the client; pure.

Rules: a field that the wire has and the core does not is decided here.
"""

from array import array

from completion.types import GenerationStats, Priority, Prompt
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


def stats_of(done: wire.Done) -> GenerationStats:
    """The counters of a generation that has ended."""
    return GenerationStats(
        n_prompt=done.n_prompt,
        n_cached=done.n_cached,
        n_computed=done.n_computed,
        n_attended=done.n_attended,
        n_blocks=done.n_blocks,
        rung=done.rung,
        n_generated=done.n_generated,
        n_drafted=done.n_drafted,
        n_accepted=done.n_accepted,
        queue_ms=done.queue_ms,
        prefill_ms=done.prefill_ms,
        decode_ms=done.decode_ms,
    )


def stats_so_far(prefilled: wire.Prefilled) -> GenerationStats:
    """The counters as of the end of the prompt."""
    return GenerationStats(
        n_prompt=prefilled.n_prompt,
        n_cached=prefilled.n_cached,
        n_computed=prefilled.n_computed,
        n_attended=prefilled.n_attended,
        n_blocks=prefilled.n_blocks,
        rung=prefilled.rung,
        n_generated=0,
        queue_ms=prefilled.queue_ms,
        prefill_ms=prefilled.prefill_ms,
        decode_ms=0.0,
    )
