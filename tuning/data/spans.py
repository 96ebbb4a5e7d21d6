"""Places in a file where a user could have been typing, and what was typed there next. Used by `examples`.

    line         a whole line, from the end of its indentation
    inside       the rest of a line, from inside of it: mostly where a word or a sign begins or ends
    bracket      the rest, from behind an opening bracket
    dot          the rest, from behind a dot, an arrow or two colons
    assign       the rest, from behind `=` or a keyword such as `return`
    statement    a statement of 2 to 8 lines (a node of the syntax tree), from its beginning or inside its first line
    block        the whole body of a block other than a function's, below its header
    body         the whole body of a function, up to 20 lines
    nothing      what is there is complete: the end of a line that needs nothing

Rules: pure, given the random generator. Targets end with a line or, where an editor has put a closing bracket or quote
behind the cursor, before that. Offsets are code points.
"""

import random
import re
from collections.abc import Callable, Container
from copy import copy
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from completion.code.lines import columns, opens_block
from parsers.languages import by_id
from parsers.outline import SymbolKind, outline
from parsers.parse import SyntaxTree, byte_offset
from parsers.scope import CursorKind, cursor_kind

# Shares of the kinds: those of real typing as far as they are known, more of what ends by itself.
SHARES = {
    "line": 0.24,
    "inside": 0.27,
    "bracket": 0.08,
    "dot": 0.08,
    "assign": 0.05,
    "statement": 0.10,
    "block": 0.07,
    "body": 0.07,
    "nothing": 0.04,
}
_STATEMENT_LINES, _BLOCK_LINES, _BODY_LINES = (2, 8), 10, 20
_AT_BOUNDARY = 0.7  # of the cursors inside of a line
_AUTO_CLOSED = 0.6  # of the cursors within brackets or quotes that close in their line
_IN_PROSE = 0.12  # of the cursors in comments and texts that are kept: completions are for code
_AFTER_DOCSTRING = 0.7
_BOUNDARY = re.compile(r"(?<=\w)(?=[^\w\s])|(?<=[^\w\s])(?=\S)|(?<=\s)(?=\S)|(?<=\w)(?=\s)")
_AFTER_DOT = re.compile(r"(?:(?<=[\w)\]>?!])\.|->|::|\?\.)(?=\w)")
_AFTER_OPENER = re.compile(r"[(\[{](?=\s*\S)")
_AFTER_ASSIGN = re.compile(
    r"(?:(?<![=!<>])[:+*|&-]?=>? |\b(?:return|await|yield|throw|raise|new|import|from|in|if|not|and|or|else|let|const"
    r"|var|val|use|case|extends|implements) )(?=\S)"
)
_ONLY_CLOSERS = re.compile(r"[\s)\]}>,;:]*(?:\bend)?")
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_CLOSES_TAIL = re.compile(r"[)\]}\"'`][)\]}\"'`;,:]{0,7}(?: \{)?")
_DOCSTRING = re.compile(r'\s*[rRuU]?("""|\'\'\')')


@dataclass(frozen=True, slots=True)
class Span:
    """text[begin:end] was typed at `begin`; up to `right` the text behind it stays in its line."""

    kind: str
    begin: int
    end: int
    right: int

    def truth(self, text: str) -> str:
        """What was typed."""
        return text[self.begin : self.end]


