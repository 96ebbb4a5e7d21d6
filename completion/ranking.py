"""A second opinion: where the model was not sure of its answer, ask in the other prompt format, and rank all answers.

A small model often ignores the text after the cursor in fill-in-the-middle prompts, and cannot know it in left-to-right
ones. Of several answers the best one is that which makes itself and the lines that follow most probable, read left to
right:

    log p(answer) + w * log p(first following lines)

Called by the pipeline, and by nobody else. Rules: never makes an answer later than its time allows: what is not done by
then is given up, and the best of what has been compared stands. What cannot well stand there gives way, and what the
lines below need is tried as well (`surroundings`). Weight and threshold were chosen on one half of HumanEval-Infilling
and on real lines (evals/LOG.md).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from completion.asking import Asker, Attempt
from completion.surroundings import misfits, openings
from completion.types import EngineUnavailable, Format, Limits, Mode, Prompt, PromptSpec, Trigger

# Unsure: some token of the answer had less than this.
_SURE_LOGPROB = -0.15
_FOLLOWING_WEIGHT = 1.0
_FOLLOWING_LINES, _FOLLOWING_CHARACTERS = 5, 300
# Somebody who asks waits this many times as long, and gets several answers to choose from.
_INVOKED_FACTOR = 5
N_INVOKED = 3
# The second prompt is the nearest text alone: it has a session of its own, and its keys and values are computed for it.
_SECOND_TOKENS = 2_048
_N_SECOND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """All answers that differ, the best first. `scores` are those of the first of them, as far as time allowed."""

    ranked: tuple[Attempt, ...]
    scores: tuple[float, ...] = ()
    agreed: bool | None = None  # whether the best was the answer to both prompts; None when only one was asked

    @property
    def best(self) -> Attempt:
        """The answer to show."""
        return self.ranked[0]


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
    if first.generation.timed_out:
        return False
    if not first.has_text or misfits(first.candidate, request):
        return True
    is_sure = first.least_logprob() >= _SURE_LOGPROB
    return not is_sure and bool(request.snapshot.text[request.cursor :].strip())


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


async def second_opinion(asker: Asker, first: Sequence[Attempt], second: Prompt, limits: Limits) -> Opinion:
    """Ask with the second prompt, and rank; without time, or an engine, what there is by then is ranked."""
    allowed = allowed_ms(limits, asker.request.trigger)
    found, scores = list(different(first)), dict[str, float]()
    agreed: bool | None = None
    try:
        async with asyncio.timeout(None if allowed is None else allowed / 1e3):
            others = await asker.attempts(replace(second, n_candidates=_N_SECOND), session_of(asker.request.session), 0)
            agreed = others[0].candidate == first[0].candidate
            if not (agreed and asker.request.trigger is Trigger.AUTOMATIC):
                # The favorites of both prompts first: time may not suffice for all.
                found = different([*first[:1], *others[:1], *first[1:], *others[1:]])
                await _compare(asker, first[0].prompt, second, found, scores)
    except (TimeoutError, EngineUnavailable):
        pass
    compared = [attempt for attempt in found if attempt.candidate.text in scores]
    compared.sort(key=lambda it: (misfits(it.candidate, asker.request), -scores[it.candidate.text]))
    ranked = (*compared, *(attempt for attempt in found if attempt not in compared))
    return Opinion(
        ranked=ranked,
        scores=tuple(scores[attempt.candidate.text] for attempt in compared),
        agreed=agreed and ranked[0].candidate == first[0].candidate,
    )


async def _compare(asker: Asker, first: Prompt, second: Prompt, found: list[Attempt], scores: dict[str, float]) -> None:
    """Score what was found, add what the lines below need, and score that; read left to right. `scores` are by text."""
    session = asker.request.session
    left, session = (first, session) if first.format is Format.LEFT else (second, session_of(session))
    beginnings = openings(asker.request, [attempt.candidate for attempt in found])
    if len(found) > 1 or beginnings:
        for attempt in filter(lambda it: it.has_text, found):
            scores[attempt.candidate.text] = await _score(asker, left, session, attempt)
    for opening in beginnings:
        (defining,) = await asker.attempts(replace(left, n_candidates=1), session, 0, opening=opening)
        if len(different([*found, defining])) > len(found):
            scores[defining.candidate.text] = await _score(asker, left, session, defining)
            found.append(defining)


def different(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those with text, each text once; the first of all when there is none."""
    found: list[Attempt] = []
    for attempt in attempts:
        if attempt.has_text and all(
            attempt.candidate.text.rstrip() != other.candidate.text.rstrip() for other in found
        ):
            found.append(attempt)
    return found or list(attempts[:1])


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
