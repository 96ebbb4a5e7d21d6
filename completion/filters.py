"""What is done to a raw generation before it is shown: a tuple of small pure functions, in order.

Each takes the candidate and its request and gives a candidate back, perhaps an empty one; the pipeline
records which of them changed something, and the user can see it in `midfill/status`.

Rules: pure; a filter never invents text, it only cuts, converts line ends and indentation, or widens the
range that is replaced.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from completion.lines import TAB_COLUMNS, after_cursor, before_cursor, columns, line_above, lines_below
from completion.types import CompletionRequest, FilterStep

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(_OPENERS.values())
_QUOTES = frozenset("\"'`")
# A line said this often in a row is a loop, not code.
_MAX_SAME_LINES = 3
# How far around the cursor to look for the document's way of indenting, in characters on each side.
_SURROUNDINGS = 10_000
_SPACES_AT_LINE_START = re.compile(r"^ +(?=\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text to insert at the cursor, and how many characters after the cursor it replaces."""

    text: str
    replace_right: int = 0


Filter = Callable[[Candidate, CompletionRequest], Candidate]


def repetition(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut where the same line comes the third time in a row: models fall into loops.

    Lines are the same with their indentation: three closing braces in a row are code.
    """
    typed = before_cursor(request.snapshot.text, request.cursor)
    lines = (typed + candidate.text).split("\n")
    for index in range(len(lines) - _MAX_SAME_LINES + 1):
        run = {line.rstrip() for line in lines[index : index + _MAX_SAME_LINES]}
        if len(run) == 1 and run != {""}:
            return replace(candidate, text="\n".join(lines[: index + 1])[len(typed) :])
    return candidate


def trailing_blanks(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop blanks and empty lines at the end."""
    return replace(candidate, text=candidate.text.rstrip())


def doubled_indentation(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop the indentation of the first line when it was typed already and the model said it again.

    Kept right below a header or an open bracket of the same indentation, where the line belongs deeper.
    """
    text = request.snapshot.text
    typed = before_cursor(text, request.cursor)
    if not typed or typed.strip() or not candidate.text.startswith(typed):
        return candidate
    above, _ = line_above(text, request.cursor)
    deeper = above.endswith((":", "{", "(", "[", ",", "=", "->", "do", "then")) and columns(typed) <= columns(above)
    return candidate if deeper else replace(candidate, text=candidate.text.lstrip(" \t"))


def indentation(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Indent the lines after the first as the document does, with tabs or with spaces."""
    first, *rest = candidate.text.split("\n")
    text, cursor = request.snapshot.text, request.cursor
    around = text[max(0, cursor - _SURROUNDINGS) : cursor + _SURROUNDINGS]
    spaced = [len(spaces) for spaces in _SPACES_AT_LINE_START.findall(around)]
    n_tabbed = around.count("\n\t")
    if n_tabbed > len(spaced):
        widths = [len(line) - len(line.lstrip(" ")) for line in rest if line.strip()]
        unit = TAB_COLUMNS if all(width % TAB_COLUMNS == 0 for width in widths) else 2
        rest = [_with_tabs(line, unit) for line in rest]
    elif spaced:
        unit = min((width for width in spaced if width > 1), default=TAB_COLUMNS)
        rest = [_with_spaces(line, unit) for line in rest]
    return replace(candidate, text="\n".join([first, *rest]))


def _with_tabs(line: str, unit: int) -> str:
    body = line.lstrip(" \t")
    blanks = line[: len(line) - len(body)]
    n_tabs, n_spaces = divmod(blanks.count(" "), unit)
    return "\t" * (blanks.count("\t") + n_tabs) + " " * n_spaces + body


def _with_spaces(line: str, unit: int) -> str:
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].replace("\t", " " * unit) + body


def repeats_next_line(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a suggestion that only says what the following lines say already.

    Lines without a letter (closing brackets) count only when they are indented the same.
    """
    text, cursor = request.snapshot.text, request.cursor
    whole = before_cursor(text, cursor) + candidate.text
    suggested = [_said(line) for line in whole.split("\n") if line.strip()]
    below = [_said(line) for line, _ in zip(lines_below(text, cursor), suggested, strict=False)]
    return Candidate("") if suggested and suggested == below else candidate


def _said(line: str) -> str:
    return line.strip() if any(character.isalnum() for character in line) else line.rstrip()


def suffix_overlap(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """`f(▮)` completed with `x)`: let the suggestion replace the closers it brings itself.

    Replacing what stands right of the cursor, rather than cutting the suggestion, is right also when the
    suggestion goes on after the closer: `def f(▮)` completed with `self):`.
    """
    rest = after_cursor(request.snapshot.text, request.cursor).rstrip()
    if not rest or not candidate.text:
        return candidate
    if candidate.text.endswith(rest) and not set(rest) <= _CLOSERS:
        return replace(candidate, replace_right=len(rest))
    taken, last = 0, 0
    for at in _unmatched(candidate.text):
        if taken < len(rest) and rest[taken] == candidate.text[at]:
            taken, last = taken + 1, at
    # `f(▮) + 1` completed with `x) + 1;`: what follows the closers may be said again, too.
    if taken and rest[taken:].strip() and rest[taken:].strip() in candidate.text[last + 1 :]:
        taken = len(rest)
    return replace(candidate, replace_right=taken)


def _unmatched(text: str) -> list[int]:
    """Offsets of the closing brackets and quotes that nothing in the text opens, in order."""
    stack: list[str] = []
    unmatched = []
    odd_quotes = {quote for quote in _QUOTES if text.count(quote) % 2}
    for at, character in enumerate(text):
        if character in _OPENERS:
            stack.append(_OPENERS[character])
        elif character in _CLOSERS and stack:
            if stack[-1] == character:
                stack.pop()
        elif character in _CLOSERS or character in odd_quotes:  # of quotes, one closes what was open before
            unmatched.append(at)
    return unmatched


def line_ends(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Use the document's own line ends."""
    plain = candidate.text.replace("\r\n", "\n").replace("\r", "\n")
    return replace(candidate, text=plain.replace("\n", "\r\n") if "\r\n" in request.snapshot.text else plain)


FILTERS: tuple[Filter, ...] = (
    repetition,
    trailing_blanks,
    doubled_indentation,
    indentation,
    repeats_next_line,
    suffix_overlap,
    line_ends,
)


def apply_filters(text: str, request: CompletionRequest) -> tuple[Candidate, tuple[FilterStep, ...]]:
    """The candidate after all filters, and those that changed it, in order."""
    candidate, steps = Candidate(text), []
    for step in FILTERS:
        result = step(candidate, request)
        if result != candidate:
            steps.append(FilterStep(name=step.__name__, before=candidate.text, after=result.text))
        candidate = result
    return candidate, tuple(steps)
