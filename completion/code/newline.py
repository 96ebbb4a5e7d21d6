"""How the next line would begin in a document: its line end, its indentation. Called by the pipeline, `ahead`, filters.

Rules: pure; by the lines around the cursor, since a document may have been written by several people.
"""

import re
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise

from completion.code.lines import before_cursor, indentation, lines_above, lines_below, opens_block
from completion.types import CompletionRequest
from parsers.languages import by_id
from parsers.parse import parse

# Line ends on each side of the cursor that decide together.
_LINE_ENDS = 2
_ENDS = re.compile(r"\r?\n")
# Lines on each side that show how blocks are indented.
_LINES = 300
# One level where a document has none yet: what the language's own formatter, or its style guide, says.
_TAB = frozenset(("go", "make"))
_TWO = frozenset(
    (
        "javascript", "typescript", "tsx", "ruby", "dart", "elixir", "scala", "haskell", "ocaml", "html", "json",
        "yaml", "vue", "svelte", "graphql", "proto", "hcl", "nix", "r", "cmake",
    )
)  # fmt: skip


def line_end_at(text: str, cursor: int) -> str:
    """The line end that new lines at the cursor get: that of most of the lines around; if even, of the one above."""
    above = [_end(text, at) for at in _ends_above(text, cursor)]
    below = [match.group() for match in islice(_ENDS.finditer(text, cursor), _LINE_ENDS)]
    if not (found := [*above, *below]):
        return "\n"
    n_windows = found.count("\r\n")
    return found[0] if 2 * n_windows == len(found) else ("\r\n" if 2 * n_windows > len(found) else "\n")


def _ends_above(text: str, cursor: int) -> list[int]:
    found: list[int] = []
    at = text.rfind("\n", 0, cursor)
    while at >= 0 and len(found) < _LINE_ENDS:
        found.append(at)
        at = text.rfind("\n", 0, at)
    return found


def _end(text: str, at: int) -> str:
    return "\r\n" if text[at - 1 : at] == "\r" else "\n"


def unit_at(text: str, cursor: int, language: str) -> str:
    """One level of indentation, as most of the blocks around the cursor have it."""
    style = by_id(language).block_style
    near = [*reversed(list(islice(lines_above(text, cursor), _LINES))), before_cursor(text, cursor)]
    near += islice(lines_below(text, cursor), _LINES)
    steps = Counter(
        step
        for header, body in pairwise(near)
        if opens_block(header, style) and (step := _step(indentation(header), indentation(body)))
    )
    if not steps:  # no block whose header is known for one: any line that is deeper than one that has ended
        blanks = ((indentation(above), indentation(line)) for above, line in pairwise(near) if above[-1:] not in ",([")
        steps = Counter(step for outer, inner in blanks if (step := _step(outer, inner)))
    if steps:
        return steps.most_common(1)[0][0]
    return "\t" if language in _TAB else " " * (2 if language in _TWO else 4)


def _step(outer: str, inner: str) -> str:
    """What an indentation has more than the one around it; a single blank lays out text."""
    more = inner.removeprefix(outer) if inner.startswith(outer) else ""
    return "\t" if more.startswith("\t") else more if len(more) > 1 else ""


def indentation_below(text: str, cursor: int, language: str) -> str:
    """What editors begin the next line with: the indentation of this one, one level more behind a header."""
    line = before_cursor(text, cursor)
    opens = opens_block(line, by_id(language).block_style)
    return indentation(line) + (unit_at(text, cursor, language) if opens else "")


def with_typed(request: CompletionRequest, typed: str) -> CompletionRequest:
    """The request after the user has typed a text. Parses: for a worker thread."""
    old, cursor = request.snapshot, request.cursor
    text = old.text[:cursor] + typed + old.text[cursor:]
    snapshot = replace(old, text=text, tree=parse(old.language, text, old.tree))
    return replace(request, snapshot=snapshot, cursor=cursor + len(typed))
