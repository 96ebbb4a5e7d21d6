"""How likely it is that a next edit is wanted: what decides whether it is shown. And the answer to a request for one.

A logistic regression over what is known of a proposal: which rule made it, how often the edit was made before, at how
many places it would be made, how much the place has in common with the earlier ones, how far away it is and how large.
`midfill eval next-edit --fit` prints the weights, fitted on commits of the repositories that are chosen on; the figures
in docs/next-edit.md are of others.

Rules: pure; the weights are data. Silence is the answer to doubt, and what was dismissed once is not offered again.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from completion.next_edit.edits import Evidence, Layer, LineEdit, Proposal

# What the numbers mean differs by what was generalized: lines, parts of them, bound names, or neither.
_GROUPS = {
    Layer.REPEAT: "lines",
    Layer.AGAIN: "lines",
    Layer.LOCAL: "names",
    Layer.RENAME: "names",
    Layer.MEMBER: "names",
    Layer.FIELD: "names",
    Layer.SPAN: "spans",
}
# What is shown is wanted with at least this probability.
THRESHOLD = 0.6
_MOST_GAIN = 6.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal and how probably it is wanted."""

    proposal: Proposal
    probability: float


@dataclass(frozen=True, slots=True)
class NextEdits:
    """What is offered, the best first, or why nothing is, in words."""

    edits: tuple[Judged, ...]
    reason: str = ""
    n_proposed: int = 0
    best: float = 0.0  # probability of the best proposal, shown or not
    others: tuple[Judged, ...] = ()  # what is not offered


def features(proposal: Proposal, edits: Sequence[LineEdit], line: int) -> dict[str, float]:
    """What is known of a proposal; `line` is where the last edit, or the cursor, is."""
    if proposal.gain is not None:
        return {"model": 1.0, "model_gain": max(-_MOST_GAIN, min(_MOST_GAIN, proposal.gain))}
    n_lines = max(len(proposal.old), len(proposal.new))
    group = _GROUPS.get(proposal.layer, "other")
    known = {
        "bias": 1.0,
        f"is_{proposal.layer.value}": 1.0,
        f"{group}_log_support": math.log(max(1, proposal.support)),
        f"{group}_log_places": math.log(max(1, proposal.n_places)),
        f"{group}_log_constant": math.log1p(proposal.n_constant),
        f"{group}_is_alone": float(proposal.is_alone),
        f"{group}_is_insertion": float(not proposal.old),
        f"{group}_is_removal": float(not proposal.new),
        "log_distance": math.log1p(abs(proposal.line - line)) / 5,
        "log_lines": math.log(max(1, n_lines)),
        "log_edits": math.log(max(1, len(edits))),
    }
    said = {f"{group}_{each.name}": getattr(proposal.evidence, each.name) for each in fields(Evidence)}
    return known | said


def probability(known: dict[str, float]) -> float:
    """That it is wanted, 0 to 1."""
    logit = sum(WEIGHTS.get(name, 0.0) * value for name, value in known.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def asks_model(threshold: float) -> bool:
    """Whether the model is asked: by who wants to see everything, since it does not pay yet (docs/next-edit.md)."""
    return threshold <= 0.0


Dismissed = tuple[tuple[str, ...], tuple[str, ...]]


def dismissal(proposal: Proposal) -> Dismissed:
    """What a proposal is known by once it was dismissed: the same change, wherever it stands."""
    return proposal.old, proposal.new


def judge(
    proposals: Sequence[Proposal],
    edits: Sequence[LineEdit],
    line: int,
    *,
    threshold: float = THRESHOLD,
    dismissed: Collection[Dismissed] = (),
) -> NextEdits:
    """The proposals that are probably wanted, surest first, nearest first among equals."""
    if not edits:
        return NextEdits((), "nothing was edited yet")
    if not proposals:
        return NextEdits((), "nothing follows from the last edits that could be told without a model")
    judged = [Judged(each, probability(features(each, edits, line))) for each in proposals]
    best = max(each.probability for each in judged)
    fresh = [each for each in judged if dismissal(each.proposal) not in dismissed]
    if not fresh:
        return NextEdits((), "what would follow was dismissed before", len(judged), best, tuple(judged))
    kept = [each for each in fresh if each.probability >= threshold]
    if not kept:
        reason = f"wanted with a probability of {max(each.probability for each in fresh):.2f}, below {threshold:.2f}"
        return NextEdits((), reason, len(judged), best, tuple(judged))
    kept.sort(key=lambda each: (-round(each.probability, 1), _steps(each.proposal, line)))
    return NextEdits(tuple(kept), "", len(judged), best, tuple(each for each in judged if each not in kept))


def _steps(proposal: Proposal, line: int) -> tuple[bool, int]:
    """Down from the place of the last edit first, then from the file's top."""
    return proposal.line < line, proposal.line


# Printed by `midfill eval next-edit --fit`, but for two parts: that of the model is by hand (below); and of renamed
# names commits have too few to go by (some twenty), so theirs are those of an earlier fit, which gave them more weight,
# that of fields less one half: there a good half was wrong.
WEIGHTS: dict[str, float] = {
    "bias": -1.074,
    "is_again": -0.995,
    "is_import": 1.986,
    "is_repeat": -0.152,
    "is_signature": 0.570,
    "is_span": -3.387,
    "is_twin": 0.833,
    "is_unused": 1.258,
    "lines_is_insertion": 1.191,
    "lines_is_removal": 0.134,
    "lines_known": -1.053,
    "lines_left": -0.138,
    "lines_likeness": 1.347,
    "lines_log_constant": 0.564,
    "lines_log_places": -0.895,
    "lines_log_support": 0.966,
    "lines_near": 0.479,
    "lines_resemblance": 1.276,
    "log_distance": -0.937,
    "log_edits": 0.086,
    "log_lines": -0.238,
    "other_is_insertion": -0.894,
    "other_is_removal": 0.242,
    "other_log_constant": 0.891,
    "other_log_places": -1.902,
    "other_log_support": 0.577,
    "spans_is_alone": 1.268,
    "spans_known": -0.866,
    "spans_left": 0.648,
    "spans_likeness": 1.526,
    "spans_log_constant": 0.642,
    "spans_log_places": -0.934,
    "spans_log_support": 1.292,
    "spans_near": 0.346,
    "spans_resemblance": 2.043,
    # of names that were renamed
    "is_field": 0.770,
    "is_local": 0.242,
    "is_member": 0.859,
    "is_rename": 0.643,
    "names_is_alone": 2.270,
    "names_log_constant": 0.118,
    "names_log_places": -0.174,
    "names_log_support": 0.576,
    # of the model's proposals: 1 of 65 was what came, too few to fit anything; that its gain speaks for it is a guess
    "model": -4.1,
    "model_gain": 0.2,
}
