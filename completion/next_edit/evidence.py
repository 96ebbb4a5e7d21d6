"""What speaks for a proposal that goes by the words of lines (`repeat`, `spans`): read by `judge`.

    known         of the words that it brings in, how many stand in lines that nobody edited: a name that came with the
                  edits (a new function, a new parameter) follows more often than one that was there all the time
    near          how many stand near the place: what is used there can be used there
    left          of the words that it takes away, how many stand elsewhere still
    resemblance   how like the new lines are to the old ones: a line that was written anew follows from nothing
    likeness      how like the place is to the likest line that was edited, as that was

All are shares, 0 to 1. Rules: pure; no tree.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property

from completion.code.words import identifiers, likeness
from completion.next_edit.edits import Evidence, Proposal, pieces
from completion.next_edit.scene import Scene

_NEAR = 12  # lines
# Longer texts are compared by their beginnings.
_MAX_CHARACTERS = 400


class Witness:
    """Looks at proposals of one scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    @cached_property
    def _edited(self) -> list[frozenset[str]]:
        """The words of lines that were edited, as they were."""
        return [_words(piece.old) for edit in self._scene.edits for piece in pieces(edit) if piece.old]

    @cached_property
    def _known(self) -> Counter[str]:
        """In how many lines that nobody edited a word stands."""
        edited = {number for edit in self._scene.here for number in range(edit.line, edit.end)}
        lines = (line for number, line in enumerate(self._scene.lines) if number not in edited)
        return Counter(word for line in lines for word in set(identifiers(line)))

    def of(self, proposal: Proposal) -> Evidence:
        """What speaks for it."""
        old, new = _words(proposal.old), _words(proposal.new)
        came, gone = new - old, old - new
        first, end = proposal.line, proposal.line + len(proposal.old)
        near = _words([*self._scene.lines[max(0, first - _NEAR) : first], *self._scene.lines[end : end + _NEAR]])
        return Evidence(
            known=_share(came, self._known),
            near=_share(came, near),
            left=_share(gone, {word for word in gone if self._known[word] > 1}),
            resemblance=_resemblance(proposal.old, proposal.new),
            likeness=max((likeness(old, each) for each in self._edited), default=0.0),
        )


def _words(lines: Sequence[str]) -> frozenset[str]:
    return frozenset(word for line in lines for word in identifiers(line))


def _share(words: frozenset[str], of: Collection[str]) -> float:
    return sum(word in of for word in words) / len(words) if words else 0.0


def _resemblance(old: Sequence[str], new: Sequence[str]) -> float:
    one, other = ("\n".join(lines)[:_MAX_CHARACTERS] for lines in (old, new))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() if one and other else 0.0
