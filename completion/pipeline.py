"""One completion from request to what is shown. Read this file first.

    reuse -> join what is under way -> trigger -> window and prompt -> generate -> stop -> filters
           -> invoked: a second opinion where the first is unsure -> judge -> remember

Rules: no LSP, no torch, no file or socket I/O here. Only the cache, what is under way and `engine.generate` have
effects; every other step is a pure function. Cancelling the await closes the generation, unless a newer request
joins it within a moment; nothing swallows the cancel.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from completion.asking import Asker, Attempt, Reading, session_for
from completion.cache import ReuseCache
from completion.code.newline import with_typed
from completion.filters.members import invented_member
from completion.filters.names import Names, unknown_names
from completion.inflight import InFlight
from completion.prompt.below_header import begun_below, with_body
from completion.prompt.layout import build_prompt, chat_ahead
from completion.prompt.segments import SegmentCache
from completion.ranking import comparison
from completion.ranking.patience import Pace
from completion.ranking.trust import Trust
from completion.stop import stop_rule
from completion.switches import Switch
from completion.trigger import Decision, decide
from completion.types import (
    Alternative,
    Completion,
    CompletionRequest,
    Engine,
    EngineUnavailable,
    Format,
    GenerationStats,
    Limits,
    Mode,
    Outcome,
    Prompt,
    PromptSpec,
    Tokenizer,
    Trace,
    Trigger,
)

# A chat reads a function anew, once its docstring is written: no automatic request should wait longer for it.
_CHAT_PREFILL_MS = 1_500
# More alternatives than these no user looks through.
_MAX_ALTERNATIVES = 5


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
    chat_pace: Pace = field(default_factory=Pace)  # of chats
    trust: Trust = field(default_factory=Trust)
    names_of: Callable[[str], Names | None] = lambda uri: None  # by a document's URI: what its repository knows
    has_logprobs: bool = True  # else nobody knows how sure the model is: texts are whole, and not judged


async def prompt_for(deps: Deps, request: CompletionRequest, mode: Mode | None = None) -> Prompt:
    """The prompt that a request sends to the engine; `mode` where it was decided already. Built in a thread: 50 ms and
    more where snippets are new.
    """

    def build() -> Prompt:
        chosen = mode or decide(request).mode
        return build_prompt(deps.spec, deps.tokenizer, deps.segments, deps.limits, request, chosen)

    return await asyncio.to_thread(build)


async def _prompt_in_time(deps: Deps, request: CompletionRequest, mode: Mode) -> Prompt:
    """The same; an automatic request gets a chat only where this machine reads one fast enough."""
    prompt = await prompt_for(deps, request, mode)
    is_chat = prompt.format is Format.CHAT and request.trigger is Trigger.AUTOMATIC
    if not is_chat or deps.chat_pace.is_worth_it():
        return prompt
    return await prompt_for(replace(deps, spec=replace(deps.spec, body_format=None)), request, mode)


async def complete(deps: Deps, request: CompletionRequest) -> Completion:
    """Answer a request; every way it can end is an `Outcome`. Cancellation propagates."""
    is_invoked = request.trigger is Trigger.INVOKED
    if is_invoked and (begun := await asyncio.to_thread(begun_below, request)):  # asks the syntax tree
        below = await asyncio.to_thread(with_typed, request, begun)
        return with_body(request, begun, await _answer(deps, below))
    return await _answer(deps, request)


async def _answer(deps: Deps, request: CompletionRequest) -> Completion:
    clock = _Clock()
    patience_ms = None if Switch.PATIENCE in request.without else deps.limits.patience_ms
    patience_s = None if patience_ms is None else patience_ms / 1e3
    is_again = deps.inflight.is_wanted_again(
        request
    )  # what there was of it has been shown: this one waits for the rest
    if not is_again and (reused := deps.cache.reuse(request)):
        return replace(reused, timings_ms=clock.total())
    if await deps.inflight.join(request, is_patient=is_again) and (joined := deps.cache.reuse(request)):
        return replace(joined, reused=False, timings_ms=clock.total())
    clock.lap("join")
    return await deps.inflight.run(request, _Work(deps, request, clock), patience_s)


async def complete_ahead_of_request(deps: Deps, request: CompletionRequest) -> Completion:
    """The same answer before the editor has sent the request: it joins nothing, and ends at once when cancelled."""
    return deps.cache.reuse(request) or await _Work(deps, request, _Clock()).run(lambda: None)


class _Work:
    """One completion as it is made, and what can be shown of it before it is done."""

    def __init__(self, deps: Deps, request: CompletionRequest, clock: "_Clock") -> None:
        self._deps, self._request, self._clock = deps, request, clock
        self._mode, self._trace = Mode.LINE, Trace(trigger=request.trigger, refused=request.snapshot.tree.refused)
        self._asker: Asker | None = None
        self._prompt: Prompt | None = None
        self._reading: Reading | None = None
        self._is_said = False  # all that the first prompt has to say is there
        self._stats: GenerationStats | None = None  # of the first answer
        self._best: Attempt | None = None  # of what was found so far, while more is asked for
        self._judged: Completion | None = None  # of what there was so far, the last time a request wanted it

    @property
    def text(self) -> str:
        """What was generated so far, from the cursor on."""
        return self._reading.text if self._reading else ""

    async def run(self, on_growth: Callable[[], None]) -> Completion:
        """Ask the model; also a prompt can fail to be made, where the tokenizer is a server's."""
        try:
            return await self._run(on_growth)
        except EngineUnavailable as error:
            return replace(_nothing(error.outcome, self._mode, str(error), self._clock), trace=self._trace)

    async def _run(self, on_growth: Callable[[], None]) -> Completion:
        deps, request, clock = self._deps, self._request, self._clock
        decision = await asyncio.to_thread(decide, request)  # asks the syntax tree
        self._mode = decision.mode
        clock.lap("trigger")
        if decision.skip:
            return replace(_nothing(Outcome.SKIPPED, self._mode, decision.skip, clock), trace=self._trace)
        self._prompt = prompt = await _prompt_in_time(deps, request, self._mode)
        self._trace = replace(
            self._trace, format=prompt.format, snippets=request.snippets, n_snippet_tokens=prompt.n_snippet_tokens
        )
        self._asker = asker = _asker(deps, replace(request, mode=decision.mode), decision)
        clock.lap("prompt")

        def on_reading(reading: Reading) -> None:
            if reading.logprobs and "first token" not in clock.laps:
                clock.lap("first token")
            self._reading = reading
            on_growth()

        (first,) = await asker.attempts(prompt, session_for(prompt, request), deps.limits.max_wait_ms, on_reading)
        clock.lap("rest")
        self._is_said = True
        self._stats = stats = first.generation.stats
        if stats is not None:
            clock.laps |= {"queue": stats.queue_ms, "prefill": stats.prefill_ms, "filters": first.filters_ms}
            clock.laps["rest"] -= first.filters_ms
            if "first token" in clock.laps:
                clock.laps["first token"] -= stats.queue_ms + stats.prefill_ms
            if prompt.format is Format.CHAT and request.trigger is Trigger.AUTOMATIC:
                deps.chat_pace.learn(stats.prefill_ms <= _CHAT_PREFILL_MS)

        def on_found(best: Attempt) -> None:
            self._best = best
            on_growth()

        opinion = await _opinion(deps, asker, first, on_found)
        clock.lap("opinion")
        completion = replace(await self._judge(opinion), stats=stats)
        clock.lap("judge")
        completion = replace(completion, timings_ms=clock.total())
        deps.cache.remember(request, completion)
        return completion

    async def so_far(self, n_known: int) -> Completion | None:
        """What can be shown by now, if that is more than so many characters; it is remembered for later requests.

        Of an answer that is still being said what is certain; of one that is being compared with others the answer.
        """
        if self._asker is None or self._prompt is None:
            return None
        attempt, reading = self._best, self._reading
        if attempt is None:
            if self._is_said or reading is None or self._request.trigger is Trigger.INVOKED:
                return None
            said = reading.generation(stats=reading.stats, timed_out=True, complete=False)
            attempt = await asyncio.to_thread(self._asker.so_far, self._prompt, said)
        if attempt is None or not attempt.has_text or len(attempt.candidate.text) <= n_known:
            return None
        if self._judged is None or self._judged.text != attempt.candidate.text:
            self._judged = await self._judge(comparison.Opinion(ranked=(attempt,)))
        if self._judged.outcome is not Outcome.OK:
            return None
        stats = self._stats or attempt.generation.stats  # what the request cost, not what another answer to it did
        part = replace(self._judged, is_partial=True, stats=stats, timings_ms=self._clock.total())
        self._deps.cache.remember(self._request, part)
        return part

    async def _judge(self, opinion: comparison.Opinion) -> Completion:
        names = self._deps.names_of(self._request.snapshot.uri)
        return await asyncio.to_thread(_judged, self._deps, opinion, self._request, self._mode, names, self._trace)


