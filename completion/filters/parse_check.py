"""The last filter: an accepted suggestion adds no parse error to the document.

The document is parsed again with the suggestion in place (incrementally, from the tree of the request). Users type in
broken code, so it is compared with what was broken before: each of the two documents gets the benefit of the
doubt for what is only unfinished (`completion.code.unfinished`), and the one with the suggestion may not have more
errors left than the other one.

Of a suggestion that adds one, the longest prefix is kept that does not: without the brackets that it ends with, or up
to the end of a line. What is cut may not end unfinished. A block is whole when it ends: brackets that it left open are
closed first.

It knows no more than tree-sitter's grammars do: to these a stray `end` in Ruby is a name, and a line of Python that is
indented for no reason is none (`completion.filters.indentation` looks after it at the first line).

Rules: pure; parses, so it is called off the event loop. Plain text has no errors, and prose and data no
grammar to speak of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from tree_sitter import Node

from completion.candidate import Candidate
from completion.code.lines import after_cursor, opens_block
from completion.code.unfinished import closing, endings, wants_operand
from completion.filters.overlap import suffix_overlap
from completion.switches import Switch
from completion.trigger import mode_of
from completion.types import CompletionRequest, Mode
from parsers.languages import BlockStyle, by_id
from parsers.parse import SyntaxTree, byte_offset, parse, to_bytes
from parsers.scope import CursorKind, cursor_kind

# Endings tried for one document: each is a parse of about a millisecond, in very large documents of ten.
_MAX_ENDINGS, _MAX_ENDINGS_IF_LARGE = 24, 3
_LARGE_BYTES = 100_000
# Lines that may be cut off one by one.
_MAX_PREFIXES = 8
# Beyond so many errors a document is not in this language; the count is not exact any more.
_MAX_ERRORS = 200
# What may be cut off a line and leave what it says. A docstring or a comment may be closed further down already.
_CUT_AT_END = ('"""', "'''", "*/", ")", "]", "}", ">", ";", ",")
# An error this near the cursor may come from what is unfinished there, in bytes.
_NEAR_BYTES = 2_000


