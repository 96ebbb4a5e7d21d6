"""Typed-through reuse: a user who types what is suggested gets the rest without another request.

Rules: an entry is found by the text before and the text after the cursor, both. A suggestion that was typed
to its end is not an answer any more, and the model is asked again; so it is for somebody who asks where one was made
unasked: there are no others beside it.
"""

from collections import deque
from dataclasses import dataclass, replace

from completion.types import Alternative, Completion, CompletionRequest, Outcome, Trigger

_MAX_ENTRIES = 64
# How much text on each side must agree, besides the lengths; two cursors that agree so far are the same.
_COMPARED_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class _Entry:
    session: str
    n_before: int
    before: str  # the end of the text before the cursor
    n_after: int
    after: str  # the beginning of the text after it
    completion: Completion


class ReuseCache:
    """Recent completions, the last used first; what was used longest ago leaves."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=_MAX_ENTRIES)

    def remember(self, request: CompletionRequest, completion: Completion) -> None:
        """Keep a completion that is shown."""
        if completion.outcome is not Outcome.OK:
            return
        text, cursor = request.snapshot.text, request.cursor
        self._entries.appendleft(
            _Entry(
                session=request.session,
                n_before=cursor,
                before=text[max(0, cursor - _COMPARED_CHARACTERS) : cursor],
                n_after=len(text) - cursor,
                after=text[cursor : cursor + _COMPARED_CHARACTERS],
                completion=completion,
            )
        )

    def reuse(self, request: CompletionRequest) -> Completion | None:
        """What is left of an earlier suggestion whose beginning the user has typed since, or None."""
        text, cursor = request.snapshot.text, request.cursor
        after = text[cursor : cursor + _COMPARED_CHARACTERS]
        for entry in self._entries:
            typed = cursor - entry.n_before
            if (
                entry.session == request.session
                and request.mode in (None, entry.completion.mode)
                and (request.trigger is Trigger.AUTOMATIC or _was_asked_for(entry.completion))
                and 0 <= typed < len(entry.completion.text)
                and len(text) - cursor == entry.n_after
                and after == entry.after
                and text[entry.n_before : cursor] == entry.completion.text[:typed]
                and text[max(0, entry.n_before - _COMPARED_CHARACTERS) : entry.n_before] == entry.before
            ):
                self._entries.remove(entry)
                self._entries.appendleft(entry)
                return replace(
                    entry.completion,
                    text=entry.completion.text[typed:],
                    alternatives=_typed_through(entry.completion, typed),
                    reused=True,
                    stats=None,
                    timings_ms={},
                )
        return None


def _was_asked_for(completion: Completion) -> bool:
    return completion.trace is not None and completion.trace.trigger is Trigger.INVOKED


def _typed_through(completion: Completion, n: int) -> tuple[Alternative, ...]:
    """The alternatives that begin as the suggestion's first n characters, without these."""
    typed = completion.text[:n]
    fitting = (each for each in completion.alternatives if each.text.startswith(typed) and len(each.text) > n)
    return tuple(replace(each, text=each.text[n:]) for each in fitting)