def _asker(deps: Deps, request: CompletionRequest, decision: Decision) -> Asker:
    """An invoked request gets the whole text, an automatic one what is certain of it."""
    certainty = 0.0
    is_cut = request.trigger is Trigger.AUTOMATIC and Switch.CERTAINTY not in request.without
    if is_cut and deps.has_logprobs:
        certainty = _trust(deps, request).least_joint(deps.limits.quietness)
    return Asker(
        engine=deps.engine,
        tokenizer=deps.tokenizer,
        request=request,
        rule=stop_rule(request, decision.mode),
        certainty=certainty,
        is_prose=decision.is_prose,
    )


async def _opinion(deps: Deps, asker: Asker, first: Attempt, on_found: Callable[[Attempt], None]) -> comparison.Opinion:
    """What to make of the first answer: an invoked request gets others beside it."""
    limits, request = deps.limits, asker.request
    if comparison.is_wanted(deps.spec, limits, asker, first):
        on_found(first)
        return await _second_opinion(deps, asker, first, on_found)
    if request.trigger is Trigger.INVOKED and limits.rank_ms != 0 and first.has_text:  # a sure one is kept company
        on_found(first)
        return comparison.Opinion(ranked=tuple(await comparison.alternatives(asker, first, limits)))
    return comparison.Opinion(ranked=(first,))


