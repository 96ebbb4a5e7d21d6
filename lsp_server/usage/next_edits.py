"""Next edits that were offered in an editor window, and what became of them.

Called by `lsp_server.methods.next_edit`. Rules: no I/O but the log; what was dismissed is not offered again, nor what
is like it, as `completion.next_edit.judge.dismissal` says, until it was taken.
"""

import itertools
import logging

from completion.next_edit.edits import Proposal
from completion.next_edit.judge import Dismissed, dismissal

log = logging.getLogger(__name__)

_MAX_OFFERED = 200  # offers that are remembered


class NextEdits:
    """What was offered in a window, and what was dismissed."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._offered: dict[str, Proposal] = {}
        self.dismissed: set[Dismissed] = set()

    def offer(self, proposal: Proposal) -> str:
        """An id to know an edit by."""
        name = f"next-{next(self._ids)}"
        self._offered[name] = proposal
        while len(self._offered) > _MAX_OFFERED:
            del self._offered[next(iter(self._offered))]
        return name

    def accepted(self, name: str) -> None:
        """The user took an edit: a like one may be offered again."""
        if (proposal := self._offered.pop(name, None)) is not None:
            self.dismissed.discard(dismissal(proposal))
            log.info("next edit accepted layer=%s", proposal.layer)

    def dismiss(self, name: str) -> None:
        """The user does not want an edit, nor one like it."""
        if (proposal := self._offered.pop(name, None)) is not None:
            self.dismissed.add(dismissal(proposal))
            log.info("next edit dismissed layer=%s", proposal.layer)
