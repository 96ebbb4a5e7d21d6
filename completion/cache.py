"""Reuse: a user who types what is suggested gets the rest without another request, and one who comes back to a place
(with the cursor, or by an undo) gets what was shown there.

Called by the pipeline. Rules: an entry is found by the whole text before the cursor and the whole text after it: an
edit anywhere in the document may have made it wrong. A suggestion that was typed to its end is not an answer any more,
and the model is asked again. So it is for an invoked request where an automatic one was answered: that answer has no
alternatives.
"""

from collections import deque
from dataclasses import dataclass, replace

from completion.types import Alternative, Completion, CompletionRequest, Outcome, Trigger

_MAX_ENTRIES = 64
# How much text on each side is compared first. Only where it agrees the whole text is hashed: 3 ms for 5 MB.
_COMPARED_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class _Entry:
    session: str
    n_before: int
    before: str  # the end of the text before the cursor
    n_after: int
    after: str  # the beginning of the text after it
    whole: tuple[int, int]  # hashes of the whole text before the cursor and after it
    completion: Completion


class ReuseCache:
    """Recent completions, the last used first; what was used longest ago leaves."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=_MAX_ENTRIES)

    def remember(self, request: CompletionRequest, completion: Completion) -> None:
        """Keep a completion that is shown, in place of an older one in the same mode at the same place."""
        if completion.outcome is not Outcome.OK:
            return
        text, cursor = request.snapshot.text, request.cursor
        new = _Entry(
            session=request.session,
            n_before=cursor,
            before=text[max(0, cursor - _COMPARED_CHARACTERS) : cursor],
            n_after=len(text) - cursor,
            after=text[cursor : cursor + _COMPARED_CHARACTERS],
            whole=_hashes(text, cursor, cursor),
            completion=completion,
        )
        for old in [entry for entry in self._entries if _same_place(entry, new)]:
            self._entries.remove(old)
        self._entries.appendleft(new)

    def reuse(self, request: CompletionRequest) -> Completion | None:
        """What is left of an earlier suggestion whose beginning the user has typed since, or None."""
        for entry in self._entries:
            if _may_answer(entry, request) and _is_there(entry, request):
                self._entries.remove(entry)
                self._entries.appendleft(entry)
                typed = request.cursor - entry.n_before
                return replace(
                    entry.completion,
                    text=entry.completion.text[typed:],
                    alternatives=_typed_through(entry.completion, typed),
                    reused=True,
                    stats=None,
                    timings_ms={},
                )
        return None


def _may_answer(entry: _Entry, request: CompletionRequest) -> bool:
    return (
        entry.session == request.session
        and request.mode in (None, entry.completion.mode)
        and (request.trigger is Trigger.AUTOMATIC or _was_invoked(entry.completion))
    )


def _is_there(entry: _Entry, request: CompletionRequest) -> bool:
    """Whether the document is what it was, with a beginning of the suggestion before the cursor, but not all of it."""
    text, begin, cursor = request.snapshot.text, entry.n_before, request.cursor
    return (
        0 <= cursor - begin < len(entry.completion.text)
        and len(text) - cursor == entry.n_after
        and text[begin:cursor] == entry.completion.text[: cursor - begin]
        and text[cursor : cursor + _COMPARED_CHARACTERS] == entry.after
        and text[max(0, begin - _COMPARED_CHARACTERS) : begin] == entry.before
        and _hashes(text, begin, cursor) == entry.whole
    )


def _same_place(one: _Entry, other: _Entry) -> bool:
    at = (one.session, one.n_before, one.n_after, one.whole, one.completion.mode)
    return at == (other.session, other.n_before, other.n_after, other.whole, other.completion.mode)


def _hashes(text: str, end: int, begin: int) -> tuple[int, int]:
    """Of the text up to `end`, and of that from `begin` on."""
    return hash(text[:end]), hash(text[begin:])


def _was_invoked(completion: Completion) -> bool:
    return completion.trace is not None and completion.trace.trigger is Trigger.INVOKED


def _typed_through(completion: Completion, n: int) -> tuple[Alternative, ...]:
    """The alternatives that begin as the suggestion's first n characters, without these."""
    typed = completion.text[:n]
    fitting = (each for each in completion.alternatives if each.text.startswith(typed) and len(each.text) > n)
    return tuple(replace(each, text=each.text[n:]) for each in fitting)
