"""Rule (e): a line was added to a list (a parameter, a field, a member), and another list has a line for each of them.

Two lists are twins where a line of one, with the name that its neighbour in the other is about, becomes that
neighbour's counterpart: fields and assignments, members and match arms, fields and `to_dict`:

    host: str       self.host = host
    port: int       self.port = port
    name: str  new  self.name = name   <- proposed: the line of `port`, with `name`

The same with what went: the counterpart goes.

Rules: pure; no tree. Two counterparts, of the neighbour and of its neighbour, must stand one below the other; else it
is no list.
"""

import re
from collections.abc import Iterator

from completion.code.lines import indentation
from completion.next_edit.edits import Layer, LineEdit, Proposal, pieces
from completion.next_edit.scene import Scene

_WORD = re.compile(r"[^\W\d][\w$]*")
_MAX_PLACES = 4


def twins(scene: Scene) -> Iterator[Proposal]:
    """The counterparts of lines that came into a list, or went from it."""
    for edit in scene.here:
        for piece in pieces(edit):
            if not piece.old and len(piece.new) == 1:
                yield from _places(scene, edit, piece, piece.new[0], is_new=True)
            elif not piece.new and len(piece.old) == 1:
                yield from _places(scene, edit, piece, piece.old[0], is_new=False)


def _places(scene: Scene, edit: LineEdit, piece: LineEdit, line: str, *, is_new: bool) -> Iterator[Proposal]:
    above = [scene.lines[n] for n in range(max(0, piece.line - 2), piece.line)]
    below = scene.lines[piece.end : piece.end + 2]
    found: dict[tuple[int, tuple[str, ...]], Proposal] = {}
    for neighbours in (above[::-1], below):
        if len(neighbours) < 2 or (name := _own(line, neighbours[0], neighbours[1])) is None:
            continue
        own, near, far = name
        for number, there in enumerate(scene.lines):
            if abs(number - piece.line) <= 2 or scene.is_edited(number) or near not in _WORD.findall(there):
                continue
            counterpart = _renamed(there, near, own)
            step = -1 if neighbours is not below else 1
            beside = scene.lines[number + step] if 0 <= number + step < len(scene.lines) else ""
            if is_new and beside == _renamed(there, near, far) and counterpart not in scene.lines:
                at = number + 1 if step < 0 else number
                proposal = Proposal(Layer.TWIN, at, (), (counterpart,), 2)
                found.setdefault((at, proposal.new), proposal)
            other = number - step
            is_there = 0 <= other < len(scene.lines) and scene.lines[other] == counterpart
            if not is_new and beside == _renamed(there, near, far) and is_there and not scene.is_edited(other):
                found.setdefault((other, ()), Proposal(Layer.TWIN, other, (counterpart,), (), 2))
    if len(found) <= _MAX_PLACES:
        for proposal in found.values():
            yield Proposal(
                proposal.layer, proposal.line, proposal.old, proposal.new, 2, len(found), n_constant=len(proposal.new)
            )


def _own(line: str, near: str, far: str) -> tuple[str, str, str] | None:
    """The names that three lines of a list are about: the first word in which all three differ."""
    if not (indentation(line) == indentation(near) == indentation(far)):
        return None
    words = [_WORD.findall(each) for each in (line, near, far)]
    for own, one, other in zip(*words, strict=False):
        if own == one == other:
            continue
        return (own, one, other) if len({own, one, other}) == 3 else None
    return None


def _renamed(line: str, old: str, new: str) -> str:
    return _WORD.sub(lambda word: new if word.group(0) == old else word.group(0), line)
