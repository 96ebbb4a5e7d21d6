"""What an answer of a comparison is worth: how probable the model finds it, and what follows it, at the cursor.

    log p(answer | text before, text after) + w * log p(first following lines | text before, answer)

and a bonus for each name which the lines below miss and the answer binds. The first term is asked of the
fill-in-the-middle prompt, the second of the left-to-right one.

Called by `comparison`. Rules: the only effect is the engine's. Nothing is asked that the model has said or read
already, nor what cannot change which answer is best.
"""

import asyncio
import math
from typing import NamedTuple

from completion.asking import Asker, Attempt, Read
from completion.ranking.surroundings import missing_names, n_bound
from completion.types import Format, Prompt

# How far into the text that follows an answer is read at most.
MAX_FOLLOWING_CHARACTERS = 45
_FOLLOWING_WEIGHT = 2.0
_FOLLOWING_LINES = 5
# Of the probability that answers which were said leave to others: a line's end does not count to an answer's, so what
# is left may be less than nothing.
_LEAST_LEFT = 0.01
# What it is worth that a line binds a name which the lines below miss, beside them; twice for two names.
_BINDS_BONUS = 10.0


class Place(NamedTuple):
    """A prompt, and the session in which the engine keeps what it has read of it."""

    prompt: Prompt
    session: str


class Scores:
    """The scores of answers by their texts, and what is known that saves asking."""

    def __init__(self, asker: Asker, *, middle: Place, left: Place, n_following: int) -> None:
        """`middle` is the fill-in-the-middle prompt, `left` the left-to-right one; `n_following` characters of what
        follows are read."""
        self._asker, self._middle, self._left, self._n_following = asker, middle, left, n_following
        self._of = dict[str, float]()
        self._missing_names = set[str]()
        # Log-probabilities of the answers that the model said in the middle itself.
        self._said_in_middle = dict[str, float]()
        self._read_behind_left: list[Read] = []

    async def look_below(self) -> None:
        """Find the names that the lines below miss. In a thread: it reads all of the text above the cursor."""
        request = self._asker.request
        self._missing_names = set(await asyncio.to_thread(lambda: missing_names(request, called=True)))

    def note_said(self, attempt: Attempt) -> None:
        """The model said this answer: how probable it is in the prompt that it was said to need not be asked."""
        if attempt.prompt.format is Format.FIM:
            self._said_in_middle.setdefault(attempt.candidate.text, sum(attempt.logprobs()))

    def get(self, attempt: Attempt) -> float | None:
        """The score of an answer; None when it has none yet."""
        return self._of.get(attempt.candidate.text)

    async def add(self, attempt: Attempt) -> None:
        """Score an answer, unless it is."""
        if self.get(attempt) is None:
            self._of[attempt.candidate.text] = await self._score(attempt)

    async def _score(self, attempt: Attempt) -> float:
        text = attempt.candidate.text
        bonus = _BINDS_BONUS * n_bound(attempt.candidate, self._asker.request, self._missing_names)
        beside_middle = bonus + _FOLLOWING_WEIGHT * await self._of_following(attempt)
        if text in self._said_in_middle:
            return beside_middle + self._said_in_middle[text]
        # The middle finds it at most as probable as what the answers that were said leave: where that is too little to
        # be the best, it is good enough as a score.
        left_over = max(_LEAST_LEFT, 1 - sum(map(math.exp, self._said_in_middle.values())))
        most = beside_middle + math.log(left_over)
        if most <= max(self._of.values(), default=-math.inf):
            return most
        scored = await self._asker.score(self._middle.prompt, self._middle.session, text)
        return beside_middle + sum(scored.read.logprobs)

    async def _of_following(self, attempt: Attempt) -> float:
        """Log-probability of the beginning of what follows, read left to right behind the answer."""
        request, prompt, text = self._asker.request, self._left.prompt, attempt.candidate.text
        following = _first_lines(request.snapshot.text[request.cursor + attempt.candidate.replace_right :])
        end = len((text + following[: self._n_following]).encode())
        # Answers begin alike: what was read behind one is known of another, as far as they are the same.
        was_said_here = (attempt.prompt.token_ids, attempt.prompt.heal) == (prompt.token_ids, prompt.heal)
        known = [*self._read_behind_left, *([attempt.generation.read] if was_said_here else [])]
        scored = await self._asker.score(prompt, self._left.session, text + following, known, end)
        self._read_behind_left.append(scored.read)
        return scored.behind(len(text.encode()) + 1)  # the answer's line end belongs to it


def _first_lines(after: str) -> str:
    """The rest of the cursor's line, and the first lines below it that are not blank: more of them than is scored."""
    rest, *below = after[: MAX_FOLLOWING_CHARACTERS * 12].split("\n")
    lines = [line for line in below if line.strip()][:_FOLLOWING_LINES]
    return "\n".join([rest, *lines, ""])[: 3 * MAX_FOLLOWING_CHARACTERS]
