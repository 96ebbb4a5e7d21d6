"""Turns a change of a file into what a person does at the keyboard: jumps, deletions, keys, new lines, accepts.

    replaced or inserted lines are typed character by character; the editor indents new lines by itself; deleted
    lines go at once; now and then the rest of a line comes at once, as when a suggestion is accepted.

Rules: pure, and the same for every contender: what is typed never depends on what was suggested. Playing all actions
of a change on the text before gives the text after. Pauses are drawn from a seeded generator.
"""

import difflib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# Seconds before an action, as median and spread of a log-normal distribution: about 60 words a minute.
_WAITS = {
    "key": (0.17, 0.35),
    "newline": (0.35, 0.4),
    "delete": (0.5, 0.4),
    "accept": (0.6, 0.3),
    "jump": (1.5, 0.3),
    "switch": (2.5, 0.2),
}
_ACCEPT_SHARE = 0.25
# So many characters of a line are typed before its rest may be accepted, and so many must be left of it.
_TYPED_BEFORE_ACCEPT, _LEFT_TO_ACCEPT = 4, 5


class Kind(StrEnum):
    """What the person does."""

    KEY = "key"
    NEWLINE = "newline"
    DELETE = "delete"
    ACCEPT = "accept"
    JUMP = "jump"  # the cursor moves, nothing changes
    SWITCH = "switch"  # another file comes to the front


@dataclass(frozen=True, slots=True)
class Action:
    """After `wait_s`: `removed`, which stands at offset `begin` of `path`, is replaced by `text`."""

    kind: Kind
    path: str
    begin: int
    removed: str
    text: str
    wait_s: float

    @property
    def cursor(self) -> int:
        """Where the cursor stands afterwards."""
        return self.begin + len(self.text)


def play(text: str, action: Action) -> str:
    """The text after an action."""
    end = action.begin + len(action.removed)
    assert text[action.begin : end] == action.removed, "the text is not the one that the action was made for"
    return text[: action.begin] + action.text + text[end:]


def hunks_of(before: str, after: str) -> Iterator[tuple[int, str, str]]:
    """What turns `before` into `after`: (offset once the earlier ones are played, lines that go, lines that come)."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    shift = 0  # of offsets in `before`, by what was played so far
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        removed, added = "".join(old[i1:i2]), "".join(new[j1:j2])
        yield starts[i1] + shift, removed, added
        shift += len(added) - len(removed)


def trimmed(begin: int, removed: str, added: str) -> tuple[int, str, str]:
    """A hunk without what both sides begin and end with."""
    head = common(removed, added)
    tail = min(common(removed[::-1], added[::-1]), len(removed) - head, len(added) - head)
    return begin + head, removed[head : len(removed) - tail], added[head : len(added) - tail]


def actions_of(path: str, before: str, after: str, draw: random.Random) -> Iterator[Action]:
    """What turns `before` into `after`."""
    for hunk in hunks_of(before, after):
        at, gone, added = trimmed(*hunk)
        yield Action(Kind.JUMP, path, at, "", "", wait_of(Kind.JUMP, draw))
        if gone:
            yield Action(Kind.DELETE, path, at, gone, "", wait_of(Kind.DELETE, draw))
        yield from _typed(path, at, added, draw)


def _typed(path: str, at: int, text: str, draw: random.Random) -> Iterator[Action]:
    """Type a text at an offset."""
    index = in_line = 0
    accept = draw.random() < _ACCEPT_SHARE
    while index < len(text):
        if text[index] == "\n":
            indent = len(text[index + 1 :]) - len(text[index + 1 :].lstrip(" \t"))
            piece, kind, in_line = text[index : index + 1 + indent], Kind.NEWLINE, 0
            accept = draw.random() < _ACCEPT_SHARE
        else:
            rest = text[index : text.find("\n", index)] if "\n" in text[index:] else text[index:]
            if accept and in_line >= _TYPED_BEFORE_ACCEPT and len(rest) >= _LEFT_TO_ACCEPT:
                piece, kind, accept = rest, Kind.ACCEPT, False
            else:
                piece, kind = text[index], Kind.KEY
            in_line += len(piece)
        yield Action(kind, path, at + index, "", piece, wait_of(kind, draw))
        index += len(piece)


def common(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def wait_of(kind: Kind, draw: random.Random) -> float:
    """Seconds before an action of this kind."""
    median, spread = _WAITS[kind]
    return median * draw.lognormvariate(0.0, spread)
