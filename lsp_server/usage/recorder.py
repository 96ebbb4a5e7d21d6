"""What a window remembers of its suggestions: their fates, whether accepted text stays, how answers came about.

Called by the handlers and the server. `acceptance` and `keeping` decide, `history` writes; here are clock and timers.

Rules: nothing here waits (but `leave`), and nothing raises. With `midfill.statistics` off nothing is written; the last
explanations are still known to `midfill/why`, in memory.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types as t

from completion.types import Completion, Outcome, Snippet, Trigger
from lsp_server.documents.store import Document, DocumentStore, index_of_units
from lsp_server.usage import keeping
from lsp_server.usage.acceptance import Fate, Suggestion, Tracker, Verdict
from lsp_server.usage.explain import Origin, Spot, explanation, sentence
from lsp_server.usage.history import (
    INSTEAD,
    MAX_EXPLANATIONS,
    Entry,
    Event,
    History,
    Note,
    history_file,
)
from lsp_server.usage.keeping import LineChange

log = logging.getLogger(__name__)

KEPT_AFTER_S = 300.0
# Superseded while the user types: the answer that counts comes right after.
_UNEXPLAINED = (Outcome.CANCELLED, Outcome.STALE)


@dataclass(slots=True)
class _Accepted:
    """An accepted text that is looked for later."""

    uri: str
    text: str  # with the whole of its first word
    line: int
    event: Event
    timer: asyncio.TimerHandle


class Recorder:
    """The memory of one editor window."""

    def __init__(
        self,
        documents: DocumentStore,
        window: str,
        on_outcome: Callable[[float, bool], None] = lambda probability, was_kept: None,
    ) -> None:
        """`on_outcome` hears whether an automatic suggestion, shown with a probability, was kept in whole."""
        self.kept_after_s = KEPT_AFTER_S
        self._on_outcome = on_outcome
        self._documents, self._window = documents, window
        self._tracker = Tracker()
        self._history: History | None = None
        self._leaving: History | None = None  # what `close` left to be written
        self._n_answers = 0
        self._shown: dict[str, Event] = {}  # of the open suggestions
        self._untold: set[str] = set()  # of them, automatic ones whose outcome is not told yet
        self._accepted: list[_Accepted] = []
        self._explanations: deque[dict[str, Any]] = deque(maxlen=MAX_EXPLANATIONS)  # the newest first

    def configure(self, enabled: bool) -> None:
        """Write from now on, or write nothing."""
        if enabled and self._history is None:
            try:
                self._history = History(history_file())
            except (OSError, RuntimeError) as error:  # no thread can be started, say
                log.warning("statistics are not written: %s", error)
        elif not enabled and self._history is not None:
            self._history.stop()
            self._history = None

    def close(self) -> None:
        """The server leaves: judge now what is open, and have it written."""
        for uri in {*self._tracker.uris(), *(accepted.uri for accepted in self._accepted)}:
            self.closed(uri)
        self._leaving = self._history
        self.configure(enabled=False)

    def leave(self) -> None:
        """The server's process ends: block until all is written, for a moment at most."""
        if self._history is not None:
            self.close()
        if self._leaving is not None:
            self._leaving.join()

    # -- what the server says ------------------------------------------------------------------------------

    def answered(
        self,
        completion: Completion,
        spot: Spot,
        suggestion: Suggestion | None,
        origins: Mapping[Snippet, Origin],
        *,
        is_private: bool = False,
    ) -> str:
        """An answer goes out; its id. `suggestion` is None when it shows nothing; its id is given here.

        What was said in a private document is not written down.
        """
        if suggestion is not None and (same := self._tracker.same(suggestion)) is not None:
            self._follow(self._tracker.answered(replace(suggestion, id=same)))
            return same
        self._n_answers += 1
        number = f"{self._window}-{self._n_answers}"
        if suggestion is None and completion.outcome in _UNEXPLAINED:
            return number
        told = explanation(number, spot, completion, origins)
        self._explanations.appendleft(told)
        if not is_private:
            self._write(told)
        if suggestion is not None:
            self._shown[number] = Event(
                at=spot.at,
                id=number,
                kind=Fate.SHOWN,
                language=spot.language,
                mode=completion.mode,
                characters=len(completion.text),
                latency_ms=round(spot.latency_ms, 2),
                reused=completion.reused,
                probability=completion.probability,
            )
            is_automatic = completion.trace is not None and completion.trace.trigger is Trigger.AUTOMATIC
            if is_automatic and completion.probability is not None:
                self._untold.add(number)
            self._follow(self._tracker.answered(replace(suggestion, id=number)))
        return number

    def edited(self, uri: str, changes: Iterable[t.TextDocumentContentChangeEvent]) -> None:
        """The changes of one notification were applied to a document."""
        if (document := self._documents.get(uri)) is not None:
            lines = [
                line_change(change) for change in changes if isinstance(change, t.TextDocumentContentChangePartial)
            ]
            for accepted in self._accepted:
                if accepted.uri == uri:
                    accepted.line = keeping.moved(accepted.line, lines)
            self._follow(self._tracker.edited(uri, document))
            refused = self._tracker.refused(uri)
            if refused is not None and (shown := self._shown.get(refused)) is not None:
                self._tell(shown, was_kept=False)  # its fate is open for a few edits more

    def closed(self, uri: str) -> None:
        """A document is about to be closed: its accepted texts are judged now."""
        self._follow(self._tracker.closed(uri))
        for accepted in [accepted for accepted in self._accepted if accepted.uri == uri]:
            self._judge(accepted, early=True)

    # -- what the editor says ------------------------------------------------------------------------------

    def shown(self, suggestion_id: str) -> None:
        """The editor shows a suggestion."""
        self._follow(self._tracker.shown(suggestion_id))

    def accepted(self, suggestion_id: str, number: int = 0) -> None:
        """The user accepted a suggestion, or the `number`-th of the others beside it."""
        self._follow(self._tracker.accepted(suggestion_id, number))

    def partially(self, suggestion_id: str, n_utf16: int) -> None:
        """The item's first UTF-16 units are accepted by now."""
        item = self._tracker.item_text(suggestion_id)
        n_characters = index_of_units(item, n_utf16, t.PositionEncodingKind.Utf16)
        self._follow(self._tracker.partially(suggestion_id, n_characters))

    def dismissed(self, suggestion_id: str) -> None:
        """The user did not want a suggestion."""
        self._follow(self._tracker.dismissed(suggestion_id))

    def write(self, entry: Entry) -> None:
        """Have what others tell written, if anything is."""
        self._write(entry)

    def why(self, n_last: int) -> list[dict[str, Any]]:
        """The last explanations, the newest first, each with its sentence."""
        return [{**told, "sentence": sentence(told)} for told in list(self._explanations)[:n_last]]

    # -- what follows --------------------------------------------------------------------------------------

    def _follow(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self._note(verdict.id, fate=verdict.fate)
            if verdict.instead:
                self._note(verdict.id, acceptedInstead=verdict.text)
            if (shown := self._shown.get(verdict.id)) is None:
                continue
            if verdict.fate is Fate.SHOWN:
                self._write(shown)
                continue
            if verdict.fate in (Fate.ACCEPTED, Fate.TYPED):
                self._tell(shown, was_kept=True)
            elif verdict.is_refused:  # what is only superseded may be the beginning of what the user goes on to write
                self._tell(shown, was_kept=False)
            del self._shown[verdict.id]
            self._untold.discard(verdict.id)
            event = replace(shown, at=time.time(), kind=verdict.fate, characters=len(verdict.text))
            self._write(event)
            if verdict.instead:
                self._write(replace(event, kind=INSTEAD))
                self._write(Note(verdict.id, {"acceptedInstead": verdict.text}))
            if verdict.fate in (Fate.ACCEPTED, Fate.PARTIAL):
                self._look_later(verdict, event)
        if len(self._shown) > MAX_EXPLANATIONS:  # never shown by an editor that says what it shows
            self._shown = dict(list(self._shown.items())[-MAX_EXPLANATIONS:])
            self._untold &= self._shown.keys()

    def _tell(self, shown: Event, *, was_kept: bool) -> None:
        """What became of an automatic suggestion, once."""
        if shown.id in self._untold and shown.probability is not None:
            self._untold.remove(shown.id)
            self._on_outcome(shown.probability, was_kept)

    def _look_later(self, verdict: Verdict, event: Event) -> None:
        def look() -> None:
            self._judge(accepted, early=False)

        timer = asyncio.get_running_loop().call_later(self.kept_after_s, look)
        accepted = _Accepted(verdict.uri, verdict.word + verdict.text, verdict.line, event, timer)
        self._accepted.append(accepted)

    def _judge(self, accepted: _Accepted, *, early: bool) -> None:
        accepted.timer.cancel()
        self._accepted.remove(accepted)
        document: Document | None = self._documents.get(accepted.uri)
        if document is None:
            return
        share = keeping.share_standing(accepted.text, accepted.line, document)
        kind = "kept" if share >= keeping.KEPT_SHARE else "changed"
        self._write(replace(accepted.event, at=time.time(), kind=kind, share=round(share, 3), early=early))
        self._note(accepted.event.id, keptShare=round(share, 3))

    def _note(self, suggestion_id: str, **facts: Any) -> None:
        for told in self._explanations:
            if told["id"] == suggestion_id:
                told |= facts

    def _write(self, entry: Entry) -> None:
        if self._history is not None:
            self._history.add(dict(entry) if isinstance(entry, dict) else entry)


def line_change(change: t.TextDocumentContentChangePartial) -> LineChange:
    """The lines that an edit touches."""
    first, last = sorted((change.range.start.line, change.range.end.line))
    return LineChange(first, last, change.text.count("\n"))
