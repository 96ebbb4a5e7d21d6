"""A world without real time for a typist: a clock that jumps, and a player whose ghosts are scripted."""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from evals.typing.ours import first_line, first_word
from evals.typing.person import Person, TextChange
from evals.typing.screen import Ghost, Screen
from evals.typing.wish import Edit, Pace

KEY_S, NOTICE_S, READ_S, PRESS_S, JUMP_S = 0.2, 0.3, 0.1, 0.15, 2.0


class JumpingClock:
    """Goes at once to when something happens next."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    async def wait(self, until: float) -> None:
        if self._due and self._due[0][0] <= until:
            at, _, happen = heapq.heappop(self._due)
            self._now = max(self._now, at)
            happen()
        else:
            self._now = max(self._now, until)

    def wake(self) -> None:
        pass

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + seconds, next(self._order), happen))


@dataclass(frozen=True, slots=True)
class EvenPace(Pace):
    """A person without moods."""

    seed: int = 0

    def wait(self, edit: Edit, position: int) -> float:
        return KEY_S

    def jump(self, edit: Edit) -> float:
        return JUMP_S

    def delete(self, edit: Edit) -> float:
        return 1.0

    def press(self, edit: Edit, position: int) -> float:
        return PRESS_S

    def notice(self, edit: Edit, position: int) -> float:
        return NOTICE_S

    def read(self, text: str, n_first: int) -> float:
        return READ_S


class ScriptedPlayer:
    """After each change: the ghosts that `says` has for the wish's position, each after so many seconds.

    An older change's ghosts that are still to come do not.
    """

    name = "midfill"

    def __init__(self, clock: JumpingClock, says: Callable[[int], Sequence[tuple[float, str]]]) -> None:
        self.screen, self.pids = Screen(clock), list[int]()
        self.answers: list[dict[str, Any]] = []
        self.changes: list[TextChange] = []
        self._clock, self._says = clock, says

    def first_word(self, text: str) -> str:
        return first_word(text)

    def first_line(self, text: str) -> str:
        return first_line(text)

    def enter(self, path: str, text: str, cursor: int) -> None:
        pass

    def change(self, change: TextChange) -> None:
        self.changes.append(change)
        if change.is_asked:
            said = self._says(self.screen.position)
            self.screen.is_awaited = bool(said)
            for seconds, text in said:
                self._clock.later(seconds, lambda text=text: self._show(change, text))  # type: ignore[misc]

    async def settle(self) -> None:
        pass

    def _show(self, change: TextChange, text: str) -> None:
        if self.changes[-1] is change:
            self.screen.show(Ghost(text))
            self.screen.answered()


def edit_of(text: str, n_typed: int | None = None) -> Edit:
    """An edit at the beginning of an empty file."""
    return Edit(0, "a.py", 0, "", text, len(text) if n_typed is None else n_typed)


def typed(
    edit: Edit, says: Callable[[int], Sequence[tuple[float, str]]], before: str = ""
) -> tuple[dict[str, Any], ScriptedPlayer, str]:
    """What comes of an edit: its row, the player, and the file's text then."""
    clock = JumpingClock()
    player = ScriptedPlayer(clock, says)
    person = Person(player, clock, EvenPace(), {edit.path: before})
    row = run(person.play(edit))
    return row, player, person.texts[edit.path]


def run(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run it to its end."""
    return asyncio.run(work)


def keys(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The keys that were pressed, and what each brought."""
    return [(key["kind"], key["text"]) for key in row["keys"]]
