"""One completion from request to what is shown. Read this file first.

    reuse -> trigger -> window and prompt -> generate -> stop -> filters -> remember

Rules: no LSP, no torch, no file or socket I/O here. Only the cache and `engine.generate` have effects; every
other step is a pure function. Cancelling the await closes the generation; nothing swallows the cancel.
"""

import asyncio
import codecs
import time
from dataclasses import dataclass, field, replace

from completion.cache import ReuseCache
from completion.filters import apply_filters
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


@dataclass(slots=True)
class _Generation:
    """What came out of the engine so far: text from the cursor on, and why it ended."""

    text: str = ""
    logprobs: list[float] = field(default_factory=list)
    stats: GenerationStats | None = None
    timed_out: bool = False


async def complete(deps: Deps, request: CompletionRequest) -> Completion:
    """Answer a request; every way it can end is an `Outcome`. Cancellation propagates."""
    began = time.perf_counter()
    if reused := deps.cache.reuse(request):
        return replace(reused, timings_ms={"total": _ms_since(began)})
    decision = decide(request)
    mode = decision.mode
    if decision.skip:
        return Completion(text="", outcome=Outcome.SKIPPED, mode=mode, reason=decision.skip)
    prompt = build_prompt(deps.spec, deps.tokenizer, deps.segments, deps.limits, request, mode)
    prompt_ms = _ms_since(began)
    rule = stop_rule(request, mode)
    try:
        generation = await _generate(deps, prompt, rule, request.session)
    except EngineUnavailable as error:
        return Completion(text="", outcome=error.outcome, mode=mode, reason=str(error))
    completion = _to_completion(generation, rule, request, mode)
    timings = {"prompt": prompt_ms, "total": _ms_since(began)}
    if generation.stats is not None:
        timings |= {"prefill": generation.stats.prefill_ms, "decode": generation.stats.decode_ms}
    completion = replace(completion, timings_ms=timings)
    deps.cache.remember(request, completion)
    return completion


async def _generate(deps: Deps, prompt: Prompt, rule: StopRule, session: str) -> _Generation:
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
                spelled = b"".join(deps.tokenizer.token_bytes(token_id) for token_id in delta.token_ids)
                healed, outstanding = spelled[: len(outstanding)], outstanding[len(spelled) :]
                result.text += decoder.decode(spelled[len(healed) :])
                result.logprobs += delta.logprobs
                if find_end(rule, result.text) is not None:
                    break
    except TimeoutError:
        result.timed_out = True
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    if result.stats is not None:  # closed before the engine's last word: count here
        result.stats = replace(
            result.stats, n_generated=len(result.logprobs), decode_ms=result.stats.decode_ms or _ms_since(prefilled_at)
        )
    return result


def _to_completion(generation: _Generation, rule: StopRule, request: CompletionRequest, mode: Mode) -> Completion:
    """Cut, filter and judge what was generated."""
    partial_line = mode is Mode.LINE and generation.timed_out and find_end(rule, generation.text) is None
    raw = "" if partial_line else finish(rule, generation.text)
    candidate, changed = apply_filters(raw, request)
    if candidate.text.strip():
        outcome, reason = Outcome.OK, ""
    elif generation.timed_out:
        outcome, reason = Outcome.DEADLINE, "the model was not done in time (maxWaitMs)"
    elif raw.strip():
        outcome, reason = Outcome.FILTERED, f"nothing was left after: {', '.join(changed)}"
    else:
        outcome, reason = Outcome.EMPTY, "the model has nothing to add here"
    return Completion(
        text=candidate.text if outcome is Outcome.OK else "",
        outcome=outcome,
        mode=mode,
        replace_right=candidate.replace_right if outcome is Outcome.OK else 0,
        reason=reason or (f"changed by: {', '.join(changed)}" if changed else ""),
        mean_logprob=sum(generation.logprobs) / len(generation.logprobs) if generation.logprobs else 0.0,
        stats=generation.stats,
    )


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1e3
