"""A typist: she types what she wants, and takes what she wants of suggestions: the loop of `midfill bench typing`.

    each key comes after its own wait (`wish.Pace`), whatever is shown
    a ghost that has been there long enough before the next key is due catches her eye; she reads it
    of what agrees with her wish she takes the best: all, else whole lines and then words by the editor's own rule,
        each by one key, if that saves at least one key
    what she has read and does not want she types on through: it has cost her the reading; the same is not read again

Rules: the same for every contender, and for any clock. She knows her wish and nothing of the contender.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from evals.typing.screen import Clock, Screen
from evals.typing.wish import Edit, Pace, key_end, weight_of


@dataclass(frozen=True, slots=True)
class TextChange:
    """What happens to a document: `after` is its text then. `accepted` says by which key it came, "" by typing."""

    path: str
    begin: int
    removed: str
    text: str
    after: str
    accepted: str = ""  # "all", "line", "word"
    is_asked: bool = True  # typed or accepted: suggestions are wanted now

    @property
    def cursor(self) -> int:
        """Where it stands afterwards."""
        return self.begin + len(self.text)


class Player(Protocol):
    """A contender: an editor with its completions. It shows ghosts on its screen."""

    name: str
    screen: Screen
    pids: list[int]
    answers: list[dict[str, Any]]  # those since the edit began; the bench empties it

    def first_word(self, text: str) -> str:
        """What the editor's key for a word takes of a ghost; "" for nothing."""
        ...

    def first_line(self, text: str) -> str:
        """What its key for a line takes."""
        ...

    def enter(self, path: str, text: str, cursor: int) -> None:
        """The cursor is put into a file that may be another one than before."""
        ...

    def change(self, change: TextChange) -> None:
        """The text changed."""
        ...

    async def settle(self) -> None:
        """The edit is over, and the cursor elsewhere: know all that can be known of what was asked."""
        ...


@dataclass(slots=True)
class Key:
    """One key: `ghost` is what was visible just before it, `is_read` whether she had read that."""

    at: float
    position: int
    kind: str  # "key", or "all", "line", "word" that accept
    text: str
    ghost: str
    is_read: bool

    def record(self, began: float) -> dict[str, Any]:
        """As it is kept."""
        return {
            "at": round(self.at - began, 4),
            "position": self.position,
            "kind": self.kind,
            "text": self.text,
            "ghost": self.ghost,
            "is_read": self.is_read,
        }


