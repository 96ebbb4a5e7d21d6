"""Which part of the file the model sees: whole lines above the cursor, the current line, the text after it.

The whole file when it fits. Else the start of the window stands at a multiple of a quarter of the budget,
counted in characters from the top of the file: it moves in large steps, and a keystroke leaves every token
before the current line as it was, so that the KV of the prompt's beginning stays valid. No state is needed
for that: the start is a function of the text above and the budget.

Rules: pure. The cost follows the budget, not the file: only lines near the cursor are tokenized, from the
cursor outwards, so that a 5 MB file costs what a small one does. Called by prompt.
"""

import itertools
from dataclasses import dataclass

from completion.prompt.segments import SegmentCache, segments

# Tokens kept free for the current line, so that its length does not move the window while it is typed.
_LINE_TOKENS = 256
# Code runs at 3 to 4 characters a token; above this many characters a token, a line is data, not code.
_MAX_CHARACTERS_PER_TOKEN = 12
_STEP_CHARACTERS_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class PromptWindow:
    """Token ids of the lines above, of the current line's text before the cursor, of the text after it.

    `cuts` are the indices in `above` where a line begins.
    """

    above: list[int]
    line: list[int]
    after: list[int]
    cuts: tuple[int, ...] = ()


def split(window: PromptWindow, n_lines: int) -> tuple[PromptWindow, list[int]]:
    """The window without the last lines above, blank ones not counted, and their ids: all where there are no more."""
    first = max(0, len(window.cuts) - n_lines)
    cut = window.cuts[first] if first < len(window.cuts) else len(window.above)
    return PromptWindow(window.above[:cut], window.line, window.after, window.cuts[:first]), window.above[cut:]


def choose_window(text: str, cursor: int, budget: int, suffix_share: float, cache: SegmentCache) -> PromptWindow:
    """Fit a window of at most `budget` tokens around `cursor`; `suffix_share` 0 leaves out the text after it.

    What the text after the cursor does not need of its share goes to the lines above.
    """
    if budget <= 0:
        return PromptWindow([], [], [])
    line_budget = min(_LINE_TOKENS, budget // 4)
    line_start = text.rfind("\n", 0, cursor) + 1
    line = _line(text[line_start:cursor], line_budget, cache)
    after_budget = min(int(budget * suffix_share), budget - line_budget)
    after = _after(text, cursor, after_budget, line_budget, cache)
    # The step must not follow what the suffix leaves over, or moving the cursor would move the start.
    step = max(1, int((budget - line_budget) * _STEP_CHARACTERS_PER_TOKEN / 4))
    above = _above(text, line_start, budget - line_budget - len(after), step, cache)
    cuts = tuple(itertools.accumulate((len(ids) for ids in above[:-1]), initial=0)) if above else ()
    return PromptWindow([token_id for ids in above for token_id in ids], line, after, cuts)


def _line(line: str, budget: int, cache: SegmentCache) -> list[int]:
    """Token ids of the end of a line, which may be a megabyte long; its start, too, moves in quarters."""
    start = _next_multiple(len(line) - budget * _MAX_CHARACTERS_PER_TOKEN, budget * _MAX_CHARACTERS_PER_TOKEN // 4)
    ids = cache.segment(line[start:]) if start < len(line) else ()
    return list(ids[_next_multiple(len(ids) - budget, budget // 4) :])


def _after(text: str, cursor: int, budget: int, line_budget: int, cache: SegmentCache) -> list[int]:
    """Token ids of what follows the cursor: the rest of its line, then whole lines while they fit."""
    reach = cursor + budget * _MAX_CHARACTERS_PER_TOKEN
    if reach < len(text):  # at a line end, when there is one
        reach = text.rfind("\n", cursor, reach) + 1 or reach
    ids: list[int] = []
    for index, segment in enumerate(segments(text[cursor:reach])):
        new = cache.segment(segment)
        if index == 0 and len(new) > min(budget, line_budget):
            return list(new[: min(budget, line_budget)])
        if len(ids) + len(new) > budget:
            break
        ids += new
    return ids


def _above(text: str, end: int, budget: int, step: int, cache: SegmentCache) -> list[tuple[int, ...]]:
    """Token ids of the last lines of text[:end] that fit, from the first line at or after a multiple of `step`."""
    begin = max(0, end - max(0, budget) * _MAX_CHARACTERS_PER_TOKEN)
    if begin:
        begin = text.find("\n", begin, end) + 1 or end
    chosen: list[tuple[int, tuple[int, ...]]] = []  # from the cursor upwards: where a segment starts, its ids
    start, n_tokens = end, 0
    for segment in reversed(list(segments(text[begin:end]))):
        ids = cache.segment(segment)
        n_tokens += len(ids)
        if n_tokens > budget:
            break
        start -= len(segment)
        chosen.append((start, ids))
    # Where one line is longer than a step there may be no line behind the multiple: then whatever fits.
    stepped = _next_multiple(start, step)
    kept = [ids for at, ids in chosen if at >= stepped] or [ids for _, ids in chosen]
    return kept[::-1]


def _next_multiple(value: int, step: int) -> int:
    """The smallest multiple of `step` that is not below `value`; 0 for values up to 0."""
    step = max(1, step)
    return -(-max(0, value) // step) * step
