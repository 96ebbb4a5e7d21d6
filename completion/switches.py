"""What judges, ranks, cuts and repairs answers, each of which can be off: to measure what it is worth.

`midfill bench ... --without NAME` and `midfill eval ... --without NAME` measure without it; no setting of users does. A
request carries what is off (`CompletionRequest.without`), since parts of one run in other processes.

Rules: pure; `lsp_server.ablation` reads the environment. Each mechanism looks at its own switch alone.
"""

from collections.abc import Iterable
from enum import StrEnum


class Switch(StrEnum):
    """A mechanism that can be off. Filters of one module have one switch, unless they differ much."""

    RANKING = "ranking"  # the second opinion, and so openings
    OPENINGS = "openings"  # answers that are made to begin with what the lines below need
    FITS = "fits"  # what cannot well stand there gives way to other answers
    CHARACTERS = "characters"
    JUNK = "junk"
    LOOPS = "loops"
    SURPLUS = "surplus"
    INDENTATION = "indentation"  # first_indentation, later_indentation, misplaced_closer
    OVERLAP = "overlap"
    PARSE_CHECK = "parse_check"
    UNFINISHED = "unfinished"  # of the parse check: what is only unfinished is no error
    CLOSING = "closing"  # of the parse check: brackets that a block left open are closed
    BLOCK_END = "block_end"  # the syntax tree is asked whether a line ends a block
    NAMES = "names"  # that nobody knows are looked up, for `midfill why`
    MEMBERS = "members"
    CERTAINTY = "certainty"  # of automatic answers what is not certain is cut off
    TRUST = "trust"  # what became of ghosts tells how certain is certain enough
    PATIENCE = "patience"  # what there is after a while is shown, and the rest later
    TRIGGER = "trigger"  # the model is not asked where an answer would be in the way
    BODY_CHAT = "body_chat"
    BELOW_HEADER = "below_header"
    AHEAD = "ahead"


class UnknownSwitch(ValueError):
    """A name that no mechanism has; the message lists those that there are."""


def switches(names: Iterable[str]) -> frozenset[Switch]:
    """The switches of these names; empty ones count for nothing."""
    wanted = [name.strip() for name in names if name.strip()]
    if unknown := [name for name in wanted if name not in set(Switch)]:
        raise UnknownSwitch(f"no mechanism is called {unknown[0]!r}; there are {', '.join(Switch)}")
    return frozenset(map(Switch, wanted))
