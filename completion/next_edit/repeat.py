"""Rule (b): what was done to two or more like places is done to a third; what was done once, where the same stands.

The lines of two edits are taken together: words in which they agree are constant, what differs is a hole, and what came
in place must be made of the constants and the same holes (anti-unification of both sides at once, Blue-Pencil 2019):

    total += row.price          total += row.get("price")
    count += row.size           count += row.get("size")
    [1] += row.[2]         ->   [1] += row.get("[2]")

It goes by words and signs, not by nodes: so it works in comments, in broken code and from one file to another; that
what is proposed parses is looked at where all proposals are (`layer_one`). A hole holds brackets in pairs only, and no
line end.

Rules: pure; no tree. Nothing is proposed in lines that were just edited.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from completion.code.lines import indentation, same_ends
from completion.next_edit.edits import NOWHERE, Layer, LineEdit, Proposal, pieces
from completion.next_edit.scene import Scene

_TOKEN = re.compile(r"[^\W\d][\w$]*|\d[\w.]*|\n[ \t]*|[ \t]+|.", re.DOTALL)
_WORD = re.compile(r"[\w$]+")
# Of an edit that may be repeated; holes of a pattern; places before it is a matter of replacing in the whole file.
_MAX_LINES, _MAX_HOLES, _MAX_PLACES, _MAX_TOKENS = 8, 6, 40, 400
# Words that a line must have beside which something came in.
_LEAST_AROUND = 2
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class _Atom:
    """Lines that became others, without the indentation that they have in common."""

    old: str
    new: str
    n_lines: int
    is_change: bool = True  # else lines that came or went, beside one that says where


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What stands at a place (a regular expression over whole lines) and what will; "\\x00N" is the hole N."""

    before: re.Pattern[str]
    after: str
    n_lines: int
    support: int
    n_constant: int
    anchor: str  # a word that stands at every place


def repeats(scene: Scene) -> Iterator[Proposal]:
    """The places where the last edits may be made once more."""
    groups = [list(_atoms(edit, scene)) for edit in reversed(scene.edits)]
    atoms = [atom for group in groups for atom in group]
    seen: set[tuple[int, tuple[str, ...]]] = set()
    patterns: list[_Pattern] = []
    for number, atom in enumerate(atoms):
        for other in atoms[number + 1 :]:
            if (pattern := _generalized(atom, other)) is not None:
                patterns.append(pattern)
    best: dict[tuple[str, str], _Pattern] = {}
    for pattern in patterns:
        key = (pattern.before.pattern, pattern.after)
        n = best[key].support + 1 if key in best else 2
        best[key] = _Pattern(pattern.before, pattern.after, pattern.n_lines, n, pattern.n_constant, pattern.anchor)
    once = (_exact(atom) for edit in reversed(scene.edits) for atom in _single(edit, scene))
    for pattern in [*sorted(best.values(), key=lambda p: (-p.support, -p.n_constant)), *filter(None, once)]:
        for proposal in _places(pattern, scene):
            if (proposal.line, proposal.new) not in seen:
                seen.add((proposal.line, proposal.new))
                yield proposal


def _atoms(edit: LineEdit, scene: Scene) -> Iterator[_Atom]:
    """The parts of an edit; of what only came in or only went, with the line below or above it."""
    for piece in pieces(edit):
        if max(len(piece.old), len(piece.new)) > _MAX_LINES:
            continue
        if piece.old and piece.new:
            yield _atom(piece.old, piece.new)
            continue
        above, below = _around(edit, piece, scene)
        if below:
            yield replace(_atom((*piece.old, below), (*piece.new, below)), is_change=False)
        if above:
            yield replace(_atom((above, *piece.old), (above, *piece.new)), is_change=False)


def _single(edit: LineEdit, scene: Scene) -> Iterator[_Atom]:
    """The parts of an edit as they may be made once more: what only came in, between the same two lines."""
    for piece in pieces(edit):
        if max(len(piece.old), len(piece.new)) > _MAX_LINES:
            continue
        if piece.old:
            yield _atom(piece.old, piece.new)
            continue
        above, below = _around(edit, piece, scene)
        if above and below:
            yield _atom((above, below), (above, *piece.new, below))


def _around(edit: LineEdit, piece: LineEdit, scene: Scene) -> tuple[str, str]:
    """The lines above and below of a part of an edit: in the file, or in the edit itself."""
    if edit.line != NOWHERE and piece.line != NOWHERE:
        above = scene.lines[piece.line - 1] if piece.line > 0 else ""
        below = scene.lines[piece.end] if piece.end < len(scene.lines) else ""
    else:
        lines = edit.new if piece.new else edit.old
        part = piece.new or piece.old
        at = next((n for n in range(len(lines)) if lines[n : n + len(part)] == part), 0)
        above = lines[at - 1] if at > 0 else ""
        below = lines[at + len(part)] if at + len(part) < len(lines) else ""
    return (above if above.strip() else "", below if below.strip() else "")


def _atom(old: Sequence[str], new: Sequence[str]) -> _Atom:
    indent = min((indentation(line) for line in (*old, *new) if line.strip()), key=len, default="")
    strip = [[line.removeprefix(indent) for line in lines] for lines in (old, new)]
    return _Atom("\n".join(strip[0]), "\n".join(strip[1]), len(old))


def tokens(text: str) -> list[str]:
    """Its words, signs and blanks."""
    return _TOKEN.findall(text)


