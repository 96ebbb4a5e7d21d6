"""Parse text into a syntax tree, and re-parse it cheaply after an edit. Called off the event loop.

Grammars hold scanners written in C, and there are texts on which one crashes or never ends. So a process that must not
die keeps grammars out: `parsers.guard` has `parse` answer with trees that live in a child process. Functions that
ask a tree something are questions (`question`): they run where the tree is. Without a guard all of it runs here.

Rules: parsing never fails: broken code gives error nodes, an unknown language gives no tree. A SyntaxTree
is never changed after it is made; an incremental parse edits a copy of the old tree. No grammar is
loaded before the first text is parsed here.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from tree_sitter import Node, Parser, Point, Tree

from parsers.languages import by_id

# Beyond this a full parse takes seconds, and nobody completes in generated data: treated as plain text.
MAX_PARSE_BYTES = 2_000_000
_PARSERS = threading.local()
_P = ParamSpec("_P")
_T = TypeVar("_T")
# By module and name: what a child process may be asked.
QUESTIONS: dict[str, "Question"] = {}


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """A text in UTF-8 with its syntax tree; `tree` is None for plain text."""

    language: str
    source: bytes
    tree: Tree | None

    @property
    def root(self) -> Node | None:
        """The root node, None for plain text. Of trees that live in this process alone: others are asked questions."""
        return None if self.tree is None else self.tree.root_node

    @property
    def is_parsed(self) -> bool:
        """Whether there is more to go by than plain text."""
        return self.tree is not None

    @property
    def refused(self) -> str:
        """Why a text with a grammar is plain text all the same, in words; "" where it is not."""
        return ""

    def ask(self, question: "Question", *args: Any) -> Any:
        """The answer to a question of this tree."""
        return question.function(self, *args)

    def settle(self) -> "SyntaxTree":
        """Itself, parsed: a tree in another process may have been put off until it is asked something."""
        return self

    def release(self) -> None:
        """Let go of what another process keeps of this text and others; what is still wanted is parsed again."""

    def successor(self, source: bytes) -> "SyntaxTree":
        """The tree of a text that came of this one by an edit."""
        return parse_here(self.language, source, self)


@dataclass(frozen=True, slots=True)
class PlainTree(SyntaxTree):
    """A text that is plain text whatever its language says, and so is what comes of it by edits."""

    tree: None = None

    def successor(self, source: bytes) -> SyntaxTree:
        """Plain text."""
        return PlainTree(self.language, source)


@dataclass(frozen=True, slots=True)
class Question:
    """A function of a tree and of plain data, which may run in another process; known there by its name.

    `is_slow`: it goes over the whole file, and no automatic request waits for it.
    """

    name: str
    function: Callable[..., Any]
    is_slow: bool


@overload
def question(
    function: Callable[Concatenate[SyntaxTree, _P], _T],
) -> Callable[Concatenate[SyntaxTree, _P], _T]: ...


@overload
def question(
    *, is_slow: bool
) -> Callable[[Callable[Concatenate[SyntaxTree, _P], _T]], Callable[Concatenate[SyntaxTree, _P], _T]]: ...


def question(function: Any = None, *, is_slow: bool = False) -> Any:
    """Decorate a function of a tree so that it runs where the tree is. Arguments and result are plain typed data."""

    def decorated(asked: Callable[..., Any]) -> Callable[..., Any]:
        known = Question(f"{asked.__module__}:{asked.__name__}", asked, is_slow)
        QUESTIONS[known.name] = known

        @functools.wraps(asked)
        def ask(tree: SyntaxTree, /, *args: Any) -> Any:
            return tree.ask(known, *args)

        return ask

    return decorated if function is None else decorated(function)


class _Place:
    """Where texts are parsed that come of no other: here, unless a guard has taken over."""

    first: Callable[[str, bytes], SyntaxTree] | None = None


def parse_elsewhere(first: Callable[[str, bytes], SyntaxTree] | None) -> None:
    """Have this process's texts parsed by `first`, (language, source) -> tree; None: here again."""
    _Place.first = first


def to_bytes(text: str) -> bytes:
    """UTF-8 of a text; a lone surrogate, which has none, becomes "?"."""
    return text.encode("utf-8", "replace")


def byte_offset(text: str, offset: int) -> int:
    """The byte offset in `to_bytes(text)` of a code-point offset in `text`."""
    return len(to_bytes(text[:offset]))


def parse(language: str, text: str, old: SyntaxTree | None = None) -> SyntaxTree:
    """Parse `text`; with the tree of an earlier version only what changed is parsed again.

    The edit is found by comparing the two texts, so callers need not keep track of edits.
    """
    source = to_bytes(text)
    if old is not None and old.language == language:
        return old if old.source == source else old.successor(source)
    return _Place.first(language, source) if _Place.first is not None else parse_here(language, source)


def has_grammar(language: str, source: bytes) -> bool:
    """Whether a text is more than plain text."""
    return by_id(language).grammar is not None and len(source) <= MAX_PARSE_BYTES


def parse_here(language: str, source: bytes, old: SyntaxTree | None = None) -> SyntaxTree:
    """Parse in this process. A grammar that crashes ends it."""
    grammar = by_id(language).grammar
    if grammar is None or not has_grammar(language, source):
        return SyntaxTree(language, source, None)
    if old is None or old.tree is None:
        return SyntaxTree(language, source, _parser(grammar).parse(source))
    return SyntaxTree(language, source, _parser(grammar).parse(source, _edited(old.tree, old.source, source)))


def _parser(grammar: str) -> Parser:
    """This thread's parser of a grammar; a parser must not be shared between threads."""
    from tree_sitter_language_pack import get_parser

    parsers: dict[str, Parser] = _PARSERS.__dict__
    if grammar not in parsers:
        parsers[grammar] = get_parser(grammar)  # type: ignore[arg-type]
    return parsers[grammar]


def _edited(tree: Tree, old: bytes, new: bytes) -> Tree:
    """A copy of `tree` told of the one edit that turns `old` into `new`."""
    shorter = min(len(old), len(new))
    start = _largest(shorter, lambda n: old[:n] == new[:n])
    while start > 0 and (_splits(old, start) or _splits(new, start)):
        start -= 1
    end = _largest(shorter - start, lambda n: n == 0 or old[-n:] == new[-n:])
    while end > 0 and _splits(new, len(new) - end):
        end -= 1
    copy = tree.copy()
    copy.edit(
        start_byte=start,
        old_end_byte=len(old) - end,
        new_end_byte=len(new) - end,
        start_point=_point(old, start),
        old_end_point=_point(old, len(old) - end),
        new_end_point=_point(new, len(new) - end),
    )
    return copy


def _largest(most: int, holds: Callable[[int], bool]) -> int:
    """The largest n <= most for which `holds(n)`, by halving: comparing slices runs at C speed."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _splits(source: bytes, offset: int) -> bool:
    """Whether `offset` is inside of a character: é and è begin with the same byte."""
    return offset < len(source) and source[offset] & 0xC0 == 0x80


def _point(source: bytes, offset: int) -> Point:
    """Row and column (in bytes) of a byte offset."""
    return Point(source.count(b"\n", 0, offset), offset - (source.rfind(b"\n", 0, offset) + 1))
