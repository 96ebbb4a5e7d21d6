"""What a person wants to write: the edits between two states of a file, and the keys that it takes without any help.

    an edit     the cursor jumps, deleted text goes at once, and then a text is typed at one place
    a key       one character; with a line end comes the next line's indentation, which the editor puts in, and with a
                blank those that line things up, which a formatter puts in
    weight      1 a character, 0 for blanks that come along: nobody types them, so nobody is saved them

A whole line that comes in is typed as people do: from the end of the line above, beginning with Enter. Of a very long
edit the beginning is typed, the rest comes at once, as if pasted: otherwise one edit would be all of a history.

Rules: pure, seeded, and the same for every contender.
"""

import difflib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evals.replay.history import History
from evals.replay.keystrokes import Kind, common, hunks_of, trimmed, wait_of

_LONGEST_KEYS = 100  # of an edit
_LIKE = 0.6  # lines that are changed rather than written anew (difflib's ratio)
_VISIT_SHARE = 5  # a file is left after this part of the keys
_NOTICE_S, _NOTICE_SPREAD = 0.3, 0.3
_READ_S, _MOST_READ_S = 0.03, 1.0
_LOOKS_SHARE = 0.25  # of the keys, where she has any patience


@dataclass(frozen=True, slots=True)
class Edit:
    """`removed`, which stands at `at`, goes; then `text` is typed there, the first `n_typed` characters by keys."""

    number: int
    path: str
    at: int
    removed: str
    text: str
    n_typed: int

    def steps(self) -> Iterator[tuple[int, int]]:
        """(begin, end) in `text` of what each key brings."""
        position = 0
        while position < self.n_typed:
            end = key_end(self.text, position)
            yield position, end
            position = end

    @property
    def n_keys(self) -> int:
        """Without any help."""
        return sum(1 for _ in self.steps())

    def weight(self, begin: int, end: int) -> int:
        """Keys' worth of text[begin:end]."""
        return weight_of(self.text, begin, end)


def key_end(text: str, position: int) -> int:
    """Where the key at a position ends: behind the character, and behind the blanks that come with it."""
    end = position + 1
    while end < len(text) and _comes_along(text, end) and text[position] in "\n \t":
        end += 1
    return end


def weight_of(text: str, begin: int, end: int) -> int:
    """Characters of text[begin:end] that a key is needed for."""
    return sum(not _comes_along(text, position) for position in range(begin, end))


def _comes_along(text: str, position: int) -> bool:
    """Whether a character is a blank behind a blank or a line end."""
    return position > 0 and text[position] in " \t" and text[position - 1] in "\n \t"


def edits_of(path: str, before: str, after: str) -> Iterator[Edit]:
    """What turns `before` into `after`; playing them in order does."""
    text = before
    pieces = [piece for hunk in hunks_of(before, after) for piece in _pieces(*hunk)]
    for number, (at, gone, added) in enumerate(pieces):
        without = text[:at] + text[at + len(gone) :]
        place, wish = _from_line_end(without, at, added)
        text = without[:at] + added + without[at:]
        if gone and place != at:  # what goes lies behind the place: it goes first, in an edit of its own
            yield Edit(number, path, at, gone, "", 0)
            gone = ""
        if gone or wish:
            yield Edit(number, path, place, gone, wish, _n_typed(wish))


def _pieces(begin: int, removed: str, added: str) -> Iterator[tuple[int, str, str]]:
    """A hunk as a person goes about it: (offset once the earlier ones are played, what goes, what comes).

    Lines that became others one by one are changed where they differ; else what is behind the first difference goes, to
    the end of the last line, and is written anew.
    """
    old, new = removed.splitlines(keepends=True), added.splitlines(keepends=True)
    if len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            if one != other:
                yield trimmed(begin, one, other) if _is_like(one, other) else _rewritten(begin, one, other)
            begin += len(other)
    elif removed and added:
        yield _rewritten(begin, removed, added)
    else:
        yield begin, removed, added


def _is_like(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one.strip(), other.strip(), autojunk=False).ratio() >= _LIKE


def _rewritten(begin: int, removed: str, added: str) -> tuple[int, str, str]:
    head = min(common(removed, added), (removed + "\n").index("\n"), (added + "\n").index("\n"))
    tail = len("\n") if removed[head:].endswith("\n") and added[head:].endswith("\n") else 0
    return begin + head, removed[head : len(removed) - tail], added[head : len(added) - tail]


def played(text: str, edit: Edit) -> str:
    """The text after an edit."""
    end = edit.at + len(edit.removed)
    assert text[edit.at : end] == edit.removed, "the text is not the one that the edit was made for"
    return text[: edit.at] + edit.text + text[end:]


