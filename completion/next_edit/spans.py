"""A part of a line became another one, and the same part stands in other lines.

    self.add(names, update=self.is_attached)      is_attached -> is_mounted
    self.remove(names, update=self.is_attached)   <- proposed here, too

The part is what differs, with no more around it than it needs: what only came in takes the word before it and the sign
behind it along. How much of the line around a place is as it was where the edit was made, and how like the whole line
is, decides whether it is wanted (`judge`).

Rules: pure; no tree. By words and signs, so it works in comments and strings, too. Nothing is proposed in lines that
were just edited, or that read like the new text already, nor for a name that was changed where it is bound (`renames`),
nor after edits of other files, whose names may mean other things.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from completion.next_edit.edits import Layer, LineEdit, Proposal, pieces
from completion.next_edit.renames import is_import, renamed
from completion.next_edit.repeat import is_balanced, segments, tokens
from completion.next_edit.scene import Scene

# What is taken along: the word before, and the word or sign behind.
_HEAD, _TAIL = re.compile(r"[\w$]+\W*$"), re.compile(r"\s*(?:[\w$]+|\S)")
_WORD = re.compile(r"[\w$]+")
_LEAST_LETTERS = 2
# Parts of a line that differ; lines in which a part stands; tokens of a line; what is looked at around a place.
_MAX_PARTS, _MAX_PLACES, _MAX_TOKENS, _MAX_CONTEXT = 4, 40, 200, 4
_MAX_PROPOSALS = 6


@dataclass(frozen=True, slots=True)
class _Span:
    """`old` became `new` in a line that has `left` before it and `right` behind it."""

    old: str
    new: str
    left: str
    right: str
    is_alone: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.old, self.new


def spans(scene: Scene) -> Iterator[Proposal]:
    """The other lines in which a part of the last edits' lines stands, changed like them; the surest first."""
    bound = {each for edit in scene.here for each in _bound(scene, edit)}
    found = [span for edit in scene.here for span in _spans(edit) if span.key not in bound]
    support = Counter(span.key for span in found)
    best: dict[tuple[int, str], Proposal] = {}
    for span in found:
        for proposal in _places(span, scene):
            key = (proposal.line, proposal.new[0])
            each = replace(proposal, support=support[span.key])
            if key not in best or _rank(each) > _rank(best[key]):
                best[key] = each
    yield from sorted(best.values(), key=_rank, reverse=True)[:_MAX_PROPOSALS]


def _bound(scene: Scene, edit: LineEdit) -> Iterator[tuple[str, str]]:
    """Names that an edit changed where they are bound: how far they are seen is known (`renames`)."""
    for each in scene.replaced(edit):
        if (binding := renamed(each)) is not None and not is_import(binding):
            yield each.old.decode("utf-8", "replace"), each.new.decode("utf-8", "replace")


def _rank(proposal: Proposal) -> tuple[int, int]:
    return proposal.support, proposal.n_constant


def _spans(edit: LineEdit) -> Iterator[_Span]:
    """The parts of an edit's lines that became others."""
    all_pieces = list(pieces(edit))
    for piece in all_pieces:
        if len(piece.old) != 1 or len(piece.new) != 1:
            continue
        old, new = tokens(piece.old[0].strip()), tokens(piece.new[0].strip())
        if max(len(old), len(new)) > _MAX_TOKENS:
            continue
        parts = list(_balanced(segments(old, new)))
        changed = [n for n, part in enumerate(parts) if not isinstance(part, str)]
        if len(changed) > _MAX_PARTS or not any(isinstance(part, str) and _WORD.search(part) for part in parts):
            continue
        seen: set[tuple[str, str]] = set()
        for n in changed:
            pair = parts[n]
            assert not isinstance(pair, str)
            before, behind = parts[n - 1] if n else "", parts[n + 1] if n + 1 < len(parts) else ""
            assert isinstance(before, str)
            assert isinstance(behind, str)
            is_alone = len(changed) == 1 and len(all_pieces) == 1
            span = _span(before, pair, behind, is_alone=is_alone)
            if span is not None and span.key not in seen:
                seen.add(span.key)
                yield span


def _balanced(parts: Iterable[str | tuple[str, str]]) -> Iterator[str | tuple[str, str]]:
    """Parts of which those that differ have their brackets in pairs; those that have not are taken together."""
    held: tuple[str, str] | None = None
    for part in parts:
        one, other = (part, part) if isinstance(part, str) else part
        if held is not None:
            held = held[0] + one, held[1] + other
            if isinstance(part, str) or not _is_whole(held):
                continue
            yield held
            held = None
        elif isinstance(part, str) or _is_whole(part):
            yield part
        else:
            held = part
    if held is not None:
        yield held


def _is_whole(pair: tuple[str, str]) -> bool:
    return all(map(is_balanced, pair))


def _span(left: str, pair: tuple[str, str], right: str, *, is_alone: bool) -> _Span | None:
    old, new = pair
    if not old.strip() or sum(map(len, _WORD.findall(old))) < _LEAST_LETTERS:  # it only came in, or says too little
        head, tail = _HEAD.search(left), _TAIL.match(right)
        before, behind = head.group(0) if head else left, tail.group(0) if tail else right
        old, new = before + old + behind, before + new + behind
        left, right = left[: len(left) - len(before)], right[len(behind) :]
    brackets = [[sign for sign in text if sign in "()[]{}"] for text in (old, new)]
    if sum(map(len, _WORD.findall(old))) < _LEAST_LETTERS or (brackets[0] != brackets[1] and not _is_whole((old, new))):
        return None
    return _Span(old, new, left, right, is_alone)


def _places(span: _Span, scene: Scene) -> list[Proposal]:
    head = r"(?<![\w$])" if re.match(r"[\w$]", span.old) else ""
    tail = r"(?![\w$])" if re.search(r"[\w$]$", span.old) else ""
    expression = re.compile(f"{head}{re.escape(span.old)}{tail}")
    offset = span.new.find(span.old)
    found: list[Proposal] = []
    for number, line in enumerate(scene.lines):
        if span.old not in line or scene.is_edited(number):
            continue
        matches = [
            match
            for match in expression.finditer(line)
            if offset < 0 or line[max(0, match.start() - offset) :][: len(span.new)] != span.new
        ]
        if not matches:
            continue
        text, context = line, 0
        for match in reversed(matches):
            text = text[: match.start()] + span.new + text[match.end() :]
            context = max(context, _context(span, line[: match.start()], line[match.end() :]))
        found.append(Proposal(Layer.SPAN, number, (line,), (text,), n_constant=context, is_alone=span.is_alone))
        if len(found) > _MAX_PLACES:
            return []
    return [replace(each, n_places=len(found)) for each in found]


def _context(span: _Span, before: str, behind: str) -> int:
    """How many words and signs around a place are those around the edit."""
    left = _same(tokens(span.left.strip())[::-1], tokens(before.strip())[::-1])
    return left + _same(tokens(span.right.strip()), tokens(behind.strip()))


def _same(one: list[str], other: list[str]) -> int:
    one, other = ([each for each in part if not each.isspace()] for part in (one, other))
    n = 0
    while n < _MAX_CONTEXT:
        if n >= len(one) or n >= len(other):
            return _MAX_CONTEXT if len(one) == len(other) else n
        if one[n] != other[n]:
            return n
        n += 1
    return n
