"""One completion from request to what is shown. Read this file first.

    reuse -> join what is under way -> trigger -> window and prompt -> generate -> stop -> filters -> remember

Rules: no LSP, no torch, no file or socket I/O here. Only the cache, what is under way and `engine.generate` have
effects; every other step is a pure function. Cancelling the await closes the generation, unless a newer request
joins it within a moment; nothing swallows the cancel.
"""

import asyncio
import codecs
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from completion.cache import ReuseCache
from completion.filters import apply_filters
from completion.inflight import InFlight
from completion.names import Names, unknown_names
from completion.prompt import build_prompt
from completion.segments import SegmentCache
from completion.stop import StopRule, find_end, finish, stop_rule
from completion.trigger import decide
from completion.types import (
    Completion,
    CompletionRequest,
    Engine,
    EngineUnavailable,
    GenerationStats,
    Limits,
    Mode,
    Outcome,
    Prompt,
    PromptSpec,
    Tokenizer,
    Trace,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What a completion needs; one per loaded model and configuration."""

    engine: Engine
    tokenizer: Tokenizer
    spec: PromptSpec
    limits: Limits
    cache: ReuseCache
    segments: SegmentCache
    inflight: InFlight = field(default_factory=InFlight)
    names_of: Callable[[str], Names | None] = lambda uri: None  # by a document's URI: what its repository knows


@dataclass(slots=True)
class _Generation:
    """What came out of the engine so far: text from the cursor on, and why it ended."""

    text: str = ""
    logprobs: list[tuple[int, float]] = field(default_factory=list)  # length of `text` before a token, its value
    stats: GenerationStats | None = None
    timed_out: bool = False
    complete: bool = True  # not cut off in its last line, by the time or by the number of tokens


async def prompt_for(deps: Deps, request: CompletionRequest) -> Prompt:
    """The prompt that a request sends to the engine. Built in a thread: 50 ms and more where snippets are new."""
    mode = decide(request).mode
    return await asyncio.to_thread(build_prompt, deps.spec, deps.tokenizer, deps.segments, deps.limits, request, mode)


async def complete(deps: Deps, request: CompletionRequest) -> Completion:
    """Answer a request; every way it can end is an `Outcome`. Cancellation propagates."""
    clock = _Clock()
    if reused := deps.cache.reuse(request):
        return replace(reused, timings_ms=clock.total())
    if await deps.inflight.join(request) and (joined := deps.cache.reuse(request)):
        return replace(joined, reused=False, timings_ms=clock.total())
    return await deps.inflight.run(request, lambda on_text: _complete(deps, request, clock, on_text))


async def _complete(
    deps: Deps, request: CompletionRequest, clock: "_Clock", on_text: Callable[[str], None]
) -> Completion:
    """Ask the model."""
    decision = decide(request)
    mode = decision.mode
    clock.lap("trigger")
    trace = Trace(trigger=request.trigger)
    if decision.skip:
        return replace(_nothing(Outcome.SKIPPED, mode, decision.skip, clock), trace=trace)
    prompt = await prompt_for(deps, request)
    trace = replace(trace, format=prompt.format, snippets=request.snippets)
    rule = stop_rule(request, mode)
    clock.lap("prompt")
    try:
        generation = await _generate(deps, prompt, rule, request.session, on_text)
    except EngineUnavailable as error:
        return replace(_nothing(error.outcome, mode, str(error), clock), trace=trace)
    clock.lap("generate")
    # In a thread, like the prompt: the filters parse the document with the suggestion in place.
    names = deps.names_of(request.snapshot.uri)
    completion = await asyncio.to_thread(_to_completion, generation, rule, request, trace, names)
    clock.lap("filters")
    if generation.stats is not None:
        clock.laps |= {"prefill": generation.stats.prefill_ms, "decode": generation.stats.decode_ms}
    completion = replace(completion, timings_ms=clock.total())
    deps.cache.remember(request, completion)
    return completion


async def _generate(
    deps: Deps, prompt: Prompt, rule: StopRule, session: str, on_text: Callable[[str], None]
) -> _Generation:
    """Read tokens until the stop rule is satisfied, the engine ends, or the time is up."""
    result = _Generation()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    outstanding, prefilled_at = prompt.heal, 0.0
    stream = deps.engine.generate(prompt, session=session)
    try:
        async with asyncio.timeout(deps.limits.max_wait_ms / 1e3 or None):
            async for delta in stream:
                if delta.stats is not None:
                    result.stats, prefilled_at = delta.stats, time.perf_counter()
                for token_id, logprob in zip(delta.token_ids, delta.logprobs, strict=True):
                    result.logprobs.append((len(result.text), logprob))
                    spelled = deps.tokenizer.token_bytes(token_id)
                    typed, outstanding = spelled[: len(outstanding)], outstanding[len(spelled) :]
                    result.text += decoder.decode(spelled[len(typed) :])
                on_text(result.text)
                if find_end(rule, result.text) is not None:
                    break
    except TimeoutError:
        result.timed_out = True
    finally:
        # A plain async iterator need not have it; the generators of all our engines do.
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    n_generated = len(result.logprobs)
    result.complete = not result.timed_out and n_generated < prompt.max_tokens
    if result.stats is not None:  # closed before the engine's last word: count here
        decode_ms = result.stats.decode_ms or (time.perf_counter() - prefilled_at) * 1e3
        result.stats = replace(result.stats, n_generated=n_generated, decode_ms=decode_ms)
    return result


def _to_completion(
    generation: _Generation, rule: StopRule, request: CompletionRequest, trace: Trace, names: Names | None
) -> Completion:
    """Cut, filter and judge what was generated. Parses: for a worker thread."""
    raw = finish(rule, generation.text, complete=generation.complete)
    # When the time is up, only what ends with its line is shown: half a line would be worse than none.
    if generation.timed_out and "\n" not in generation.text:
        raw = ""
    candidate, steps = apply_filters(raw, request)
    changed = ", ".join(step.name for step in steps)
    if candidate.text.strip():
        outcome, reason = Outcome.OK, f"changed by: {changed}" if changed else ""
    elif generation.timed_out:
        outcome, reason = Outcome.DEADLINE, "the model was not done in time (maxWaitMs)"
    elif raw.strip():
        outcome, reason = Outcome.FILTERED, f"nothing was left after: {changed}"
    else:
        outcome, reason = Outcome.EMPTY, "the model has nothing to add here"
    kept = [logprob for begins, logprob in generation.logprobs if begins < max(1, len(raw))]
    shown = outcome is Outcome.OK
    return Completion(
        text=candidate.text if shown else "",
        outcome=outcome,
        mode=rule.mode,
        replace_right=candidate.replace_right if shown else 0,
        reason=reason,
        mean_logprob=sum(kept) / len(kept) if kept else 0.0,
        stats=generation.stats,
        trace=replace(
            trace, raw=raw, steps=steps, unknown_names=unknown_names(candidate, request, names) if shown else ()
        ),
    )


def _nothing(outcome: Outcome, mode: Mode, reason: str, clock: "_Clock") -> Completion:
    return Completion(text="", outcome=outcome, mode=mode, reason=reason, timings_ms=clock.total())


class _Clock:
    """Milliseconds per stage of one request, by name."""

    def __init__(self) -> None:
        self._began = self._lap = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """End a stage: what passed since the last one ended is its time."""
        now = time.perf_counter()
        self.laps[stage], self._lap = (now - self._lap) * 1e3, now

    def total(self) -> dict[str, float]:
        """All stages, and the time since the request began."""
        return {**self.laps, "total": (time.perf_counter() - self._began) * 1e3}
