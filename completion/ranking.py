"""A second opinion: where the model was not sure of its answer, ask in the other prompt format, and rank both.

A small model often ignores the text after the cursor in fill-in-the-middle prompts, and cannot know it in left-to-right
ones. Of two answers the better one is that which makes itself and the lines that follow most probable, read left to
right:

    log p(answer) + w * log p(first following lines)

Called by the pipeline, and by nobody else. Rules: never makes an answer later than its time allows: what is not done by
then is given up, and the first answer stands. The weight and the threshold are fitted by `midfill eval ranking`.
"""

import asyncio
from dataclasses import dataclass, replace

from completion.asking import Asker, Attempt
from completion.types import EngineUnavailable, Format, Limits, Mode, Prompt, PromptSpec, Trigger

# Unsure: some token of the answer had less than this.
_SURE_LOGPROB = -0.3
_FOLLOWING_WEIGHT = 1.0
_FOLLOWING_LINES, _FOLLOWING_CHARACTERS = 2, 200
# Somebody who asks waits this many times as long.
_INVOKED_FACTOR = 5
# The second prompt is the nearest text alone: it has a session of its own, and its keys and values are computed for it.
_SECOND_TOKENS = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What came of the second opinion: the answer to show, and all that were compared, with their scores."""

    best: Attempt
    agreed: bool | None = None  # whether both answers were the same; None when there were not two
    scores: tuple[tuple[str, float], ...] = ()  # text, score; the best first


def other_format(spec: PromptSpec, prompt: Prompt) -> Format | None:
    """The format that a prompt is not in; None when the model has only one."""
    if prompt.format is Format.FIM:
        return Format.LEFT
    return None if None in (spec.fim_prefix, spec.fim_suffix, spec.fim_middle) else Format.FIM


def is_wanted(spec: PromptSpec, limits: Limits, asker: Asker, first: Attempt) -> bool:
    """Whether a second opinion is worth its time: for a line with text behind it, where the first answer is unsure."""
    request = asker.request
    if limits.rank_ms == 0 or asker.rule.mode is not Mode.LINE or other_format(spec, first.prompt) is None:
        return False
    if first.generation.timed_out or not request.snapshot.text[request.cursor :].strip():
        return False
    return not first.has_text or min(first.logprobs(), default=0.0) < _SURE_LOGPROB


def second_limits(limits: Limits, trigger: Trigger) -> Limits:
    """The budgets of the second prompt, which has half of the time for what is not ready."""
    allowed = allowed_ms(limits, trigger)
    n_tokens = min(_SECOND_TOKENS, limits.max_prompt_tokens)
    return replace(
        limits,
        max_prompt_tokens=n_tokens,
        max_file_tokens=min(n_tokens, limits.max_file_tokens),
        deadline_ms=0 if allowed is None else max(1, int(allowed / 2)),
    )


def allowed_ms(limits: Limits, trigger: Trigger) -> float | None:
    """How much later an answer may be for being ranked; None: as much as it takes."""
    if limits.rank_ms is None:
        return None
    return limits.rank_ms * (_INVOKED_FACTOR if trigger is Trigger.INVOKED else 1)


async def second_opinion(asker: Asker, first: Attempt, second: Prompt, limits: Limits) -> Opinion:
    """Ask with the second prompt, and rank. The first answer stands when there is no time, or no engine any more."""
    allowed = allowed_ms(limits, asker.request.trigger)
    try:
        async with asyncio.timeout(None if allowed is None else allowed / 1e3):
            return await _ranked(asker, first, second)
    except (TimeoutError, EngineUnavailable):
        return Opinion(best=first)


async def _ranked(asker: Asker, first: Attempt, second: Prompt) -> Opinion:
    session = asker.request.session
    other = await asker.attempt(second, session_of(session), 0)
    if not other.has_text:
        return Opinion(best=first)
    if other.candidate == first.candidate:
        return Opinion(best=first, agreed=True)
    if not first.has_text:
        return Opinion(best=other)
    left, left_session = (
        (first.prompt, session) if first.prompt.format is Format.LEFT else (second, session_of(session))
    )
    scored = [(await _score(asker, left, left_session, attempt), attempt) for attempt in (first, other)]
    scored.sort(key=lambda entry: -entry[0])
    return Opinion(
        best=scored[0][1], agreed=False, scores=tuple((attempt.candidate.text, score) for score, attempt in scored)
    )


def session_of(session: str) -> str:
    """The name of the session that second prompts have."""
    return f"{session}#second"


async def _score(asker: Asker, left: Prompt, session: str, attempt: Attempt) -> float:
    """The logarithm of how probable an answer and what follows are, the latter weighted."""
    text = attempt.candidate.text
    after = asker.request.snapshot.text[asker.request.cursor + attempt.candidate.replace_right :]
    following = _first_lines(after)
    n_answer = len(text.encode()) + 1  # its line end belongs to it
    scored = await asker.score(left, session, text + following)
    answer = sum(logprob for begins, logprob in scored if begins < n_answer)
    return answer + _FOLLOWING_WEIGHT * sum(logprob for begins, logprob in scored if begins >= n_answer)


def _first_lines(after: str) -> str:
    """The rest of the cursor's line, and the first lines below it that are not blank."""
    rest, *below = after[: _FOLLOWING_CHARACTERS * 4].split("\n")
    lines = [line for line in below if line.strip()][:_FOLLOWING_LINES]
    return "\n".join([rest, *lines])[:_FOLLOWING_CHARACTERS] + "\n"
