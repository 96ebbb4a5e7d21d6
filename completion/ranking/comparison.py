"""A second opinion for invoked requests: where the model was not sure, ask in the other prompt format, and rank all.

A small model often ignores the text after the cursor in fill-in-the-middle prompts, and cannot know it in left-to-right
ones. Of several answers the best one is that which is most probable in the middle, and makes the lines that follow most
probable, read left to right (`scores`).

Called by the pipeline, and by nobody else. Rules: never makes an answer later than its time allows: what is not done by
then is given up, and the best of what has been compared stands. What cannot well stand there gives way, and what the
lines below need is tried as well (`surroundings`). Weight and threshold were chosen on one half of HumanEval-Infilling
and on real lines (evals/LOG.md).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from completion.asking import Asker, Attempt, session_for
from completion.code.lines import before_cursor, indentation
from completion.ranking.scores import MAX_FOLLOWING_CHARACTERS, Place, Scores
from completion.ranking.surroundings import ending, fits, misfits, openings
from completion.switches import Switch
from completion.types import EngineUnavailable, Format, Limits, Mode, Prompt, PromptSpec, Trigger

# Unsure: some token of the answer had less than this.
_SURE_LOGPROB = -0.15
# With little time more answers serve better than more of what follows.
_FOLLOWING_IN_TIME = 32
# An invoked request gets several answers to choose from.
N_INVOKED = 3
# Of fill-in-the-middle answers, which know what follows: before other formats where that is the model's own, and last.
_N_NEAR, _N_FAR = 3, 8
# The second prompt is the nearest text alone: it has a session of its own, and its keys and values are computed for it.
_SECOND_TOKENS = 2_048
_N_OPENING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """All answers that differ, the best first, and their scores: None where there was no time or need for one."""

    ranked: tuple[Attempt, ...]
    scores: tuple[float | None, ...] = ()

    @property
    def best(self) -> Attempt:
        """The answer to show."""
        return self.ranked[0]


def other_format(spec: PromptSpec, first: Format) -> Format | None:
    """The format beside a first one; None when the model has only one."""
    if first is Format.FIM:
        return Format.LEFT
    return Format.FIM if spec.has_fim else None


def is_wanted(spec: PromptSpec, limits: Limits, asker: Asker, first: Attempt) -> bool:
    """Whether a second opinion is worth its time: for a line with text behind it, where the first answer is unsure."""
    request = asker.request
    if request.trigger is not Trigger.INVOKED or limits.rank_ms == 0 or Switch.RANKING in request.without:
        return False
    if asker.rule.mode is not Mode.LINE or other_format(spec, first.prompt.format) is None:
        return False
    if first.generation.timed_out or _leaves_line(asker, first):
        return False
    if not first.has_text or not fits(first.candidate, request):
        return True
    is_sure = first.least_logprob() >= _SURE_LOGPROB
    return not is_sure and bool(request.snapshot.text[request.cursor :].strip())


def _leaves_line(asker: Asker, first: Attempt) -> bool:
    """Whether the answer to a request behind a finished line adds nothing to that: it says the next one, or nothing."""
    return asker.rule.may_begin_below and not first.raw.partition("\n")[0].strip()


def second_limits(limits: Limits) -> Limits:
    """The budgets of the second prompt, which has half of the time for what is not ready."""
    n_tokens = min(_SECOND_TOKENS, limits.max_prompt_tokens)
    return replace(
        limits,
        max_prompt_tokens=n_tokens,
        max_file_tokens=min(n_tokens, limits.max_file_tokens),
        deadline_ms=None if limits.rank_ms is None else max(1, int(limits.rank_ms / 2)),
    )


async def alternatives(asker: Asker, first: Attempt, limits: Limits) -> list[Attempt]:
    """The first answer and others to its prompt, for an invoked request; what is not done in time is cut short."""
    line_only = first.prompt.line_only and not _leaves_line(asker, first)  # else theirs is the next line, too
    prompt = replace(first.prompt, n_candidates=N_INVOKED, line_only=line_only)
    try:
        session = session_for(prompt, asker.request)
        others = await asker.attempts(prompt, session, limits.rank_ms, opening=_indentation_of(asker, first))
    except EngineUnavailable:
        others = []
    return different([first, *others])


async def second_opinion(
    asker: Asker,
    first: Attempt,
    second: Prompt,
    limits: Limits,
    on_found: Callable[[Attempt], None] = lambda best: None,
) -> Opinion:
    """The first answer, that to the second prompt and others, compared; `on_found` hears of the best so far."""
    n_following = MAX_FOLLOWING_CHARACTERS if limits.rank_ms is None else _FOLLOWING_IN_TIME
    comparison = _Comparison(asker, first, second, n_following, on_found)
    try:
        async with asyncio.timeout(None if limits.rank_ms is None else limits.rank_ms / 1e3):
            await comparison.run()
    except (TimeoutError, EngineUnavailable):
        pass
    return comparison.opinion()


class _Comparison:
    """The answers that have been found so far, and their scores: kept here, so that they count when the time is up."""

    def __init__(
        self, asker: Asker, first: Attempt, second: Prompt, n_following: int, on_found: Callable[[Attempt], None]
    ) -> None:
        self._asker, self._first, self._on_found = asker, first, on_found
        own = Place(first.prompt, asker.request.session)
        self._second = Place(second, session_of(asker.request.session))
        self._middle, self._left = (self._second, own) if first.prompt.format is Format.LEFT else (own, self._second)
        self._scores = Scores(asker, middle=self._middle, left=self._left, n_following=n_following)
        self._scores.note_said(first)
        self._indentation = _indentation_of(asker, first)
        self._answers = different([first])
        self._tried_openings = set[str]()

    async def run(self) -> None:
        """Find answers and score them, those first that are the likeliest to be right: time may not suffice for all."""
        await self._scores.look_below()
        first, request = self._first, self._asker.request
        first_fits = self._is_fit(first)
        # More from the prompt that was just read are there soonest. Where the first says nothing, that counts: the user
        # looks at an empty line.
        middle_comes_first = first.prompt.format is Format.FIM and (first_fits or not first.has_text)
        if middle_comes_first:
            await self._find(self._middle, _N_NEAR)
        if not first_fits:  # the second prompt often has the same answer
            await self._find_beginning_with(ending(request))
        await self._find_by_second_prompt()
        candidates = [answer.candidate for answer in self._answers]
        await self._find_beginning_with(await asyncio.to_thread(openings, request, candidates))
        if not middle_comes_first:
            await self._find(self._middle, _N_NEAR)
        if not any(map(self._is_fit, self._answers)):  # nothing better was found: of these, too, one is the best
            await self._score(self._answers)
        await self._find(self._left, N_INVOKED)
        await self._find(self._middle, _N_FAR)

    def opinion(self) -> Opinion:
        """All answers: what fits comes first, and of that what has a score, the best first."""

        def rank(answer: Attempt) -> tuple[bool, bool, float]:
            score = self._scores.get(answer)
            return not self._is_fit(answer), score is None, -(score or 0.0)

        ranked = tuple(sorted(self._answers, key=rank))
        return Opinion(ranked=ranked, scores=tuple(map(self._scores.get, ranked)))

    async def _find(self, place: Place, n: int, opening: str | None = None) -> None:
        """Compare `n` more answers; they begin with `opening`, or with the first answer's indentation."""
        opening = self._indentation if opening is None else opening
        prompt = replace(place.prompt, n_candidates=n)
        answers = await self._asker.attempts(prompt, place.session, None, opening=opening)
        for answer in answers:
            self._scores.note_said(answer)
        # What says no more than it was made to begin with says nothing: `key =`.
        await self._compare([answer for answer in answers if answer.candidate.text.strip() != opening.strip()])

    async def _find_by_second_prompt(self) -> None:
        """Compare the best answer to the second prompt. One decodes much faster than three: it guesses ahead."""
        prompt, session = self._second
        (answer,) = await self._asker.attempts(prompt, session, None, opening=self._indentation)
        self._scores.note_said(answer)
        await self._compare([answer])

    async def _find_beginning_with(self, beginnings: Sequence[str]) -> None:
        """Compare answers that are made to begin so, each beginning once."""
        for opening in beginnings:
            if opening not in self._tried_openings:
                self._tried_openings.add(opening)
                # What is assigned is less certain than what is looped over.
                await self._find(self._left, _N_OPENING if opening.endswith("=") else 1, opening)

    async def _compare(self, new: Sequence[Attempt]) -> None:
        """Take new answers in, and score what fits: nothing else is chosen where something does."""
        self._answers = different([*self._answers, *new])
        self._on_found(self.opinion().best)
        await self._score([answer for answer in self._answers if self._is_fit(answer)])

    async def _score(self, answers: Sequence[Attempt]) -> None:
        """Score those that are not yet; one alone needs no score."""
        if len(answers) > 1:
            for answer in answers:
                await self._scores.add(answer)

    def _is_fit(self, answer: Attempt) -> bool:
        return answer.has_text and fits(answer.candidate, self._asker.request)


def _indentation_of(asker: Asker, first: Attempt) -> str:
    """The indentation that an answer begins with: others are to differ in what comes behind it."""
    text, request = first.raw, asker.request
    if before_cursor(request.snapshot.text, request.cursor).strip() or misfits(first.candidate, request):
        return ""
    return indentation(text)


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
