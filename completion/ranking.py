"""A second opinion: where the model was not sure of its answer, ask in the other prompt format, and rank all answers.

A small model often ignores the text after the cursor in fill-in-the-middle prompts, and cannot know it in left-to-right
ones. Of several answers the best one is that which makes itself and the lines that follow most probable, read left to
right:

    log p(answer) + w * log p(first following lines)

Called by the pipeline, and by nobody else. Rules: never makes an answer later than its time allows: what is not done by
then is given up, and the best of what has been compared stands. A comment gives way to code. The weight and the
threshold are chosen on one half of HumanEval-Infilling and on real lines (evals/LOG.md).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from completion.asking import Asker, Attempt
from completion.types import EngineUnavailable, Format, Limits, Mode, Prompt, PromptSpec, Trigger
from parsers.languages import by_id

# Unsure: some token of the answer had less than this.
_SURE_LOGPROB = -0.15
_FOLLOWING_WEIGHT = 1.0
_FOLLOWING_LINES, _FOLLOWING_CHARACTERS = 2, 200
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


async def second_opinion(asker: Asker, first: Sequence[Attempt], second: Prompt, limits: Limits) -> Opinion:
    """Ask with the second prompt, and rank; without time, or an engine, what there is by then is ranked."""
    allowed = allowed_ms(limits, asker.request.trigger)
    found, scores = different(first), list[float]()
    agreed: bool | None = None
    try:
        async with asyncio.timeout(None if allowed is None else allowed / 1e3):
            others = await asker.attempts(replace(second, n_candidates=_N_SECOND), session_of(asker.request.session), 0)
            agreed = others[0].candidate == first[0].candidate
            # The favorites of both prompts first: time may not suffice for all.
            found = different([*first[:1], *others[:1], *first[1:], *others[1:]])
            if len(found) > 1 and not (agreed and asker.request.trigger is Trigger.AUTOMATIC):
                await _score_all(asker, first[0].prompt, second, found, scores)
    except (TimeoutError, EngineUnavailable):
        pass
    if not scores:
        return Opinion(ranked=tuple(found), agreed=agreed)
    order = sorted(range(len(scores)), key=lambda n: (_is_comment(asker, found[n]), -scores[n]))
    ranked = [found[n] for n in order] + found[len(scores) :]
    best_is_shared = agreed if agreed is None else agreed and ranked[0].candidate == first[0].candidate
    return Opinion(ranked=tuple(ranked), scores=tuple(scores[n] for n in order), agreed=best_is_shared)


def different(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those with text, each text once; the first of all when there is none."""
    found: list[Attempt] = []
    for attempt in attempts:
        if attempt.has_text and all(
            attempt.candidate.text.rstrip() != other.candidate.text.rstrip() for other in found
        ):
            found.append(attempt)
    return found or list(attempts[:1])


async def _score_all(
    asker: Asker, first: Prompt, second: Prompt, found: Sequence[Attempt], scores: list[float]
) -> None:
    """Append the scores of the answers, in order; read left to right, in the session of the left-to-right prompt."""
    session = asker.request.session
    left, session = (first, session) if first.format is Format.LEFT else (second, session_of(session))
    for attempt in found:
        scores.append(await _score(asker, left, session, attempt))


def _is_comment(asker: Asker, attempt: Attempt) -> bool:
    """Whether an answer is a line of comment and no more."""
    marker = by_id(asker.request.snapshot.language).line_comment
    return marker is not None and attempt.candidate.text.lstrip().startswith(marker)


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
