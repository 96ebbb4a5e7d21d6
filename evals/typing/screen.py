"""What a person sees: the ghost text at the cursor, and for how long it has been there. Used by `person`.

A ghost that goes on with what is typed stays the same ghost, and so does one that becomes longer: she goes on reading.

Rules: no clock of its own, no contender: players call `show` and `hide`, the person calls `advance`.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol


class Clock(Protocol):
    """Time in seconds."""

    def now(self) -> float: ...

    async def wait(self, until: float) -> None:
        """Return then, or earlier when `wake` is called."""
        ...

    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ghost:
    """A suggestion for the text as it is. `is_whole`: accepting all of it inserts `text`, and nothing else changes."""

    text: str
    is_whole: bool = True


@dataclass(slots=True)
class Shown:
    """One ghost from its appearance on: `text` is all of it, from where it began to the end of its longest form."""

    position: int  # in the wish
    text: str
    began: float
    ended: float = 0.0
    read_at: float | None = None  # when she had read it first
    n_accepted: int = 0  # characters

    def record(self, began: float) -> dict[str, Any]:
        """As it is kept; times are from the edit's beginning."""
        return {
            "position": self.position,
            "text": self.text,
            "began": round(self.began - began, 4),
            "ended": round(self.ended - began, 4),
            "read_at": None if self.read_at is None else round(self.read_at - began, 4),
            "n_accepted": self.n_accepted,
        }


@dataclass(slots=True)
class Screen:
    """The one place where ghost text is."""

    clock: Clock
    ghost: Ghost | None = None
    shown: Shown | None = None
    position: int = 0  # of the cursor in the wish
    past: list[Shown] = field(default_factory=list)
    is_awaited: bool = False  # an answer for the text as it is now is still to come; a player that cannot tell says no

    def answered(self) -> None:
        """The answer is there, shown or empty."""
        self.is_awaited = False
        self.clock.wake()

    def show(self, ghost: Ghost) -> None:
        """A suggestion is there for the text as it is now."""
        if not ghost.text:
            self.hide()
            return
        before = self.ghost.text if self.ghost else ""
        if self.shown and before and (ghost.text.startswith(before) or before.startswith(ghost.text)):
            typed = self.shown.text[: self.position - self.shown.position]
            self.shown.text = max(self.shown.text, typed + ghost.text, key=len)
        else:
            self.hide()
            self.shown = Shown(self.position, ghost.text, self.clock.now())
        self.ghost = ghost
        self.clock.wake()

    def hide(self) -> None:
        """Nothing is shown any more."""
        if self.shown is not None:
            self.shown.ended = self.clock.now()
            self.past.append(self.shown)
            self.shown = self.ghost = None
            self.clock.wake()

    def advance(self, piece: str) -> None:
        """This was typed or accepted: what goes on with it stays, without it; all else goes."""
        self.position += len(piece)
        if self.ghost is None:
            return
        if self.ghost.text.startswith(piece) and self.ghost.text != piece:
            old = self.ghost
            self.ghost = Ghost(old.text[len(piece) :], old.is_whole)
        else:
            self.hide()

    def take(self) -> list[Shown]:
        """The cursor goes elsewhere: what was shown until now."""
        self.hide()
        past, self.past = self.past, []
        return past
