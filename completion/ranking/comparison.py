"""A second opinion for who asks: where the model was not sure, ask in the other prompt format, and rank all answers.

A small model often ignores the text after the cursor in fill-in-the-middle prompts, and cannot know it in left-to-right
ones. Of several answers the best one is that which is most probable in the middle, and makes the lines that follow most
probable, read left to right:

    log p(answer | text before, text after) + w * log p(first following lines | text before, answer)

Called by the pipeline, and by nobody else. Rules: never makes an answer later than its time allows: what is not done by
then is given up, and the best of what has been compared stands. What cannot well stand there gives way, and what the
lines below need is tried as well (`surroundings`). Weight and threshold were chosen on one half of HumanEval-Infilling
and on real lines (evals/LOG.md).
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from completion.asking import Asker, Attempt, Read, session_for
from completion.code.lines import before_cursor, indentation
from completion.ranking.surroundings import ending, fits, misfits, missing_names, n_bound, openings
from completion.switches import Switch
from completion.types import EngineUnavailable, Format, Limits, Mode, Prompt, PromptSpec, Trigger

# Unsure: some token of the answer had less than this.
_SURE_LOGPROB = -0.15
_FOLLOWING_WEIGHT = 2.0
# Of what follows, so many characters: with little time more answers serve better than more of what follows.
_FOLLOWING_IN_TIME, _FOLLOWING_CHARACTERS = 32, 45
_FOLLOWING_LINES = 5
_LEAST_LEFT = 0.01  # of the probability: the line's end does not count to it, so what is left may be less than nothing
# What it is worth that a line binds a name which the lines below miss, beside them; twice for two names.
_BINDS_BONUS = 10.0
# Somebody who asks gets several answers to choose from.
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
    return None if None in (spec.fim_prefix, spec.fim_suffix, spec.fim_middle) else Format.FIM


def is_wanted(spec: PromptSpec, limits: Limits, asker: Asker, first: Attempt) -> bool:
    """Whether a second opinion is worth its time: for a line with text behind it, where the first answer is unsure."""
    request = asker.request
    if request.trigger is not Trigger.INVOKED or limits.rank_ms == 0 or Switch.RANKING in request.without:
        return False
    if asker.rule.mode is not Mode.LINE or other_format(spec, first.prompt.format) is None:
        return False
    if first.generation.timed_out:
        return False
    if not first.has_text or not fits(first.candidate, request):
        return True
    is_sure = first.least_logprob() >= _SURE_LOGPROB
    return not is_sure and bool(request.snapshot.text[request.cursor :].strip())


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
    """The first answer and others to its prompt, for somebody who asks; what is not done in time is cut short."""
    prompt = replace(first.prompt, n_candidates=N_INVOKED)
    try:
        others = await asker.attempts(
            prompt,
            session_for(prompt, asker.request),
            limits.rank_ms,
            opening=_lead(asker, first),
        )
    except EngineUnavailable:
        others = []
    return different([first, *others])


async def second_opinion(
    asker: Asker, first: Attempt, second: Prompt, limits: Limits, on_found: Callable[[Attempt], None]
) -> Opinion:
    """Ask with the second prompt, and rank; without time, or an engine, what there is by then is ranked.

    `on_found` hears of the best so far whenever there are more.
    """
    n_following = _FOLLOWING_CHARACTERS if limits.rank_ms is None else _FOLLOWING_IN_TIME
    compared = _Comparison(asker, first, second, n_following, on_found)
    try:
        async with asyncio.timeout(None if limits.rank_ms is None else limits.rank_ms / 1e3):
            await compared.run()
    except (TimeoutError, EngineUnavailable):
        pass
    ranked, scores = compared.ranked()
    return Opinion(ranked=ranked, scores=scores)


class _Comparison:
    """What has been found and scored so far: kept here, so that it counts when the time is up."""

    def __init__(
        self, asker: Asker, first: Attempt, second: Prompt, n_following: int, on_found: Callable[[Attempt], None]
    ) -> None:
        self._asker, self._first, self._second, self._on_found = asker, first, second, on_found
        self._second_session = session_of(asker.request.session)
        asked = [(first.prompt, asker.request.session), (second, self._second_session)]
        if first.prompt.format is Format.LEFT:
            asked.reverse()
        (self._fim, self._fim_session), (self._left, self._left_session) = asked
        self._n_following = n_following
        self._missing = set[str]()
        self._lead = _lead(asker, first)
        self._found, self._scores = different([first]), dict[str, float]()
        self._known: list[Read] = []  # behind the left-to-right prompt
        self._named = dict[str, float]()  # how probable answers are in the middle, of those that were said there
        self._name(first)
        self._opened = set[str]()

    async def run(self) -> None:
        """Find answers and score them, those first that are the likeliest to be right: time may not suffice for all."""
        request, first = self._asker.request, self._first
        # In threads, here and below: these read all of the text above the cursor.
        self._missing = set(await asyncio.to_thread(lambda: missing_names(request, called=True)))
        is_fit = self._is_fit(first)
        # Where it says nothing, others from the same prompt are there soonest, and somebody looks at an empty line.
        is_near = first.prompt.format is Format.FIM and (is_fit or not first.has_text)
        if is_near:
            await self._ask(self._fim, self._fim_session, _N_NEAR)
        if not is_fit:  # the second prompt often has the same answer
            await self._ask_opened(ending(request))
        other = await self._other()
        await self._add([other])
        found = [it.candidate for it in self._found]
        await self._ask_opened(await asyncio.to_thread(openings, request, found))
        if not is_near:
            await self._ask(self._fim, self._fim_session, _N_NEAR)
        await self._compare_misfits()
        await self._ask(self._left, self._left_session, N_INVOKED)
        await self._ask(self._fim, self._fim_session, _N_FAR)

    async def _ask_opened(self, beginnings: Sequence[str]) -> None:
        for opening in beginnings:
            if opening not in self._opened:
                self._opened.add(opening)
                # What is assigned is less certain than what is looped over.
                await self._ask(self._left, self._left_session, _N_OPENING if opening.endswith("=") else 1, opening)

    async def _other(self) -> Attempt:
        """The best answer to the second prompt. One decodes much faster than three: it guesses ahead."""
        (other,) = await self._asker.attempts(self._second, self._second_session, None, opening=self._lead)
        self._name(other)
        return other

    async def _ask(self, prompt: Prompt, session: str, n: int, opening: str | None = None) -> None:
        """Compare n more answers to a prompt; they begin with `opening`, or with the first answer's indentation."""
        opening = self._lead if opening is None else opening
        attempts = await self._asker.attempts(replace(prompt, n_candidates=n), session, None, opening=opening)
        for attempt in attempts:
            self._name(attempt)
        # What says no more than it was made to begin with says nothing: `key =`.
        await self._add([attempt for attempt in attempts if attempt.candidate.text.strip() != opening.strip()])

    def _name(self, attempt: Attempt) -> None:
        if attempt.prompt.format is Format.FIM:
            self._named.setdefault(attempt.candidate.text, sum(attempt.logprobs()))

    def ranked(self) -> tuple[tuple[Attempt, ...], tuple[float | None, ...]]:
        """All answers, and their scores: what fits comes first, and of that what was compared, the best first."""

        def place(attempt: Attempt) -> tuple[bool, bool, float]:
            score = self._scores.get(attempt.candidate.text)
            return not self._is_fit(attempt), score is None, -(score or 0.0)

        ranked = tuple(sorted(self._found, key=place))
        return ranked, tuple(self._scores.get(attempt.candidate.text) for attempt in ranked)

    async def _add(self, attempts: Sequence[Attempt]) -> None:
        """What cannot well stand there is compared with nothing else, and chosen only where there is nothing else."""
        self._found = different([*self._found, *attempts])
        self._on_found(self.ranked()[0][0])
        await self._compare([attempt for attempt in self._found if self._is_fit(attempt)])

    async def _compare_misfits(self) -> None:
        """Where nothing else was found."""
        if not any(map(self._is_fit, self._found)):
            await self._compare(self._found)

    async def _compare(self, attempts: Sequence[Attempt]) -> None:
        """Score those that are not yet, where there are several."""
        if len(attempts) > 1:
            for attempt in attempts:
                if attempt.candidate.text not in self._scores:
                    self._scores[attempt.candidate.text] = await self._score(attempt)

    def _is_fit(self, attempt: Attempt) -> bool:
        return attempt.has_text and fits(attempt.candidate, self._asker.request)

    async def _score(self, attempt: Attempt) -> float:
        """How probable an answer is in the middle, and, weighted, what follows behind it; and what it is worth that it
        binds what is missing."""
        text = attempt.candidate.text
        bonus = _BINDS_BONUS * n_bound(attempt.candidate, self._asker.request, self._missing)
        score = bonus + _FOLLOWING_WEIGHT * await self._following(attempt)
        if text in self._named:
            return score + self._named[text]
        # Not more probable than what is left beside those that were said: if that is too little, no more is asked.
        most = score + math.log(max(_LEAST_LEFT, 1 - sum(map(math.exp, self._named.values()))))
        if most <= max(self._scores.values(), default=-math.inf):
            return most
        scored = await self._asker.score(self._fim, self._fim_session, text)
        return score + sum(scored.read.logprobs)

    async def _following(self, attempt: Attempt) -> float:
        """How probable the first of what follows is, read left to right behind the answer."""
        request, left, text = self._asker.request, self._left, attempt.candidate.text
        after = request.snapshot.text[request.cursor + attempt.candidate.replace_right :]
        said = attempt.generation.read
        is_own = (attempt.prompt.token_ids, attempt.prompt.heal) == (left.token_ids, left.heal)
        below = _first_lines(after)
        until = len((text + below[: self._n_following]).encode())
        known = [*self._known, said] if is_own else self._known  # answers begin alike
        scored = await self._asker.score(left, self._left_session, text + below, known, until)
        self._known.append(scored.read)
        return scored.behind(len(text.encode()) + 1)  # its line end belongs to it


def _lead(asker: Asker, first: Attempt) -> str:
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


def _first_lines(after: str) -> str:
    """The rest of the cursor's line, and the first lines below it that are not blank: more of them than is scored."""
    rest, *below = after[: _FOLLOWING_CHARACTERS * 12].split("\n")
    lines = [line for line in below if line.strip()][:_FOLLOWING_LINES]
    return "\n".join([rest, *lines, ""])[: 3 * _FOLLOWING_CHARACTERS]
