"""A function whose body is missing: where it begins, and whether the cursor stands in it.

Called by `prompt` and the pipeline.

Rules: pure. A function's beginning takes in what stands right above it, down to the last blank line: comments that say
what it does, decorators.
"""

import re

from completion.code.lines import before_cursor, columns, header_above
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
    """Where the function begins (offset of a line) in whose empty body the cursor stands; None where it does not.

    A docstring and comments may stand there.
    """
    if not opens_empty_block(request) or (begin := _definition(request)) is None:
        return None
    text = request.snapshot.text
    header, end = header_above(text, request.cursor, request.snapshot.language)
    # A loop in the function has a header of its own, further in.
    is_its_header = end > begin and columns(header) == _width(text, begin)
    return _paragraph(text, begin) if is_its_header else None


def function_near(request: CompletionRequest) -> int | None:
    """Where the function begins that the cursor stands in, not far below; None where there is none."""
    begin = _definition(request)
    return None if begin is None else _paragraph(request.snapshot.text, begin)


def _definition(request: CompletionRequest) -> int | None:
    """Offset of the function around the cursor."""
    text, tree, cursor = request.snapshot.text, request.snapshot.tree, request.cursor
    if not before_cursor(text, cursor):  # not indented yet: what stands right above says where this belongs
        cursor = max(0, cursor - 1)
    span = enclosing_definition(tree, byte_offset(text, cursor))
    if span is None or _NO_FUNCTION.search(span.kind):
        return None
    begin = len(tree.source[: span.start_byte].decode("utf-8", "replace"))
    return begin if text.count("\n", begin, request.cursor) <= _NEAR_LINES else None


def _paragraph(text: str, begin: int) -> int:
    """Where the lines begin that stand right above one, at its indentation, with no blank line between; or itself."""
    start = text.rfind("\n", 0, begin) + 1
    width = _width(text, begin)
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above : start - 1]
        if not line.strip() or columns(line) < width:
            break
        start = above
    return start


def _width(text: str, begin: int) -> int:
    """Columns of the indentation of the line in which a definition begins, perhaps behind other words."""
    return columns(before_cursor(text, begin) + "x")