def _from_line_end(text: str, at: int, added: str) -> tuple[int, str]:
    """(place, text) of the same insertion, made from the end of a line if that gives the same."""
    place, wish = at, added
    while wish and place < len(text) and text[place] != "\n":
        if place == 0 or text[place - 1] != wish[-1]:
            return at, added
        place, wish = place - 1, wish[-1] + wish[:-1]
    return place, wish


def _n_typed(wish: str) -> int:
    """How much of a text is typed: all of it, or the lines that so many keys are enough for."""
    position = n_keys = 0
    while position < len(wish):
        if n_keys >= _LONGEST_KEYS and wish[position] == "\n":
            return position
        position = key_end(wish, position)
        n_keys += 1
    return len(wish)


def wish_of(history: History, n_keys: int, seed: int) -> list[Edit]:
    """Edits of a history, file after file and back, until there are so many keys; numbered as they are played."""
    draw = random.Random(seed)
    by_file = {change.path: list(edits_of(change.path, change.before, change.after)) for change in history.changes}
    chosen: list[Edit] = []
    n_chosen = 0
    while by_file and n_chosen < n_keys:
        path = draw.choice(sorted(by_file))
        edits, n_here = by_file.pop(path), 0
        while edits and n_chosen < n_keys and n_here <= n_keys // _VISIT_SHARE:
            edit = edits.pop(0)
            n_here += edit.n_keys
            n_chosen += edit.n_keys
            chosen.append(edit)
        if edits:
            by_file[path] = edits
    return [Edit(n, e.path, e.at, e.removed, e.text, e.n_typed) for n, e in enumerate(chosen)]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a person is, in seconds; drawn by place alone, so that it is the same whatever is shown.

    A suggestion catches the eye after `notice`: log-normal, median .3 s, which is enough for its first word (a choice
    reaction takes .25 to .4 s). The rest is read at 30 ms a character, up to a second: prose is read silently at 238
    words a minute, so 42 ms a character (Brysbaert 2019), and she only compares it with what she has in mind.
    One who looks for suggestions waits for an answer at every fourth key, for so many seconds at most: `patience`.
    """

    seed: int
    speed: float = 1.0
    patience: float = 0.0

    def wait(self, edit: Edit, position: int) -> float:
        """Before the key at a position: a line's end and the first key of a line take thought."""
        line = edit.text[edit.text.rfind("\n", 0, position) + 1 : position]
        is_line = edit.text[position] == "\n" or not line.strip()
        return self._of(edit, position, Kind.NEWLINE if is_line else Kind.KEY)

    def waits(self, edit: Edit, position: int) -> float:
        """How long she waits at most, before the key at a position, for an answer that is still to come."""
        draw = random.Random(f"{self.seed} {edit.path} {edit.number} {position} waits")
        return self.patience if draw.random() < _LOOKS_SHARE else 0.0

    def jump(self, edit: Edit) -> float:
        """Before an edit."""
        return self._of(edit, -1, Kind.JUMP)

    def delete(self, edit: Edit) -> float:
        """Before text goes."""
        return self._of(edit, -2, Kind.DELETE)

    def press(self, edit: Edit, position: int) -> float:
        """Before one more accepting key."""
        return self._of(edit, position, Kind.KEY, "press")

    def notice(self, edit: Edit, position: int) -> float:
        """From a suggestion's appearance until its first word is read."""
        draw = random.Random(f"{self.seed} {edit.path} {edit.number} {position} notice")
        return _NOTICE_S * draw.lognormvariate(0.0, _NOTICE_SPREAD) / self.speed

    def read(self, text: str, n_first: int) -> float:
        """For what comes after the first word."""
        return min(_MOST_READ_S, _READ_S * max(0, len(text) - n_first)) / self.speed

    def alone(self, edit: Edit) -> float:
        """Seconds for all keys of an edit."""
        return sum(self.wait(edit, begin) for begin, _ in edit.steps())

    def _of(self, edit: Edit, position: int, kind: Kind, why: str = "") -> float:
        draw = random.Random(f"{self.seed} {edit.path} {edit.number} {position} {kind} {why}")
        return wait_of(kind, draw) / self.speed


def files_open(history: History, wish: Sequence[Edit], n_most: int) -> dict[str, str]:
    """Files that are open as she begins: those she will edit, and then neighbours of them, up to so many."""
    edited = list(dict.fromkeys(edit.path for edit in wish))
    folders = {path.rpartition("/")[0] for path in edited}
    near = [path for path in sorted(history.files) if path not in edited and path.rpartition("/")[0] in folders]
    near = [path for path in near if path.rpartition(".")[2] == edited[0].rpartition(".")[2]]
    return {path: history.files[path] for path in [*edited, *near[: max(0, n_most - len(edited))]]}
