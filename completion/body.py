"""A function whose body is missing: where it begins, and whether the cursor stands in it.

Called by `prompt` and the pipeline.

Rules: pure. A function's beginning takes in what stands right above it, down to the last blank line: comments that say
what it does, decorators.
"""

import re

from completion.lines import before_cursor, columns, header_above
from completion.trigger import opens_empty_block
from completion.types import CompletionRequest
from parsers.parse import byte_offset
from parsers.scope import enclosing_definition

# Node types of definitions that are no functions, in any grammar.
_NO_FUNCTION = re.compile(
    r"class|struct|enum|union|interface|trait|impl|module|namespace|object|type|record|table|message|service|instance"
)
# Lines above the cursor in which a function may have begun whose body is still missing.
_NEAR_LINES = 60


def missing_body(request: CompletionRequest) -> int | None:
    """Where the function begins (offset of a line) in whose empty body the cursor stands; None where it does not."""
    return function_begun(request) if opens_empty_block(request) else None


def function_begun(request: CompletionRequest) -> int | None:
    """Where the function begins whose header stands right above the cursor, but for a docstring or comments.

    None where there is none, or where something else of it stands there already.
    """
    text, tree = request.snapshot.text, request.snapshot.tree
    header, end = header_above(text, request.cursor, request.snapshot.language)
    if not header:
        return None
    span = enclosing_definition(tree, byte_offset(text, request.cursor))
    if span is None or _NO_FUNCTION.search(span.kind):
        return None
    begin = len(tree.source[: span.start_byte].decode("utf-8", "replace"))
    line_start = text.rfind("\n", 0, begin) + 1
    # A loop in the function has a header of its own, further in.
    if (
        end < begin
        or columns(header) != columns(before_cursor(text, begin) + "x")
        or _n_lines(text, begin, end) > _NEAR_LINES
    ):
        return None
    return _paragraph(text, line_start)


def _paragraph(text: str, line_start: int) -> int:
    """Where the lines begin that stand right above a line, at its indentation, with no blank line between."""
    width = columns(text[line_start : line_start + 200].split("\n")[0])
    while line_start > 0:
        above = text.rfind("\n", 0, line_start - 1) + 1
        line = text[above : line_start - 1]
        if not line.strip() or columns(line) < width:
            break
        line_start = above
    return line_start


def _n_lines(text: str, begin: int, end: int) -> int:
    return text.count("\n", begin, end)
