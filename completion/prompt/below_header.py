"""Asked for at the end of a line that opens a block, the answer is the block's body, on the next line. Pipeline.

Nothing belongs behind such a line's end, so a model asked there writes a comment, or nothing. It is asked as if the
next line were begun, and the answer begins with that line end and indentation. A block that nothing closes, neither the
answer nor the lines below, is closed.

Rules: pure. Where a header's end cannot be told from the middle of a line (`import {`, Python's `x:`), it is none. An
automatic request is asked as it is: the user is about to type the next key.
"""

import re
from dataclasses import replace
from itertools import islice

from completion.code.lines import (
    after_cursor,
    before_cursor,
    columns,
    indentation,
    is_label_of,
    lines_above,
    lines_below,
)
from completion.code.newline import line_end_at, unit_at
from completion.switches import Switch
from completion.types import Alternative, Completion, CompletionRequest, FilterStep, Mode, Trigger
from parsers.languages import BlockStyle, by_id
from parsers.parse import byte_offset
from parsers.scope import CursorKind, cursor_kind

_HEADERS = {
    # Behind `import {`, `const {` and `use a::{` names go on in the same line.
    BlockStyle.BRACE: re.compile(
        r"^(?!\s*(?:import|export|const|let|var)\s*(?:type\s*)?\{$)(?!.*::\{$).*\{(?:\s*[^{}]*(?:->|\bin))?$"
        r"|^\s*(?:case\b.*|default\s*):$"
    ),
    BlockStyle.INDENT: re.compile(
        r"^\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with|match|case)\b.*:$"
    ),
    BlockStyle.END: re.compile(
        r"^\s*(?:begin|case|class|def|else|elsif|elseif|ensure|for|function|if|macro|module|mutable struct|quote|rescue"
        r"|struct|try|catch|finally|unless|until|when|while|let)\b(?!.*(?:\bend|;)$)(?!.*\bthen\b\s*\S)"
        r"|\b(?:do|then|else|begin)$|\bdo\s*\|[^|]*\|$|(?:->|\{)$"
    ),
}
# Where a header has its end in a word of its own.
_FINISHED = {
    "lua": re.compile(r"(?:\b(?:do|then|else|repeat)|\bfunction\b[\w.:\s]*\([^()]*\))$"),
    "bash": re.compile(r"(?:\b(?:do|then|else)|\{)$"),
    "elixir": re.compile(r"(?:\b(?:do|else|after|rescue|catch)|->|\bfn\b.*->)$"),
    "erlang": re.compile(r"(?:->|\b(?:of|begin|receive|after))$"),
}
_BASH_ENDS = {"do": "done", "then": "fi", "else": "fi", "{": "}"}
_CONTINUE = ("else", "elif", "elsif", "elseif", "rescue", "ensure", "catch", "finally", "after", "when")
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_MIRRORED = str.maketrans("()[]{}", ")(][}{")
_MAX_HEADER_LINES = 40
_STRINGS = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`")
# Statements end with a semicolon there, also behind a brace where that ends an expression or a type.
_SEMICOLONS = frozenset(
    ("c", "cpp", "objc", "java", "csharp", "rust", "php", "dart", "javascript", "typescript", "tsx")
)
_EXPRESSION = re.compile(r"(?<![=<>!])=(?![=>])|\breturn\b|=>\s*\{$")
_TYPES_WITH_SEMICOLON = re.compile(r"^\s*(?:typedef\s+|static\s+|const\s+)*(?:struct|class|union|enum)\b[^()]*\{$")
_C_LIKE = frozenset(("c", "cpp", "objc"))


def begun_below(request: CompletionRequest) -> str:
    """What begins the body of the block that the cursor's line opens, where that is asked for; "" elsewhere."""
    snapshot, cursor = request.snapshot, request.cursor
    text, language = snapshot.text, by_id(snapshot.language)
    is_off = request.trigger is not Trigger.INVOKED or Switch.BELOW_HEADER in request.without
    if is_off or request.mode is Mode.LINE or after_cursor(text, cursor).strip():
        return ""
    line = before_cursor(text, cursor).rstrip()
    header = _HEADERS.get(language.block_style)
    is_data = language.block_style is BlockStyle.INDENT and not language.definitions  # YAML's values stand behind
    if header is None or is_data:
        return ""
    first = _first_line(text, cursor)
    whole = line if first == line else first + line.strip()
    if not line.strip() or not _FINISHED.get(language.id, header).search(whole):
        return ""
    if language.block_style is BlockStyle.INDENT and _opened(line):  # a lambda, or a slice
        return ""
    if cursor_kind(snapshot.tree, byte_offset(text, cursor)) is not CursorKind.CODE:
        return ""
    is_level = is_label_of(next(lines_below(text, cursor), ""), indentation(first) + line.lstrip())
    return line_end_at(text, cursor) + indentation(first) + ("" if is_level else unit_at(text, cursor, language.id))


def _first_line(text: str, cursor: int) -> str:
    """The line with which the header begins that ends at the cursor: parameters may stand below one another."""
    line = before_cursor(text, cursor).rstrip()
    n_closed = _n_unopened(line)
    for above in islice(lines_above(text, cursor), _MAX_HEADER_LINES):
        if n_closed <= 0:
            break
        line = above
        n_closed += _n_unopened(above) - len(_opened(above))
    return line


def with_body(request: CompletionRequest, begun: str, below: Completion) -> Completion:
    """The answer at the header's end, of the answer to what was `begun` below it."""
    if not below.text:
        return below
    text = _whole(request, begun, below.text)
    step = FilterStep(name="below_header", before=below.text, after=text)
    trace = below.trace and replace(below.trace, steps=(*below.trace.steps, step))
    others = tuple(
        Alternative(text=_whole(request, begun, each.text), replace_right=each.replace_right)
        for each in below.alternatives
    )
    return replace(below, text=text, alternatives=others, trace=trace)


def _whole(request: CompletionRequest, begun: str, body: str) -> str:
    """The body with its beginning, and its end if it has none."""
    text, cursor = request.snapshot.text, request.cursor
    line, first = before_cursor(text, cursor).rstrip(), _first_line(text, cursor)
    closer = _closer(line, request.snapshot.language)
    following = next(lines_below(text, cursor), "")
    if closer.startswith("}") and is_label_of(following, indentation(first) + line.lstrip()):
        return begun + body  # it is not empty, and so it is closed
    last = (begun + body).split("\n")[-1].rstrip()
    if not closer or _closes(last, first, closer) or _is_closed_below(request, first, closer):
        return begun + body
    return begun + body + begun[: -len(begun.lstrip("\r\n"))] + indentation(first) + closer


def _closer(header: str, language_id: str) -> str:
    """What closes the block that a header opens; "" where dedentation does."""
    language = by_id(language_id)
    if language.id == "bash":
        word = re.search(r"(?:\w+|\{)$", header)
        return _BASH_ENDS.get(word.group(), "") if word else ""
    brackets = _opened(header)
    if language.block_style is BlockStyle.BRACE:
        is_statement = len(brackets) > 1 or _EXPRESSION.search(header)
        is_type = language.id in _C_LIKE and _TYPES_WITH_SEMICOLON.match(header)
        ends = language.id in _SEMICOLONS and brackets and (is_statement or is_type)
        return brackets + (";" if ends else "")
    if language.block_style is BlockStyle.END and language.id != "erlang" and not header.endswith("->"):
        return brackets if header.endswith("{") else "" if header.endswith("repeat") else "end" + brackets
    return ""


def _n_unopened(line: str) -> int:
    """How many brackets a line closes that others have opened."""
    return len(_opened(_STRINGS.sub("''", line)[::-1].translate(_MIRRORED)))


def _opened(line: str) -> str:
    """What closes the brackets that a line leaves open."""
    open_: list[str] = []
    for character in _STRINGS.sub("''", line):
        if character in _CLOSER_OF:
            open_.append(_CLOSER_OF[character])
        elif open_ and character == open_[-1]:
            open_.pop()
    return "".join(reversed(open_))


def _is_closed_below(request: CompletionRequest, header: str, closer: str) -> bool:
    """Whether the first line below that is not deeper than the header closes its block, or goes on with it."""
    for line in lines_below(request.snapshot.text, request.cursor):
        if columns(line) <= columns(header):
            return _closes(line, header, closer)
    return False


def _closes(line: str, header: str, closer: str) -> bool:
    if columns(line) != columns(header):
        return False
    first = re.match(r"\w+|.", closer)
    said = re.match(r"\w+|.", line.lstrip())
    return first is not None and said is not None and said.group() in (first.group(), *_CONTINUE)
