"""Which part of the file the model sees: whole lines above the cursor, the current line, the text after it.

The whole file when it fits. Else the start of the window stands at a multiple of a quarter of the budget,
counted in characters from the top of the file: it moves in large steps, and a keystroke leaves every token
before the current line as it was, so that the KV of the prompt's beginning stays valid.

Rules: pure. The cost follows the budget, not the file: only lines near the cursor are tokenized, from the
cursor outwards, so that a 5 MB file costs what a small one does.
"""

from dataclasses import dataclass

from completion.segments import SegmentCache, segments

# Tokens kept free for the current line, so that its length does not move the window while it is typed.
_LINE_TOKENS = 256
# Code runs at 3 to 4 characters a token; above this many characters a token, a line is data, not code.
_MAX_CHARACTERS_PER_TOKEN = 12
_STEP_CHARACTERS_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids of the lines above, the current line's text before the cursor, ids of the text after it."""

    above: list[int]
    line: str
    after: list[int]


def choose_window(text: str, cursor: int, budget: int, suffix_share: float, cache: SegmentCache) -> Window:
    """Fit a window of at most `budget` tokens around `cursor`; `suffix_share` 0 leaves out the text after it.

    What the text after the cursor does not need of its share goes to the lines above.
    """
    line_budget = min(_LINE_TOKENS, budget // 4)
    line_start = text.rfind("\n", 0, cursor) + 1
    line = _fit_tail(text[line_start:cursor], line_budget, cache)
    after = _after(text[cursor:], int(budget * suffix_share), line_budget, cache) if suffix_share > 0 else []
    above = _above(text[:line_start], budget - line_budget - len(after), cache)
    return Window(above, line, after)


def _fit_tail(line: str, budget: int, cache: SegmentCache) -> str:
    """The end of a line that fits: a line may be a megabyte long."""
    line = line[-budget * _MAX_CHARACTERS_PER_TOKEN :]
    while len(cache.segment(line)) > budget if line else False:
        line = line[len(line) // 2 :]
    return line


def _after(text: str, budget: int, line_budget: int, cache: SegmentCache) -> list[int]:
    """Token ids of what follows the cursor: the rest of its line, then whole lines while they fit."""
    text = text[: budget * _MAX_CHARACTERS_PER_TOKEN]
    ids: list[int] = []
    for index, segment in enumerate(segments(text)):
        new = cache.segment(segment)
        if index == 0:
            new = new[:line_budget]
        if len(ids) + len(new) > budget:
            break
        ids += new
    return ids


def _above(text: str, budget: int, cache: SegmentCache) -> list[int]:
    """Token ids of the last lines of `text` that fit, from a start that moves in steps."""
    if budget <= 0:
        return []
    reach = budget * _MAX_CHARACTERS_PER_TOKEN
    begin = max(0, len(text) - reach)
    if begin:
        begin = text.find("\n", begin) + 1 or len(text)
    lines = list(segments(text[begin:]))
    fits, n_tokens = len(text), 0  # the lowest offset from which everything fits
    for segment in reversed(lines):
        n_tokens += len(cache.segment(segment)) if len(segment) <= reach else budget + 1
        if n_tokens > budget:
            break
        fits -= len(segment)
    if fits > 0:
        step = max(1, int(budget * _STEP_CHARACTERS_PER_TOKEN / 4))
        stepped = -(-fits // step) * step
        # The next line start at or after the step; whatever fits when one huge line hides them all.
        at = text.find("\n", max(0, stepped - 1)) + 1
        fits = at if fits <= at < len(text) else fits
    return cache.encode(text[fits:])
