"""Next edits that were offered in an editor window, how the answers came about, and what became of them.

Called by `lsp_server.methods.next_edit`; `midfill why` shows what is written.

Rules: no I/O but the log and what `write` does. What was dismissed is not offered again, nor what is like it, as
`completion.next_edit.judge.dismissal` says, until it was taken. What was answered in a private document is not written
down.
"""

import itertools
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from completion.next_edit.edits import LineEdit, Proposal
from completion.next_edit.judge import Dismissed, Judged, dismissal
from lsp_server.usage.explain import Spot
from lsp_server.usage.history import MAX_EXPLANATIONS, Entry, NextEditAnswer, Note

log = logging.getLogger(__name__)

_MAX_OFFERED = 200  # offers that are remembered
OFFERED, DISMISSED, BELOW = "offered", "dismissed before", "below the threshold"


@dataclass(frozen=True, slots=True)
class Considered:
    """A proposal of a file, as it was judged, and what the judge made of it."""

    path: str
    judged: Judged
    verdict: str

    @classmethod
    def other(cls, path: str, judged: Judged, dismissed: Collection[Dismissed]) -> "Considered":
        """Of a proposal that is not offered."""
        return cls(path, judged, DISMISSED if dismissal(judged.proposal) in dismissed else BELOW)


class NextEdits:
    """What was answered and offered in a window, and what was dismissed."""

    def __init__(self, window: str = "", write: Callable[[Entry], None] = lambda entry: None) -> None:
        self._window, self._write = window, write
        self._ids, self._answer_ids = itertools.count(1), itertools.count(1)
        self._offered: dict[str, tuple[Proposal, str]] = {}
        self._answers: deque[dict[str, Any]] = deque(maxlen=MAX_EXPLANATIONS)  # the newest first
        self.dismissed: set[Dismissed] = set()

    def answered(
        self,
        spot: Spot,
        edits: Sequence[LineEdit],
        considered: Sequence[Considered],
        reason: str,
        *,
        is_private: bool = False,
    ) -> str:
        """An answer goes out; its id. The same one again is told once."""
        told = _explanation(f"{self._window}-next-{next(self._answer_ids)}", spot, edits, considered, reason)
        if self._answers and _is_same(self._answers[0], told):
            return str(self._answers[0]["id"])
        self._answers.appendleft(told)
        if not is_private:
            self._write(NextEditAnswer(dict(told)))
        return str(told["id"])

    def offer(self, proposal: Proposal, answer: str = "") -> str:
        """An id to know an edit of an answer by."""
        name = f"next-{next(self._ids)}"
        self._offered[name] = proposal, answer
        while len(self._offered) > _MAX_OFFERED:
            del self._offered[next(iter(self._offered))]
        return name

    def accepted(self, name: str) -> None:
        """The user took an edit: a like one may be offered again."""
        if (proposal := self._ended(name, "accepted")) is not None:
            self.dismissed.discard(dismissal(proposal))

    def dismiss(self, name: str) -> None:
        """The user does not want an edit, nor one like it."""
        if (proposal := self._ended(name, "dismissed")) is not None:
            self.dismissed.add(dismissal(proposal))

    def why(self, n_last: int) -> list[dict[str, Any]]:
        """How the last answers came about, the newest first, each with its sentence."""
        return [{**told, "sentence": sentence(told)} for told in list(self._answers)[:n_last]]

    def _ended(self, name: str, fate: str) -> Proposal | None:
        proposal, answer = self._offered.pop(name, (None, ""))
        if proposal is None:
            return None
        log.info("next edit %s layer=%s", fate, proposal.layer)
        for told in self._answers:
            if told["id"] == answer:
                told["fate"] = fate
        self._write(Note(answer, {"fate": fate}))  # of what was not written there is nothing to add to
        return proposal


def _explanation(
    answer: str, spot: Spot, edits: Sequence[LineEdit], considered: Sequence[Considered], reason: str
) -> dict[str, Any]:
    return {
        "id": answer,
        **spot.told(),
        "edits": [{"path": edit.path, "old": list(edit.old), "new": list(edit.new)} for edit in edits],
        "proposals": [
            {
                "path": each.path,
                "line": each.judged.proposal.line + 1,
                "layer": each.judged.proposal.layer.value,
                "old": list(each.judged.proposal.old),
                "new": list(each.judged.proposal.new),
                "probability": round(each.judged.probability, 4),
                "verdict": each.verdict,
            }
            for each in considered
        ],
        "reason": reason,
        "fate": None,
    }


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["fate"] is None and all(one[key] == other[key] for key in ("uri", "edits", "proposals", "reason"))


_FATES = {"accepted": " It was accepted.", "dismissed": " It was dismissed."}


def sentence(known: Mapping[str, Any]) -> str:
    """An answer to a request for next edits, in words."""
    offered = [each for each in known["proposals"] if each["verdict"] == OFFERED]
    if not offered:
        return f"No next edit was offered: {known['reason'] or 'no further reason'}."
    first, more = offered[0], len(offered) - 1
    place = f"line {first['line']}" if first["path"] == known["path"] else f"{first['path']}:{first['line']}"
    others = f", and {more} more" if more else ""
    return f"A next edit was offered at {place}{others}.{_FATES.get(known.get('fate') or '', '')}"