def parse_check(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """The longest prefix of a suggestion that adds no parse error; an empty one when there is none."""
    before = request.snapshot.tree
    style = by_id(request.snapshot.language).block_style
    if before.root is None or style is BlockStyle.NONE or not candidate.text.strip():
        return candidate
    after = _accepted(candidate, request)
    cursor = byte_offset(request.snapshot.text, request.cursor)
    # Most often nothing is wrong here, whatever is elsewhere.
    is_clean = not errors(after.root, _neighbors(after, cursor)[0], _neighbors(after, _end(candidate, request))[1])
    if is_clean and errors(after.root) <= errors(before.root) and not _ends_in_header(after, candidate, request):
        return candidate
    typed = _endings(before, cursor, request)
    allowed, finished = least_errors(before, cursor, typed, 0)
    if _has_word(candidate.text) and errors(finished.root, *_neighbors(finished, cursor)):
        # The lines around do not parse either, whatever is typed: macros of C, a construct newer than the grammar.
        # A bracket alone is not worth that doubt.
        allowed += 1 + candidate.text.count("\n")
    # A block, and what was cut, may leave open what was open already, and nothing of its own. So may a line that goes
    # on behind the cursor: nobody wants to write something between the two.
    closers = closing(before, cursor)
    typed = [*(closers[n:] for n in range(1, len(closers))), *typed] if finished is not before else []
    closed = _closed(candidate, request, after, len(closers))
    if closed != candidate and _adds_none(closed, request, typed, allowed):
        return closed
    if "\n" in candidate.text or _has_word(_right_of(candidate, request)):
        finishing = typed
    else:
        finishing = _endings(after, _end(candidate, request), request)
    if _adds_none(candidate, request, finishing, allowed):
        return candidate
    shorter = (suffix_overlap(Candidate(text), request) for text in _prefixes(candidate.text))
    return next((prefix for prefix in shorter if _adds_none(prefix, request, typed, allowed)), Candidate(""))


def _endings(tree: SyntaxTree, at: int, request: CompletionRequest) -> list[str]:
    """Texts that may finish what stands before byte `at` of the document, or of the one with the suggestion."""
    if Switch.UNFINISHED in request.without:
        return []
    return list(islice(endings(tree, at, by_id(request.snapshot.language).block_style), _MAX_ENDINGS))


def _closed(candidate: Candidate, request: CompletionRequest, after: SyntaxTree, n_open: int) -> Candidate:
    """A block with the brackets closed that it left open behind something; `n_open` were open before it."""
    if Switch.CLOSING in request.without or mode_of(request) is Mode.LINE or wants_operand(candidate.text):
        return candidate
    opened = closing(after, _end(candidate, request))
    own = opened[: max(0, len(opened) - n_open)]
    return replace(candidate, text=candidate.text + own)


def _adds_none(candidate: Candidate, request: CompletionRequest, finishing: Sequence[str], allowed: int) -> bool:
    """Whether no more errors than `allowed` are left when a suggestion is accepted, and finished in some way."""
    after = _accepted(candidate, request)
    if _ends_in_header(after, candidate, request):
        return False
    return least_errors(after, _end(candidate, request), finishing, allowed)[0] <= allowed


def _neighbors(tree: SyntaxTree, at: int) -> tuple[int, int]:
    """The bytes of the line above and the line below the one at byte `at`, blank lines not counted."""
    above = tree.source[: tree.source.rfind(b"\n", 0, at) + 1].rstrip()
    line_end = tree.source.find(b"\n", at)
    below = tree.source[line_end:] if line_end >= 0 else b""
    n_blank = len(below) - len(below.lstrip())
    end = below.find(b"\n", n_blank)
    return above.rfind(b"\n") + 1, len(tree.source) - (len(below) - end if end >= 0 else 0)


def least_errors(tree: SyntaxTree, at: int, finishing: Sequence[str], enough: int) -> tuple[int, SyntaxTree]:
    """The errors of a document when what is unfinished at byte `at` is finished in the best of some ways; and then."""
    least, best = errors(tree.root), tree
    # What is broken far away no ending mends.
    enough = max(enough, least - errors(tree.root, max(0, at - _NEAR_BYTES), at + _NEAR_BYTES))
    before, after = tree.source[:at].decode("utf-8"), tree.source[at:].decode("utf-8")
    for ending in finishing[: _MAX_ENDINGS if len(tree.source) < _LARGE_BYTES else _MAX_ENDINGS_IF_LARGE]:
        if least <= enough:
            break
        finished = parse(tree.language, before + ending + after, tree)
        if (n := errors(finished.root)) < least:
            least, best = n, finished
    return least, best


def errors(root: Node | None, start: int = 0, end: int | None = None) -> int:
    """How many ERROR and MISSING nodes touch a byte range; no more than a few hundred are counted."""
    n, stack = 0, [] if root is None else [root]
    while stack and n < _MAX_ERRORS:
        node = stack.pop()
        if node.end_byte < start or (end is not None and node.start_byte > end):
            continue
        if node.is_error or node.is_missing:
            n += 1
        if node.has_error:
            stack += node.children
    return n


def _ends_in_header(after: SyntaxTree, candidate: Candidate, request: CompletionRequest) -> bool:
    """Whether a block ends with a header without a body. No error to Python's grammar, but one to Python."""
    lines = candidate.text.rsplit("\n", 1)
    style = by_id(after.language).block_style
    if len(lines) == 1 or style is not BlockStyle.INDENT or not opens_block(lines[1], style):
        return False
    return cursor_kind(after, _end(candidate, request)) is CursorKind.CODE


def _right_of(candidate: Candidate, request: CompletionRequest) -> str:
    """What stands in the line behind an accepted suggestion."""
    return after_cursor(request.snapshot.text, request.cursor)[candidate.replace_right :]


def _end(candidate: Candidate, request: CompletionRequest) -> int:
    """The byte behind an accepted suggestion."""
    return byte_offset(request.snapshot.text, request.cursor) + len(to_bytes(candidate.text))


def _accepted(candidate: Candidate, request: CompletionRequest) -> SyntaxTree:
    return parse(request.snapshot.language, candidate.accepted(request), request.snapshot.tree)


def _prefixes(text: str) -> Iterator[str]:
    """Prefixes that may be shown, the longest first: without what closes at the end, then whole lines.

    A line is not cut at a word: half of a statement would say something else.
    """
    shorter = text.rstrip()
    while closer := next((closer for closer in _CUT_AT_END if shorter.endswith(closer)), ""):
        shorter = shorter.removesuffix(closer).rstrip()
        if _has_word(shorter):
            yield shorter
    lines = text.split("\n")
    for n in range(len(lines) - 1, max(0, len(lines) - 1 - _MAX_PREFIXES), -1):
        if (prefix := "\n".join(lines[:n]).rstrip()).strip():
            yield prefix


def _has_word(text: str) -> bool:
    """Whether a text says more than brackets and signs."""
    return any(map(str.isalnum, text))