def segments(one: Sequence[str], other: Sequence[str]) -> Iterator[str | tuple[str, str]]:
    """Two texts as one: what they agree in, and pairs of what differs."""
    gap: list[list[str]] = [[], []]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        # A blank or a sign that two texts happen to share between words that differ is no agreement.
        if tag == "equal" and not (gap[0] and not _WORD.search("".join(one[a:b])) and b < len(one) and b - a < 2):
            if gap[0] or gap[1]:
                yield "".join(gap[0]), "".join(gap[1])
                gap = [[], []]
            yield "".join(one[a:b])
        else:
            gap[0] += one[a:b]
            gap[1] += other[c:d]
    if gap[0] or gap[1]:
        yield "".join(gap[0]), "".join(gap[1])


def _generalized(one: _Atom, other: _Atom) -> _Pattern | None:
    """What two edits have in common; None where they are not alike."""
    if one.n_lines != other.n_lines or one.old == one.new:
        return None
    olds, news = (
        (_TOKEN.findall(one.old), _TOKEN.findall(other.old)),
        (_TOKEN.findall(one.new), _TOKEN.findall(other.new)),
    )
    if max(map(len, (*olds, *news))) > _MAX_TOKENS:
        return None
    holes: dict[tuple[str, str], int] = {}
    expression, kinds = "", list(segments(*olds))
    words: list[str] = []
    for index, segment in enumerate(kinds):
        if isinstance(segment, str):
            expression += re.escape(segment)
            words += _WORD.findall(segment)
            continue
        is_end = index in (0, len(kinds) - 1)
        if any("\n" in part for part in segment) or (not is_end and not all(segment)):
            return None
        if not all(map(is_balanced, segment)):
            return None
        if segment in holes:
            expression += f"(?P=h{holes[segment]})"
            continue
        holes[segment] = len(holes)
        kind = r"[\w$]+" if all(map(_WORD.fullmatch, segment)) else r"[^\n]+?" if all(segment) else r"[^\n]*?"
        expression += f"(?P<h{holes[segment]}>{kind})"
    constant = sum(len(word) > 1 for word in words)
    if constant < (1 if one.is_change else _LEAST_AROUND) or len(holes) > _MAX_HOLES:
        return None
    after, anchor = _filled(news, holes), max(words, key=len)
    return None if after is None else _Pattern(re.compile(expression), after, one.n_lines, 2, constant, anchor)


def _filled(news: tuple[list[str], list[str]], holes: dict[tuple[str, str], int]) -> str | None:
    """The new text with holes; None where it has what the old one has not."""
    after = ""
    for segment in segments(*news):
        if isinstance(segment, str):
            after += segment
        elif segment in holes:
            after += f"\0{holes[segment]}\0"
        else:
            inner = _composed(segment, holes)
            if inner is None:
                return None
            after += inner
    return after


def _composed(segment: tuple[str, str], holes: dict[tuple[str, str], int]) -> str | None:
    """A part that differs, made of one hole with the same text around it."""
    for (one, other), number in holes.items():
        if one and other and one in segment[0] and other in segment[1]:
            head, tail = segment[0].split(one, 1)
            if segment[1].split(other, 1) == [head, tail]:
                return f"{head}\0{number}\0{tail}"
    return None


def _exact(atom: _Atom) -> _Pattern | None:
    """What was done once, to be done where exactly the same stands."""
    words = _WORD.findall(atom.old)
    if sum(len(word) > 1 for word in words) < 2 or atom.old == atom.new:
        return None
    return _Pattern(re.compile(re.escape(atom.old)), atom.new, atom.n_lines, 1, len(words), max(words, key=len))


def _places(pattern: _Pattern, scene: Scene) -> Iterator[Proposal]:
    found: list[Proposal] = []
    near = {line - n for line in scene.lines_with(pattern.anchor) for n in range(pattern.n_lines)}
    for line in sorted(line for line in near if 0 <= line <= len(scene.lines) - pattern.n_lines):
        block = scene.lines[line : line + pattern.n_lines]
        if any(map(scene.is_edited, range(line, line + pattern.n_lines))) or not block[0].strip():
            continue
        indent = indentation(block[0])
        match = pattern.before.fullmatch("\n".join(each.removeprefix(indent) for each in block))
        if match is None or not all(is_balanced(hole or "") for hole in match.groups()):
            continue
        text = re.sub("\0(\\d+)\0", lambda hole, match=match: match[f"h{hole[1]}"] or "", pattern.after)  # type: ignore[misc]
        parts = text.split("\n") if text else []
        new = tuple((indent + each) if each.strip() else each for each in parts)
        layer = Layer.REPEAT if pattern.support > 1 else Layer.AGAIN
        if (proposal := _least(layer, line, tuple(block), new, pattern, scene)) is not None:
            found.append(proposal)
        if len(found) > _MAX_PLACES:
            return
    for proposal in found:
        yield replace(proposal, n_places=len(found), n_constant=pattern.n_constant)


def _least(
    layer: Layer, line: int, old: tuple[str, ...], new: tuple[str, ...], pattern: _Pattern, scene: Scene
) -> Proposal | None:
    """A proposal without lines that stay; None where nothing changes, or it is there already."""
    if old == new:
        return None
    head, tail = same_ends(old, new)
    line, old, new = line + head, old[head : len(old) - tail], new[head : len(new) - tail]
    if not old and (
        tuple(scene.lines[line - len(new) : line]) == new or tuple(scene.lines[line : line + len(new)]) == new
    ):
        return None
    return Proposal(layer, line, old, new, pattern.support)


def is_balanced(text: str) -> bool:
    """Whether its brackets are in pairs."""
    open_: list[str] = []
    for sign in text:
        if sign in "([{":
            open_.append(sign)
        elif sign in _PAIRS and (not open_ or open_.pop() != _PAIRS[sign]):
            return False
    return not open_