@dataclass(slots=True)
class Places:
    """All places of a file."""

    text: str
    tree: SyntaxTree
    lines: list[str] = field(init=False)
    starts: list[int] = field(init=False)  # where each line begins
    code: list[int] = field(init=False)  # numbers of the lines that hold something
    here: list[int] = field(init=False)  # of these, those that are drawn from
    statements: list[tuple[int, int]] = field(init=False)  # first and last line of each
    blocks: list[tuple[int, int, int]] = field(init=False)  # header, first and last line of the body
    bodies: list[tuple[int, int, int]] = field(init=False)  # the same of functions
    functions: list[tuple[int, int]] = field(init=False)  # first and last line

    def __post_init__(self) -> None:
        self.lines = self.text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.code = self.here = [n for n, line in enumerate(self.lines) if line.strip()]
        first, last = _STATEMENT_LINES
        root = self.tree.root
        rows = [] if root is None else statements(root, by_id(self.tree.language).blocks)
        self.statements = [(a, b) for a, b in rows if first <= b - a + 1 <= last]
        kinds = (SymbolKind.FUNCTION, SymbolKind.METHOD)
        self.functions = [(s.line, s.last_line) for s in outline(self.tree).symbols if s.kind in kinds]
        of_functions = {last for _, last in self.functions}
        blocks = self._blocks()
        style = by_id(self.tree.language).block_style.value
        ends = {last if style == "indent" else last - 1 for last in of_functions}
        self.bodies = [b for b in blocks if b[2] in ends and any(f <= b[0] <= end for f, end in self.functions)]
        self.blocks = [b for b in blocks if b not in self.bodies and b[2] - b[1] < _BLOCK_LINES]

    def _blocks(self) -> list[tuple[int, int, int]]:
        """The bodies below the headers, by indentation; those of a sensible length."""
        style = by_id(self.tree.language).block_style
        found = []
        for at, number in enumerate(self.code[:-1]):
            line = self.lines[number]
            if not opens_block(line, style):
                continue
            outer, last = columns(line), -1
            following = self.code[at + 1 : at + 2 + _BODY_LINES]
            for below in following:
                if columns(self.lines[below]) <= outer:
                    break
                last = below
            else:
                if following[-1] != self.code[-1]:  # too long
                    continue
            if last > number:
                found.append((number, self.code[at + 1], last))
        return found

    def draw(self, kind: str, rng: random.Random) -> Span | None:
        """A random place of a kind; None where this draw has hit nothing."""
        span = _DRAW[kind](self, rng)
        if span is None or not (span.truth(self.text).strip() or kind == "nothing"):
            return None
        at = cursor_kind(self.tree, byte_offset(self.text, span.begin))
        behind = cursor_kind(self.tree, byte_offset(self.text, min(span.begin + 1, len(self.text))))
        is_prose = CursorKind.COMMENT in (at, behind) or at is CursorKind.STRING
        return None if is_prose and rng.random() > _IN_PROSE else span

    def within(self, numbers: Container[int]) -> "Places":
        """The places that begin in these lines."""
        some = copy(self)
        some.here = [n for n in self.code if n in numbers]
        some.statements = [rows for rows in self.statements if rows[0] in numbers]
        some.blocks = [rows for rows in self.blocks if rows[1] in numbers]
        some.bodies = [rows for rows in self.bodies if rows[1] in numbers]
        return some

    def begin(self, number: int) -> int:
        """Where the indentation of a line ends."""
        line = self.lines[number]
        return self.starts[number] + len(line) - len(line.lstrip())

    def end(self, number: int) -> int:
        """Where the code of a line ends."""
        return self.starts[number] + len(self.lines[number].rstrip())

    def line_end(self, number: int) -> int:
        """Where a line ends."""
        return self.starts[number + 1] - 1


def statements(root: Node, blocks: tuple[str, ...]) -> list[tuple[int, int]]:
    """First and last row of what stands in blocks and begins and ends with its lines; of several lines alone."""
    found: list[tuple[int, int]] = []
    open_ = [root]
    while open_:
        node = open_.pop()
        is_block = node is root or node.type in blocks or node.type.endswith(("_list", "body", "block"))
        for child in node.children:
            first, last = child.start_point.row, child.end_point.row
            if first == last:
                continue
            if is_block and child.is_named and "comment" not in child.type:
                found.append((first, last if child.end_point.column else last - 1))
            open_.append(child)
    return found


def _line(places: Places, rng: random.Random) -> Span | None:
    number = rng.choice(places.here)
    code = places.lines[number].strip()
    if _ONLY_CLOSERS.fullmatch(code) and rng.random() < 0.9:  # editors write these
        return None
    return _whole("line", places, places.begin(number), number)


def _whole(kind: str, places: Places, begin: int, last: int) -> Span:
    return Span(kind, begin, places.end(last), places.end(last))


def _inside(places: Places, rng: random.Random) -> Span | None:
    number = rng.choice(places.here)
    begin, end = places.begin(number), places.end(number)
    if end - begin < 3:
        return None
    cuts = range(begin + 1, end)
    if rng.random() < _AT_BOUNDARY:
        inner = places.text[begin:end]
        cuts_here = [begin + match.start() for match in _BOUNDARY.finditer(inner) if match.start()]
        return _rest("inside", places, rng.choice(cuts_here), number, rng) if cuts_here else None
    return _rest("inside", places, rng.choice(cuts), number, rng)


def _behind(kind: str, pattern: re.Pattern[str]) -> Callable[[Places, random.Random], Span | None]:
    def draw(places: Places, rng: random.Random) -> Span | None:
        for _ in range(8):  # not every line has one
            number = rng.choice(places.here)
            begin, end = places.begin(number), places.end(number)
            found = [match.end() for match in pattern.finditer(places.text, begin, end)]
            if found and (at := rng.choice(found)) < end:
                return _rest(kind, places, at, number, rng)
        return None

    return draw


def _rest(kind: str, places: Places, at: int, number: int, rng: random.Random) -> Span:
    """The rest of a line, or what stands before the closers that an editor has put there."""
    end = places.end(number)
    closer = _closer(places.text, places.begin(number), at, end)
    if closer is not None and closer > at and rng.random() < _AUTO_CLOSED:
        return Span(kind, at, closer, end)
    return Span(kind, at, end, end)


