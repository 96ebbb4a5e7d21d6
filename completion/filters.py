"""What is done to a raw generation before it is shown: a tuple of small pure functions, in order.

Each takes the candidate and its request and gives a candidate back, perhaps an empty one; the pipeline
records which of them changed something, and the user can see it in `midfill/status`.

Rules: pure; a filter never invents text, it only cuts, converts line ends and indentation, or widens the
range that is replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from completion.types import CompletionRequest

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(_OPENERS.values())
_QUOTES = frozenset("\"'`")
# A line said this often in a row is a loop, not code.
_MAX_SAME_LINES = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text to insert at the cursor, and how many characters after the cursor it replaces."""

    text: str
    replace_right: int = 0


Filter = Callable[[Candidate, CompletionRequest], Candidate]


def line_ends(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Use the document's own line ends."""
    plain = candidate.text.replace("\r\n", "\n").replace("\r", "\n")
    return replace(candidate, text=plain.replace("\n", "\r\n") if "\r\n" in request.snapshot.text else plain)


def trailing_blanks(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop blanks and empty lines at the end."""
    return replace(candidate, text=candidate.text.rstrip())


def repetition(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut where the same line comes the third time in a row: models fall into loops."""
    lines = candidate.text.split("\n")
    for index in range(len(lines) - _MAX_SAME_LINES + 1):
        run = {line.strip() for line in lines[index : index + _MAX_SAME_LINES]}
        if len(run) == 1 and run != {""}:
            return replace(candidate, text="\n".join(lines[: index + 1]))
    return candidate


def repeats_next_line(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a suggestion that only says what the following lines say already."""
    text, cursor = request.snapshot.text, request.cursor
    typed = text[text.rfind("\n", 0, cursor) + 1 : cursor]
    suggested = [line.strip() for line in (typed + candidate.text).split("\n") if line.strip()]
    below = [line.strip() for line in text[cursor:].split("\n")[1 : 4 * len(suggested) + 4] if line.strip()]
    repeats = bool(suggested) and suggested == below[: len(suggested)]
    return Candidate("") if repeats else candidate


def suffix_overlap(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """`f(▮)` completed with `x)`: let the suggestion replace the closers it brings itself.

    Replacing what stands right of the cursor, rather than cutting the suggestion, is right also when the
    suggestion goes on after the closer: `def f(▮)` completed with `self):`.
    """
    rest = request.snapshot.text[request.cursor :].split("\n", 1)[0].rstrip()
    if not rest or not candidate.text:
        return candidate
    if candidate.text.endswith(rest) and not set(rest) <= _CLOSERS:
        return replace(candidate, replace_right=len(rest))
    unmatched = _unmatched_closers(candidate.text)
    taken = 0
    while taken < min(len(rest), len(unmatched)) and rest[taken] == unmatched[taken]:
        taken += 1
    if taken == 0 and rest[0] in _QUOTES and candidate.text.count(rest[0]) % 2:
        taken = 1
    # `f(▮);` completed with `x);`: what follows the closers may be said twice, too.
    tail = rest[taken:]
    if taken and tail and candidate.text.endswith(rest):
        taken = len(rest)
    return replace(candidate, replace_right=taken)


def _unmatched_closers(text: str) -> str:
    """The closing brackets of a text that no bracket in it opens, in order."""
    stack, unmatched = [], ""
    for character in text:
        if character in _OPENERS:
            stack.append(_OPENERS[character])
        elif character in _CLOSERS:
            if stack and stack[-1] == character:
                stack.pop()
            elif not stack:
                unmatched += character
    return unmatched


def indentation(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Indent later lines with tabs where the document does, and never mix the two."""
    lines = candidate.text.split("\n")
    if len(lines) == 1 or not _uses_tabs(request.snapshot.text):
        return candidate
    return replace(candidate, text="\n".join([lines[0], *(_with_tabs(line) for line in lines[1:])]))


def _uses_tabs(text: str) -> bool:
    return text.count("\n\t") > text.count("\n  ")


def _with_tabs(line: str) -> str:
    body = line.lstrip(" \t")
    width = len(line[: len(line) - len(body)].expandtabs(4))
    return "\t" * (width // 4) + " " * (width % 4) + body


FILTERS: tuple[Filter, ...] = (
    repetition,
    trailing_blanks,
    indentation,
    repeats_next_line,
    suffix_overlap,
    line_ends,
)


def apply_filters(text: str, request: CompletionRequest) -> tuple[Candidate, tuple[str, ...]]:
    """The candidate after all filters, and the names of those that changed it."""
    candidate, changed = Candidate(text), []
    for step in FILTERS:
        result = step(candidate, request)
        if result != candidate:
            changed.append(step.__name__)
        candidate = result
    return candidate, tuple(changed)
