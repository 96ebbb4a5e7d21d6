"""The lines around a cursor, and what can be told from a line alone. Called by trigger, stop and filters.

Rules: pure. Nothing here walks the whole file: a 5 MB document costs a few line searches. A line is what
stands between two "\\n"; a "\\r" at its end counts as blank.
"""

import re
from collections.abc import Iterator, Sequence

from parsers.languages import BlockStyle, by_id

# Tab stops, in columns; only comparisons between lines of one document depend on it.
TAB_COLUMNS = 4
_OPENERS = {
    BlockStyle.INDENT: re.compile(r"(:|=|->|\b(where|do|of|then|else|in|struct|sig))$"),
    # The brace, or a lambda's parameters behind one: Kotlin's `{ x ->`, Swift's `{ x in`.
    BlockStyle.BRACE: re.compile(r"\{(\s*[^{}]*(->|\bin))?$"),
    # A keyword that begins a statement with an `end`, or one that ends the line just before the body.
    BlockStyle.END: re.compile(
        r"^\s*(local\s+)?(begin|case|class|def|defp|elif|else|elseif|elsif|ensure|for|function|if|macro|module"
        r"|quote|repeat|rescue|struct|try|unless|until|when|while)\b(?!.*(\bend|\bfi|\bdone|;)$)"
        r"|\b(do|then|else|begin)$|\bdo\s*\|[^|]*\|$|\bfunction\s*\([^)]*\)$|(->|\{)$"
    ),
}

_DOCSTRING_QUOTES = ('"""', "'''")
_STRING_PREFIXES = ("", "r", "R")
# What a block goes on with at the level of its header: Go's and many a C's `case`, C++'s `public:`.
_LABEL = re.compile(r"\s*(?:case\b.*|default\s*|(?:public|private|protected)\s*):")
_NUMBER_ROW = re.compile(r"[\d\s.,;xXa-fA-F+-]*\d[\d\s.,;xXa-fA-F+-]*")


def before_cursor(text: str, cursor: int) -> str:
    """The cursor's line up to the cursor."""
    return text[text.rfind("\n", 0, cursor) + 1 : cursor]


def after_cursor(text: str, cursor: int) -> str:
    """The cursor's line from the cursor on, without its line end."""
    end = text.find("\n", cursor)
    return text[cursor : end if end >= 0 else len(text)].rstrip("\r")


def line_above(text: str, cursor: int) -> tuple[str, int]:
    """The nearest line above the cursor's that is not blank, and where it ends; ("", 0) when there is none."""
    end = text.rfind("\n", 0, cursor)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        if line := text[start:end].rstrip():
            return line, start + len(line)
        end = start - 1
    return "", 0


def header_above(text: str, cursor: int, language: str) -> tuple[str, int]:
    """The nearest line of code above the cursor's, and where it ends; ("", 0) when there is none.

    Comments do not count, nor does a docstring: what stands above that is the header it belongs to.
    """
    row = by_id(language)
    line, end = line_above(text, cursor)
    while row.line_comment is not None and line.lstrip().startswith(row.line_comment):
        line, end = line_above(text, text.rfind("\n", 0, end) + 1)
    quotes = line[-3:]
    if row.block_style is not BlockStyle.INDENT or quotes not in _DOCSTRING_QUOTES:
        return line, end
    begin = text.rfind(quotes, 0, end - 3)
    before = before_cursor(text, max(0, begin))
    return line_above(text, begin) if begin >= 0 and before.strip() in _STRING_PREFIXES else (line, end)


def lines_above(text: str, cursor: int) -> Iterator[str]:
    """The lines above the cursor's that are not blank, the nearest first, without blanks at their ends."""
    line, end = line_above(text, cursor)
    while line:
        yield line
        line, end = line_above(text, end)


def lines_below(text: str, cursor: int) -> Iterator[str]:
    """The lines below the cursor's that are not blank, without blanks at their ends."""
    end = text.find("\n", cursor)
    while end >= 0:
        start = end + 1
        end = text.find("\n", start)
        if line := text[start : end if end >= 0 else len(text)].rstrip():
            yield line


def same_ends(a: Sequence[object], b: Sequence[object]) -> tuple[int, int]:
    """How many items two sequences begin with in common, and how many of the others they end with in common."""
    n_least = min(len(a), len(b))
    n_first = next((n for n in range(n_least) if a[n] != b[n]), n_least)
    return n_first, next((n for n in range(n_least - n_first) if a[-1 - n] != b[-1 - n]), n_least - n_first)


def indentation(line: str) -> str:
    """The blanks and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def columns(line: str) -> int:
    """The width of a line's indentation, in columns."""
    return len(indentation(line).expandtabs(TAB_COLUMNS))


def is_number_row(line: str) -> bool:
    """Whether a line holds nothing but numbers: rows of a table may be the same, one below the other."""
    return _NUMBER_ROW.fullmatch(line) is not None


def is_label_of(line: str, header: str) -> bool:
    """Whether a line is a label in the block that a header opens with a brace, at the header's own level."""
    is_beside = header.rstrip().endswith("{") and columns(line) == columns(header)
    return is_beside and _LABEL.match(line) is not None


def opens_block(line: str, style: BlockStyle) -> bool:
    """Whether a line of code, its comment cut off, is the header of a block whose body comes below."""
    opener = _OPENERS.get(style)
    return opener is not None and opener.search(line.rstrip()) is not None
