"""Cuts where a model goes round in circles: lines, passages, definitions and phrases that it says again. Filters.

Rules: pure. What is compared includes the indentation: three closing braces one below the other are code. Rows of
numbers are data, and may be the same.
"""

import re
from dataclasses import replace

from completion.candidate import Candidate
from completion.code.lines import before_cursor, columns, is_number_row
from completion.types import CompletionRequest

# A line said this often in a row is a loop, not code.
_MAX_SAME_LINES = 3
# Passages of so many lines are looked for; longer ones do not fit twice into a suggestion.
_MAX_PASSAGE_LINES = 12
# A shorter passage has to come three times: two like rows of a table are data.
_MIN_PASSAGE_CHARACTERS = 80
# A phrase again and again, and a part of a word: `_token_and_token_and_token`. How often is what of real lines none
# in a thousand has (`midfill eval refusals`).
_LOOPS = (re.compile(r"(\S.{7,60}?)\1{2}"), re.compile(r"(\S.{2,6}?)\1{5}"), re.compile(r"\w*?(_\w{3,30}?)\1{2}"))
# Hexadecimal numbers and rulers are no words.
_MIN_LETTERS = 3
DEFINITION = re.compile(
    r"\s*(?!(?:if|while|for|elif|until|unless|return)\b)(?:\w+\s+)*"
    r"(?:def|func|fn|function|fun|sub|class|struct|interface)\s+(?:\([^)]*\)\s*)?\w+.*"
)


def repetition(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut where the same line comes the third time in a row, or a whole passage the second time."""
    typed = before_cursor(request.snapshot.text, request.cursor)
    lines = [line.rstrip() for line in (typed + candidate.text).split("\n")]
    n_kept = min(_until_same_line(lines), _until_same_passage(lines), _until_same_definition(lines))
    if n_kept >= len(lines):
        return candidate
    kept = "\n".join((typed + candidate.text).split("\n")[:n_kept])
    return replace(candidate, text=kept[len(typed) :])


def phrases(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a line in which a phrase is repeated without an end, what led to it, and what follows it.

    Such a line is often the last of several in which the phrase comes once more each time. Of the first line, the
    first round is kept.
    """
    lines = candidate.text.split("\n")
    for number, line in enumerate(lines):
        if (loop := _loop_in(line)) is None:
            continue
        if number == 0:
            return replace(candidate, text=line[: loop.end(1)].rstrip())
        n_kept = number
        while n_kept > 1 and loop[1] in lines[n_kept - 1]:
            n_kept -= 1
        return replace(candidate, text="\n".join(lines[:n_kept]).rstrip())
    return candidate


def _loop_in(line: str) -> re.Match[str] | None:
    return next((match for loop in _LOOPS for match in loop.finditer(line) if _has_words(match[1])), None)


def _has_words(text: str) -> bool:
    letters = {character for character in text.lower() if character.isalpha()}
    return len(letters) >= _MIN_LETTERS and not letters <= set("abcdefx")


def _until_same_line(lines: list[str]) -> int:
    """How many lines to keep so that none is said too often in a row; all of them when none is."""
    for index in range(len(lines) - _MAX_SAME_LINES + 1):
        run = set(lines[index : index + _MAX_SAME_LINES])
        if len(run) == 1 and run != {""} and not is_number_row(lines[index]):
            return index + 1
    # At the very end two are enough: where a generation was cut off, the third was on its way.
    if len(lines) > 2 and lines[-1] == lines[-2] and _has_words(lines[-1]):
        return len(lines) - 1
    return len(lines)


def _until_same_passage(lines: list[str]) -> int:
    """How many lines to keep so that no passage of two lines and more is said twice in a row."""
    for first in range(len(lines)):
        for n in range(2, min(_MAX_PASSAGE_LINES, (len(lines) - first) // 2) + 1):
            passage = lines[first : first + n]
            if passage == lines[first + n : first + 2 * n] and sum(map(_has_words, passage)) >= 2:
                said_again = passage == lines[first + 2 * n : first + 3 * n]
                if said_again or sum(map(len, passage)) >= _MIN_PASSAGE_CHARACTERS:
                    return first + n
    return len(lines)


def _until_same_definition(lines: list[str]) -> int:
    """How many lines to keep so that nothing is defined a second time, by the same line in the same block."""
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if not line:
            continue
        # Two classes may have the same method: what is defined deeper than a line is out of reach behind it.
        seen = {other for other in seen if columns(other) <= columns(line)}
        if DEFINITION.fullmatch(line):
            if line in seen:
                return number
            seen.add(line)
    return len(lines)