def _closer(text: str, begin: int, at: int, end: int) -> int | None:
    """Where what is open at a cursor closes, if nothing but closers follows in the line."""
    open_: list[str] = []
    for character in text[begin:at]:
        _step(open_, character)
    if not open_:
        return None
    depth = len(open_)
    for place in range(at, end):
        _step(open_, text[place])
        if len(open_) < depth:
            return place if _CLOSES_TAIL.fullmatch(text, place, end) else None
    return None


def _step(open_: list[str], character: str) -> None:
    """Keep what closes the brackets and quotes that are open."""
    if open_ and open_[-1] in "\"'`":
        if character == open_[-1]:
            open_.pop()
    elif character in "\"'`":
        open_.append(character)
    elif character in _CLOSER_OF:
        open_.append(_CLOSER_OF[character])
    elif open_ and character == open_[-1]:
        open_.pop()


def _statement(places: Places, rng: random.Random) -> Span | None:
    if not places.statements:
        return None
    first, last = rng.choice(places.statements)
    if last >= len(places.lines) or not places.lines[first].strip():
        return None
    span = _whole("statement", places, places.begin(first), last)
    if rng.random() < 0.4:
        inner = places.text[span.begin : places.end(first)]
        cuts = [span.begin + match.start() for match in _BOUNDARY.finditer(inner) if match.start()]
        return replace(span, begin=rng.choice(cuts)) if cuts else None
    return span


def _block(kind: str, of: Callable[[Places], list[tuple[int, int, int]]]) -> Callable[..., Span | None]:
    def draw(places: Places, rng: random.Random) -> Span | None:
        if not of(places):
            return None
        _, first, last = rng.choice(of(places))
        if kind == "body" and rng.random() < _AFTER_DOCSTRING:
            first = _after_docstring(places, first, last)
        return _whole(kind, places, places.begin(first), last) if first <= last else None

    return draw


def _after_docstring(places: Places, first: int, last: int) -> int:
    """The first line with code below a docstring, or the same line."""
    match = _DOCSTRING.match(places.lines[first])
    if match is None or by_id(places.tree.language).block_style.value != "indent":
        return first
    end = places.text.find(match[1], places.starts[first] + match.end())
    if end < 0:
        return first
    number = next((n for n in range(first, last + 1) if places.starts[n + 1] > end), last)
    return next((n for n in places.code if number < n <= last), last + 1)


def _nothing(places: Places, rng: random.Random) -> Span | None:
    number = rng.choice(places.here)
    at = places.code.index(number)
    line = places.lines[number].rstrip()
    goes_on = at + 1 < len(places.code) and columns(places.lines[places.code[at + 1]]) > columns(line)
    if goes_on or line[-1] in "([{,=+-*/|&<.:\\" or not (line[-1].isalnum() or line[-1] in ")]};\"'`"):
        return None
    return _whole("nothing", places, places.end(number), number)


_DRAW: dict[str, Callable[[Places, random.Random], Span | None]] = {
    "line": _line,
    "inside": _inside,
    "bracket": _behind("bracket", _AFTER_OPENER),
    "dot": _behind("dot", _AFTER_DOT),
    "assign": _behind("assign", _AFTER_ASSIGN),
    "statement": _statement,
    "block": _block("block", lambda places: places.blocks),
    "body": _block("body", lambda places: places.bodies),
    "nothing": _nothing,
}

# What is below the cursor of an automatic request: all, or without what is not written yet. With their shares.
BELOW = {"complete": 0.50, "block": 0.17, "function": 0.13, "file": 0.12, "end": 0.08}
_CLOSING_LINE = re.compile(r"\s*(?:[)\]}]+[;,]*|end\b[;,)]*|fi|done|esac)\s*")


def below(places: Places, span: Span, how: str) -> str:
    """What stands below the target's last line, beginning with its line end.

    Without the rest of the cursor's block, of its function, or of the file: the closing lines of what is open stay, as
    editors write these; at the "end" of a file nothing is left.
    """
    rest = places.text[span.right :]
    _, newline, tail = rest.partition("\n")
    if how == "complete" or not newline:
        return rest
    if how == "end":
        return newline
    lines = tail.split("\n")
    number = places.text.count("\n", 0, span.right)
    inner = columns(places.lines[places.text.count("\n", 0, span.begin)])
    if how == "file":
        cut = len(lines)
    elif how == "function":
        around = [end for first, end in places.functions if first <= number < end]
        cut = min(around, default=number) - number
    else:
        ends = (n for n, line in enumerate(lines) if line.strip() and columns(line) < inner)
        cut = next(ends, len(lines)) if inner else 0
    kept, level = [], inner
    for line in lines[:cut]:
        if _CLOSING_LINE.fullmatch(line) and columns(line) < level:
            kept.append(line)
            level = columns(line)
    return newline + "\n".join([*kept, *lines[cut:]])
