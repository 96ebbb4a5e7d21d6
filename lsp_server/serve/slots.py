"""Which session of the model process a request runs in: a few, so that tools take little of what editors share.

A session serves one request at a time (a newer one would end it), and keeps the keys and values of its last prompt. So
a request waits for the session whose last prompt it resembles, where there is one: what it must compute there is what
is new in it. Any other takes the free session that was used longest ago.

Rules: the event loop's alone. A slot is free again however its request ends. Nobody waits for ever: who is not served
in time hears when to ask again. Who came first is served first. Resemblance is shared runs of tokens:
a prompt that grows, is cut at its beginning or has other snippets in front still resembles what it was.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lsp_server.serve.refusals import Refused

_N_SLOTS = 8
_MOST_WAITING = 64
# Whoever typed has long typed on.
_LONGEST_WAIT_S = 30.0
_RUN = 8
# Of a prompt's runs, how many must be there: two files of one language share fewer.
_ALIKE = 0.5
_RETRY_S = 2

_Runs = frozenset[tuple[int, ...]]


@dataclass(slots=True, eq=False)
class _Slot:
    session: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    n_asking: int = 0  # it runs, or waits for it
    runs: _Runs = frozenset()  # of the prompt that it has, or will have


class Slots:
    """The sessions of one `midfill serve`."""

    def __init__(self, longest_wait_s: float = _LONGEST_WAIT_S) -> None:
        self._longest_wait_s = longest_wait_s
        self._slots = [_Slot(f"serve/{os.getpid()}/{number}") for number in range(_N_SLOTS)]  # used last come last

    @property
    def n_running(self) -> int:
        """Requests that hold a session."""
        return sum(slot.turn.locked() for slot in self._slots)

    @property
    def n_waiting(self) -> int:
        """Requests that wait for one."""
        return sum(slot.n_asking for slot in self._slots) - self.n_running

    @asynccontextmanager
    async def held(self, ids: Sequence[int]) -> AsyncIterator[str]:
        """A session for a prompt, its alone until the end of this; Refused when too many wait, or for too long."""
        if self.n_waiting >= _MOST_WAITING:
            raise Refused(503, f"{_MOST_WAITING} requests are waiting already", retry_after_s=_RETRY_S)
        runs = _runs(ids)
        slot = self._best(runs)
        self._slots.remove(slot)
        self._slots.append(slot)
        slot.runs = runs
        slot.n_asking += 1
        try:
            await self._turn(slot)
            try:
                yield slot.session
            finally:
                slot.turn.release()
        finally:
            slot.n_asking -= 1

    async def _turn(self, slot: _Slot) -> None:
        try:
            async with asyncio.timeout(self._longest_wait_s):
                await slot.turn.acquire()
        except TimeoutError as error:
            sentence = f"it was not this request's turn for {self._longest_wait_s:g} s: too many ask"
            raise Refused(503, sentence, retry_after_s=_RETRY_S) from error

    def _best(self, runs: _Runs) -> _Slot:
        alike = max(self._slots, key=lambda slot: len(runs & slot.runs))
        if runs and len(runs & alike.runs) >= _ALIKE * len(runs):
            return alike
        return min(self._slots, key=lambda slot: slot.n_asking)  # the first of these was used longest ago


def _runs(ids: Sequence[int]) -> _Runs:
    return frozenset(zip(*(ids[at:] for at in range(_RUN)), strict=False))
