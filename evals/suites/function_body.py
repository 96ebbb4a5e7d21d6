"""Where the body of a function is in a text, for suites that mask it. Used by `mceval`.

Rules: the function is found by the outline; its body begins behind its signature, and behind a brace that has a line
for itself; a closing brace or `end` in the last line, indented no more than the body, stays. Offsets are code points.
"""

from completion.types import Mode
from evals.scoring.documents import Document
from parsers.outline import Symbol, SymbolKind, outline
from parsers.parse import parse

_FUNCTIONS = (SymbolKind.FUNCTION, SymbolKind.METHOD)
_CLOSERS = ("}", "end")


def longest_body(language: str, text: str, not_before: int) -> tuple[int, int] | None:
    """Range of the longest body behind `not_before`, from behind its indentation; None where no function is found."""
    lines = text.split("\n")
    first_allowed = text.count("\n", 0, not_before)
    bodies = [
        found
        for symbol in outline(parse(language, text)).symbols
        if symbol.kind in _FUNCTIONS and (found := _body(symbol, lines, first_allowed)) is not None
    ]
    if not bodies:
        return None
    first, last = max(bodies, key=lambda body: body[1] - body[0])
    return _range(lines, first, last)


def rest(text: str, begin: int) -> tuple[int, int] | None:
    """The same for what stands behind an offset to the end, where nothing is known of the language."""
    lines = text.split("\n")
    found = _trimmed(lines, text.count("\n", 0, begin), len(lines) - 1)
    return _range(lines, *found) if found else None


def masked(path: str, text: str, begin: int, end: int, mode: Mode) -> tuple[Document, str]:
    """The document without what stands in a range, and what that is."""
    document = Document(path=path, repo="", text=text[:begin] + text[end:], cursor=begin, mode=mode)
    return document, text[begin:end]


def _body(symbol: Symbol, lines: list[str], first_allowed: int) -> tuple[int, int] | None:
    signature = symbol.signature.split("\n")
    # Decorators may stand above the name's line, parameters below it.
    above = next((at for at, line in enumerate(signature) if symbol.name in line), 0)
    first = max(symbol.line + len(signature) - above, first_allowed)
    return _trimmed(lines, first, symbol.last_line)


def _trimmed(lines: list[str], first: int, last: int) -> tuple[int, int] | None:
    """Lines first..last without what opens and closes a body, and without empty lines around; None for nothing."""
    while first <= last and lines[first].strip() in ("", "{"):
        first += 1
    last = _last_text(lines, first, last)
    if first <= last and _is_closer(lines[last]) and _indent(lines[last]) <= _indent(lines[first]):
        last = _last_text(lines, first, last - 1)
    # What is indented less than the body closes more than it: a class around the function.
    while first <= last and _is_closer(lines[last]) and _indent(lines[last]) < _indent(lines[first]):
        last = _last_text(lines, first, last - 1)
    return (first, last) if first <= last else None


def _last_text(lines: list[str], first: int, last: int) -> int:
    while first <= last and not lines[last].strip():
        last -= 1
    return last


def _is_closer(line: str) -> bool:
    return line.strip().lower().startswith(_CLOSERS)


def _range(lines: list[str], first: int, last: int) -> tuple[int, int]:
    begin = sum(len(line) + 1 for line in lines[:first]) + _indent(lines[first])
    end = sum(len(line) + 1 for line in lines[:last]) + len(lines[last].rstrip())
    return begin, end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
