"""Cuts a suggestion where it says what the block around has already: a function, a class, a test's title, an import.

Small models copy what they see: the header of the next test but one, to the letter. No program has such a thing twice,
and one who takes it has a name to change in a place that she did not write. Filter.

- The same is a whole line, with its indentation and with the decorator or attribute above it: `#[cfg(unix)]` and
  `#[cfg(windows)]` may head the same function.
- The block ends at a line that is indented less. Directives of C end it, too: what stands in `#else` is the other one.

Rules: pure, by lines. A header must open a block, so declarations and forward references are left alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from completion.candidate import Candidate
from completion.code.lines import before_cursor, columns, lines_above, lines_below, opens_block
from completion.filters.loops import DEFINITION
from completion.types import CompletionRequest
from parsers.languages import BlockStyle, by_id

# A test has its title as the first argument of a call: words, not a key.
_TITLED = re.compile(r"\s*[\w.]+\(\s*([\"'`])(?:(?!\1).)*\s(?:(?!\1).)*\1.*")
_IMPORT = re.compile(r"\s*(?:import\s.*[\w\"';*)]|from\s+\S+\s+import\s.*\w|use\s.*;|using\s.*;|#\s*include\s.*[>\"])")
_IMPORTED = re.compile(r"\s*(?:[\w.]+\s+)?\"[^\"]+\"")  # in Go's parentheses
_MARKED = re.compile(r"\s*(?:@|#\[|\[\w)")
_DIRECTIVE = re.compile(r"\s*#\s*(?:if|ifdef|ifndef|elif|else|endif)\b")
# So many lines on each side are looked through.
_MAX_LINES = 1_000


def defined_already(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Keep what comes before the first header that stands in the same block already."""
    style = by_id(request.snapshot.language).block_style
    text, cursor = request.snapshot.text, request.cursor
    typed = before_cursor(text, cursor)
    said = (typed + candidate.text).split("\n")
    for number, line in enumerate(said):
        if not (_is_header(line, style) or _IMPORT.fullmatch(line.rstrip()) or _IMPORTED.fullmatch(line.rstrip())):
            continue
        above = [*reversed(said[:number]), *islice(lines_above(text, cursor), _MAX_LINES)]
        if _IMPORTED.fullmatch(line.rstrip()) and not _is_in_import(line, above):
            continue
        below = [*said[number + 1 :], *islice(lines_below(text, cursor), _MAX_LINES)]
        header, mark = line.rstrip(), _mark_of(above)
        if _stands(header, mark, below, is_below=True) or _stands(header, mark, above, is_below=False):
            kept = "\n".join(said[:number])[len(typed) :].rstrip() if number else ""
            return replace(candidate, text=kept)
    return candidate


def _is_header(line: str, style: BlockStyle) -> bool:
    return opens_block(line, style) and bool(DEFINITION.fullmatch(line) or _TITLED.fullmatch(line))


def _is_in_import(line: str, above: Sequence[str]) -> bool:
    opener = next((other for other in above if other.strip() and columns(other) < columns(line)), "")
    return opener.startswith("import (")


def _mark_of(above: Iterable[str]) -> str:
    """The line above if it is a decorator or an attribute."""
    line = next((line for line in above if line.strip()), "")
    return line.strip() if _MARKED.match(line) else ""


def _stands(header: str, mark: str, lines: Sequence[str], *, is_below: bool) -> bool:
    """Whether one of the lines, the nearest first, is that header with that mark, before the block ends."""
    level, before = columns(header), ""
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if columns(line) < level or _DIRECTIVE.match(line):
            return False
        if line.rstrip() == header:
            above = [before] if is_below else lines[number + 1 :]
            if _mark_of(above) == mark:
                return True
        before = line
    return False