@dataclass(slots=True)
class Person:
    """Types edits with one player."""

    player: Player
    clock: Clock
    pace: Pace
    texts: dict[str, str]
    tell: Callable[[str], None] = lambda line: None  # of a transcript
    _keys: list[Key] = field(default_factory=list)
    _read: str = ""  # the ghost that she has read, all of it, and what she typed since

    async def play(self, edit: Edit) -> dict[str, Any]:
        """Type an edit, and look at the screen until the cursor jumps on: what happened."""
        screen, clock = self.player.screen, self.clock
        screen.position, self._keys, self._read = 0, [], ""
        self.player.enter(edit.path, self.texts[edit.path], edit.at)
        if edit.removed:
            await self._pause(self.pace.delete(edit))
            self._change(edit, edit.at, edit.removed, "", is_asked=False)
        began = clock.now()
        await self._type(edit)
        ended = clock.now()
        if screen.position < len(edit.text):
            rest = edit.text[screen.position :]
            screen.hide()
            self._change(edit, edit.at + screen.position, "", rest, is_asked=False)
        await self._pause(self.pace.jump(edit))
        return {
            "seconds": round(ended - began, 3),
            "alone": round(self.pace.alone(edit), 3),
            "keys": [key.record(began) for key in self._keys],
            "ghosts": [shown.record(began) for shown in screen.take()],
            "began": began,
        }

    async def _type(self, edit: Edit) -> None:
        screen = self.player.screen
        while (position := screen.position) < edit.n_typed:
            pieces = await self._look(edit, self.clock.now() + self.pace.wait(edit, position))
            if not pieces:
                self._press(edit, "key", edit.text[position : key_end(edit.text, position)])
            for number, (kind, piece) in enumerate(pieces):
                if number:
                    await self._pause(self.pace.press(edit, screen.position))
                    if screen.ghost is None or not screen.ghost.text.startswith(piece):
                        break
                self._press(edit, kind, piece)

    async def _look(self, edit: Edit, due: float) -> list[tuple[str, str]]:
        """Wait until the next key is due; earlier, what she accepts of a ghost that she has read by then."""
        screen = self.player.screen
        if (patience := self.pace.waits(edit, screen.position)) and screen.is_awaited:
            due = max(due, await self._answer(edit, self.clock.now() + patience))
        while True:
            read_by = self._read_by(edit, due)
            await self.clock.wait(due if read_by is None else read_by)
            if screen.shown is not None and read_by is not None and self._read_by(edit, due) == read_by:
                if self.clock.now() < read_by:
                    continue
                self._read = screen.shown.text
                screen.shown.read_at = screen.shown.read_at or self.clock.now()
                if pieces := self.wanted(edit):
                    return pieces
                due = max(due, self.clock.now())
            elif self.clock.now() >= due:
                return []

    async def _answer(self, edit: Edit, until: float) -> float:
        """Wait for an answer; until when she then looks at what is shown."""
        screen, clock = self.player.screen, self.clock
        while screen.is_awaited and clock.now() < until:
            await clock.wait(until)
        is_new = screen.shown is not None and screen.shown.text != self._read
        return clock.now() + 2 * self.pace.notice(edit, screen.shown.position) if is_new and screen.shown else 0.0

    def _read_by(self, edit: Edit, due: float) -> float | None:
        """When she will have read what is shown; None if it does not catch her eye before the next key."""
        screen = self.player.screen
        if screen.shown is None or screen.ghost is None or self._read == screen.shown.text:
            return None
        noticed = screen.shown.began + self.pace.notice(edit, screen.shown.position)
        if noticed >= due:
            return None
        n_first = len(self.player.first_word(screen.ghost.text))
        return noticed + self.pace.read(screen.ghost.text, n_first)

    def wanted(self, edit: Edit) -> list[tuple[str, str]]:
        """(key, text) of what she accepts of the ghost; nothing unless that saves a key."""
        screen = self.player.screen
        if screen.ghost is None:
            return []
        return wanted(edit, screen.position, screen.ghost.text, self.player, is_whole=screen.ghost.is_whole)

    def _press(self, edit: Edit, kind: str, piece: str) -> None:
        screen = self.player.screen
        ghost = screen.ghost.text if screen.ghost else ""
        is_read = screen.shown is not None and screen.shown.read_at is not None
        key = Key(self.clock.now(), screen.position, kind, piece, ghost, is_read)
        self._keys.append(key)
        self.tell(f"{key.at:9.2f} {kind:>5} {piece!r:24} {'read' if is_read else ''} {ghost!r}")
        at = edit.at + screen.position
        if kind != "key" and screen.shown is not None:
            screen.shown.n_accepted += len(piece)
        screen.advance(piece)
        self._change(edit, at, "", piece, accepted="" if kind == "key" else kind)

    def _change(
        self, edit: Edit, begin: int, removed: str, text: str, *, accepted: str = "", is_asked: bool = True
    ) -> None:
        old = self.texts[edit.path]
        self.texts[edit.path] = after = old[:begin] + text + old[begin + len(removed) :]
        self.player.change(TextChange(edit.path, begin, removed, text, after, accepted, is_asked))

    async def _pause(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            await self.clock.wait(until)


class Accepting(Protocol):
    """An editor's keys that take a part of a ghost."""

    def first_word(self, text: str) -> str: ...

    def first_line(self, text: str) -> str: ...


def wanted(edit: Edit, position: int, ghost: str, keys: Accepting, *, is_whole: bool = True) -> list[tuple[str, str]]:
    """(key, text) that take of a ghost what the wish at a position goes on with, if that saves a key."""
    rest = edit.text[position:]
    if is_whole and rest.startswith(ghost):
        return [("all", ghost)] if weight_of(edit.text, position, position + len(ghost)) > 1 else []
    pieces: list[tuple[str, str]] = []
    best: list[tuple[str, str]] = []
    most = n_taken = 0
    for kind, cut in (("line", keys.first_line), ("word", keys.first_word)):
        while (piece := cut(ghost[n_taken:])) and rest.startswith(piece, n_taken) and len(piece) < len(ghost) - n_taken:
            pieces.append((kind, piece))
            n_taken += len(piece)
            saved = weight_of(edit.text, position, position + n_taken) - len(pieces)
            if saved > most:
                most, best = saved, list(pieces)
    return best
