"""Gives a suggestion the document's indentation: tabs or spaces, and right behind what is typed of it. Filters.

Rules: pure. On a line that is blank so far, what is typed and what the suggestion begins with together make the
indentation: it must be one that a line can have there.
"""

import re
from dataclasses import replace

from completion.candidate import Candidate
from completion.code.lines import TAB_COLUMNS, before_cursor, columns, indentation, line_above
from completion.types import CompletionRequest
from parsers.languages import BlockStyle, by_id

# How far around the cursor to look for the document's way of indenting, in characters on each side.
_SURROUNDINGS = 10_000
_SPACES_AT_LINE_START = re.compile(r"^ +(?=\S)", re.MULTILINE)
# What a line ends with that goes on deeper; in any language, since a deeper line is not wrong behind others.
_GOES_DEEPER = (
    ":",
    "{",
    "(",
    "[",
    ",",
    "=",
    "->",
    "=>",
    "do",
    "then",
    "else",
    "of",
    "where",
    "\\",
    ">",
    "+",
    "|",
    "&",
    ".",
)
# What a line begins with that goes on with the one above.
_CONTINUES = (".", "?.", "&&", "||", "|>")
_CLOSERS = {BlockStyle.BRACE: re.compile(r"\}"), BlockStyle.END: re.compile(r"end\b")}


def first_indentation(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Let the first line continue the indentation that is typed: whole, half of it, or too much.

    What is typed counts when a line may stand there; the suggestion's own blanks then only repeat it. If it is but a
    part of an indentation, the suggestion brings the rest.
    """
    text = request.snapshot.text
    typed = before_cursor(text, request.cursor)
    lead = indentation(candidate.text)
    if typed.strip() or not lead or candidate.text[len(lead) : len(lead) + 1] in ("", "\n", "\r"):
        return candidate
    above, end = line_above(text, request.cursor)
    total = columns(typed + lead + "x")
    if total == columns(above) > columns(typed + "x") and _goes_on_like(candidate.text[len(lead) :], above.lstrip()):
        return replace(candidate, text=_blanks(total, typed, above) + candidate.text[len(lead) :])
    if _is_deeper(above) and total > columns(above) >= columns(typed + "x"):
        return replace(candidate, text=_blanks(total, typed, above) + candidate.text[len(lead) :])
    levels = _levels(text, end) | (
        {columns(above) + _narrowest_level(text, request.cursor)} if _is_deeper(above) else set()
    )
    # Typed blanks are right if they reach a level; of none at all that is not so certain.
    if typed and columns(typed + "x") in levels:
        return replace(candidate, text=candidate.text[len(lead) :])
    nearest = max(level for level in levels if level <= total)
    if nearest < columns(typed + "x"):
        return replace(candidate, text=candidate.text[len(lead) :])
    return replace(candidate, text=_blanks(nearest, typed, above) + candidate.text[len(lead) :])


def _goes_on_like(line: str, above: str) -> bool:
    """Whether a line begins with a sign that its statement goes on with, as the one above does: a call in a chain."""
    return line.startswith(_CONTINUES) and above.startswith(_CONTINUES)


def _is_deeper(above: str) -> bool:
    return above.endswith(_GOES_DEEPER)


def _blanks(total: int, typed: str, above: str) -> str:
    """What is missing behind `typed` to an indentation of so many columns, with tabs where the line above has them."""
    if "\t" in typed or (not typed and above.startswith("\t")):
        n_tabs, n_spaces = divmod(total, TAB_COLUMNS)
        return ("\t" * n_tabs + " " * n_spaces)[len(typed) :]
    return " " * (total - columns(typed + "x"))


def _levels(text: str, end: int) -> set[int]:
    """The indentations of the line that ends at `end` and of the blocks around it, in columns."""
    levels: set[int] = {0}
    level = None
    while end > 0 and level != 0:
        start = text.rfind("\n", 0, end) + 1
        if (line := text[start:end]).strip() and (level is None or columns(line) < level):
            level = columns(line)
            levels.add(level)
        end = start - 1
    return levels


def later_indentation(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Indent the lines after the first as the document does, with tabs or with spaces."""
    first, *rest = candidate.text.split("\n")
    text, cursor = request.snapshot.text, request.cursor
    around = text[max(0, cursor - _SURROUNDINGS) : cursor + _SURROUNDINGS]
    n_spaced = len(_SPACES_AT_LINE_START.findall(around))
    n_tabbed = around.count("\n\t")
    if n_tabbed > n_spaced:
        widths = [len(line) - len(line.lstrip(" ")) for line in rest if line.strip()]
        unit = TAB_COLUMNS if all(width % TAB_COLUMNS == 0 for width in widths) else 2
        rest = [_with_tabs(line, unit) for line in rest]
    elif n_spaced:
        rest = [_with_spaces(line, _narrowest_level(text, cursor)) for line in rest]
    return replace(candidate, text="\n".join([first, *rest]))


def _narrowest_level(text: str, cursor: int) -> int:
    """Columns of one level where text comes in tabs: the narrowest indentation of more than one space near the cursor.

    (`newline.unit_at` is what an editor begins a body with, which most blocks decide.)
    """
    around = text[max(0, cursor - _SURROUNDINGS) : cursor + _SURROUNDINGS]
    widths = [len(spaces) for spaces in _SPACES_AT_LINE_START.findall(around)]
    return min((width for width in widths if width > 1), default=TAB_COLUMNS)


def misplaced_closer(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a suggestion that begins by closing a block at the indentation of its body.

    The editor moves a closer that is typed to its place; a suggestion only adds to what is typed.
    """
    text = request.snapshot.text
    typed = before_cursor(text, request.cursor)
    closer = _CLOSERS.get(by_id(request.snapshot.language).block_style)
    if typed.strip() or closer is None or not closer.match(candidate.text):
        return candidate
    above, _ = line_above(text, request.cursor)
    beside = columns(above) == columns(typed + "x") and not above.endswith(_GOES_DEEPER)
    return Candidate("") if beside and not closer.match(above.lstrip()) else candidate


def _with_tabs(line: str, unit: int) -> str:
    body = line.lstrip(" \t")
    blanks = line[: len(line) - len(body)]
    n_tabs, n_spaces = divmod(blanks.count(" "), unit)
    return "\t" * (blanks.count("\t") + n_tabs) + " " * n_spaces + body


def _with_spaces(line: str, unit: int) -> str:
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].replace("\t", " " * unit) + body