async def _second_opinion(
    deps: Deps, asker: Asker, first: Attempt, on_found: Callable[[Attempt], None]
) -> comparison.Opinion:
    """Ask in the other format."""
    chosen = comparison.other_format(deps.spec, first.prompt.format)
    assert chosen is not None, "is_wanted says so"
    second = await _second_prompt(deps, asker.request, chosen)
    return await comparison.second_opinion(asker, first, second, deps.limits, on_found)


async def _second_prompt(deps: Deps, request: CompletionRequest, chosen: Format) -> Prompt:
    spec = replace(deps.spec, line_format=chosen, block_format=chosen)
    limits = comparison.second_limits(deps.limits)
    alone = replace(request, snippets=())
    return await asyncio.to_thread(build_prompt, spec, deps.tokenizer, deps.segments, limits, alone, Mode.LINE)


async def prompts_for(deps: Deps, request: CompletionRequest) -> list[tuple[str, Prompt]]:
    """(session, prompt) of all that the next keys may need: what to have computed while no request waits."""
    first = await prompt_for(deps, request)
    found = [(session_for(first, request), first)]
    if first.format is not Format.CHAT:
        parts = (deps.spec, deps.tokenizer, deps.segments, deps.limits, request)
        if (chat := await asyncio.to_thread(chat_ahead, *parts)) is not None:
            found.append((session_for(chat, request), chat))
    return found


def _trust(deps: Deps, request: CompletionRequest) -> Trust:
    return Trust() if Switch.TRUST in request.without else deps.trust


def _judged(
    deps: Deps,
    opinion: comparison.Opinion,
    request: CompletionRequest,
    mode: Mode,
    names: Names | None,
    trace: Trace,
) -> Completion:
    """Whether to show it, and why not. Looks names up: for a worker thread."""
    attempt, logprobs = opinion.best, opinion.best.logprobs()
    trace = replace(
        trace,
        format=attempt.prompt.format,
        raw=attempt.raw,
        sure=tuple(attempt.generation.sure) if deps.has_logprobs else (),
        steps=attempt.steps,
        candidate=attempt.candidate.text,
        covered=request.snapshot.text[request.cursor :][: attempt.candidate.replace_right],
        ranked=_compared(opinion),
        refused=request.snapshot.tree.refused,  # perhaps since it was asked to check this very answer
    )
    probability = None
    if attempt.has_text:
        unknown = unknown_names(attempt.candidate, request, names)
        trace = replace(trace, unknown_names=unknown)
        if deps.has_logprobs:
            probability = _trust(deps, request).probability(math.exp(sum(attempt.sure())))
    outcome, reason = _outcome(attempt, deps.limits)
    is_shown_automatically = outcome is Outcome.OK and request.trigger is Trigger.AUTOMATIC
    if is_shown_automatically and (invented := invented_member(attempt.candidate, request, names)):
        outcome, reason = Outcome.FILTERED, invented
    shown = outcome is Outcome.OK
    return Completion(
        text=attempt.candidate.text if shown else "",
        outcome=outcome,
        mode=mode,
        replace_right=attempt.candidate.replace_right if shown else 0,
        alternatives=_alternatives(opinion) if shown and request.trigger is Trigger.INVOKED else (),
        reason=reason,
        mean_logprob=(sum(logprobs) / max(1, len(logprobs))) if deps.has_logprobs else None,
        probability=probability,
        trace=trace,
    )


def _compared(opinion: comparison.Opinion) -> tuple[tuple[str, float], ...]:
    scored = zip(opinion.ranked, opinion.scores, strict=False)  # none where there was no second opinion
    return tuple((attempt.candidate.text, score) for attempt, score in scored if score is not None)


def _alternatives(opinion: comparison.Opinion) -> tuple[Alternative, ...]:
    candidates = [attempt.candidate for attempt in opinion.ranked[1:] if attempt.has_text][:_MAX_ALTERNATIVES]
    return tuple(Alternative(text=candidate.text, replace_right=candidate.replace_right) for candidate in candidates)


def _outcome(attempt: Attempt, limits: Limits) -> tuple[Outcome, str]:
    """(how it ends, why in words)."""
    changed = ", ".join(step.name for step in attempt.steps)
    if attempt.has_text:
        return Outcome.OK, f"changed by: {changed}" if changed else ""
    if attempt.generation.timed_out:
        return Outcome.DEADLINE, "the model was not done in time (maxWaitMs)"
    if attempt.is_cut and not attempt.raw.strip():
        reason = f"the model is certain of nothing that it would write here, and quietness is {limits.quietness:.0%}"
        return Outcome.QUIET, reason
    if attempt.raw.strip():
        return Outcome.FILTERED, f"nothing was left after: {changed}"
    return Outcome.EMPTY, "the model has nothing to add here"


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
