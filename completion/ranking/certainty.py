"""How far a ghost goes: as long as the model is sure of all of it together, and to an end that a reader sees.

A long guess is seldom right to its end, and a wrong end costs reading. So an automatic ghost ends before the
token that takes the joint probability of its text below a threshold (ending ghosts by joint probability: tsugi), and
there at the end of a line, or of a word that stands in no string or bracket which the ghost left open, where there is
such a word.

Called by `asking`. Rules: pure. What is typed counts as certain: of a token that had to spell it only what it adds.
"""

import math
from collections.abc import Sequence

from completion.code.words import is_word_character

_QUOTES = frozenset("\"'`")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
# Signs that lead the word behind them, where no word is before them: `%d`, `&mut`, `"text`.
_LEADING = frozenset("%&@$#!~*\\\"'`")
# A ghost that was cut and shows less than this is no help: accepting it is a key, too.
_LEAST_CHARACTERS = 3


def certain_end(sure: Sequence[tuple[int, float]], least: float) -> int | None:
    """Where a text stops being certain, as an offset into it: None when all of it is.

    sure: of each token the length of the text before it and its log-probability, typed bytes given.
    least: joint probability that what is kept has at least.
    """
    joint, bound = 0.0, math.log(least) if least > 0 else -math.inf
    for begins, logprob in sure:
        joint += logprob
        if joint < bound:
            return begins
    return None


def whole(text: str, end: int, *, is_prose: bool = False) -> str:
    """What to show of a text that is known or certain up to `end` only: up to an end that a reader sees; "" for none.

    text: what the model said so far; what comes behind it is unknown. is_prose: whether the cursor stands in a comment
    or a string, where brackets and quotes say nothing.
    """
    line_end = text.rfind("\n", 0, end + 1)
    if text[: max(0, line_end)].strip():
        return text[:line_end]
    ends = [at for at in range(end, 0, -1) if _ends_word(text, at)]
    closed = ends if is_prose else [at for at in ends if not _is_open(text[:at])]
    for at in [*closed, *ends]:
        shown = text[:at].rstrip()
        if len(shown.strip()) >= _LEAST_CHARACTERS:
            return shown
    return ""


def _ends_word(text: str, at: int) -> bool:
    """Whether a word, or a sign, ends there: what comes behind must be known not to go on with it."""
    before, behind = text[at - 1], text[at : at + 1]
    if before.isspace():
        return False
    if is_word_character(before):
        return bool(behind) and not is_word_character(behind)
    goes_on = is_word_character(behind) or behind in _OPENING
    is_alone = not is_word_character(text[at - 2 : at - 1])
    return not (before in _LEADING and goes_on and is_alone)


def _is_open(text: str) -> bool:
    """Whether a text leaves a bracket or a string open that it opened itself."""
    depth, quote, escaped = 0, "", False
    for character in text:
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\"
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
    return bool(quote) or depth > 0
