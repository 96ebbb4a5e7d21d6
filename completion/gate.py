"""How likely it is that the user keeps a suggestion: what decides whether an automatic one is shown.

A logistic regression over what is known when the model is done. Called by the pipeline; `midfill eval gate` fits the
weights on results of the other suites and says how well they are calibrated on the half it has not seen.

Rules: pure. The weights are data, printed by that command; nothing here is tuned by hand.
"""

import math
from dataclasses import dataclass

from completion.asking import Attempt
from completion.lines import before_cursor
from completion.types import CompletionRequest, FilterStep, Mode
from parsers.parse import byte_offset
from parsers.scope import CursorKind, cursor_kind

# A log-probability below this says no more than this.
_LEAST_LOGPROB = -6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What is known of a suggestion. All are numbers, about 0 to a few."""

    bias: float = 1.0
    joint_logprob: float  # of all tokens together; these three with what is typed given
    mean_logprob: float
    min_logprob: float
    first_logprob: float  # of the first token
    log_characters: float
    log_lines: float
    is_block: float
    in_prose: float  # in a comment or a string
    at_line_start: float  # nothing but blanks stands before the cursor
    unknown_names: float
    was_cut: float  # a filter found something wrong


def features(
    request: CompletionRequest,
    mode: Mode,
    attempt: Attempt,
    unknown_names: tuple[str, ...] = (),
) -> Features:
    """What is known of an attempt."""
    logprobs = [max(_LEAST_LOGPROB, logprob) for logprob in attempt.sure()] or [_LEAST_LOGPROB]
    snapshot, text = request.snapshot, attempt.candidate.text
    kind = cursor_kind(snapshot.tree, byte_offset(snapshot.text, request.cursor))
    return Features(
        mean_logprob=sum(logprobs) / len(logprobs),
        joint_logprob=max(_LEAST_LOGPROB, sum(logprobs)),
        min_logprob=max(_LEAST_LOGPROB, attempt.least_sure()),
        first_logprob=logprobs[0],
        log_characters=math.log1p(len(text.strip())),
        log_lines=math.log1p(text.count("\n")),
        is_block=float(mode is Mode.BLOCK),
        in_prose=float(kind is not CursorKind.CODE),
        at_line_start=float(not before_cursor(snapshot.text, request.cursor).strip()),
        unknown_names=float(min(3, len(unknown_names))),
        was_cut=float(found_fault(attempt.steps)),
    )


def found_fault(steps: tuple[FilterStep, ...]) -> bool:
    """Whether a filter did more than lay the text out."""
    return not all(step.is_layout for step in steps)


def probability(known: Features, shift: float = 0.0) -> float:
    """That the user keeps it, 0 to 1. `shift` is added to the log-odds: what recent suggestions met with."""
    logit = shift + sum(weight * getattr(known, name) for name, weight in WEIGHTS.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


# Printed by `midfill eval gate`; see evals/LOG.md for the data.
WEIGHTS: dict[str, float] = {
    "bias": 5.120,
    "joint_logprob": 0.0,
    "mean_logprob": 1.914,
    "min_logprob": 1.678,
    "first_logprob": -0.203,
    "log_characters": -0.933,
    "log_lines": 0.733,
    "is_block": -0.313,
    "in_prose": 0.0,
    "at_line_start": 0.0,
    "unknown_names": 0.0,
    "was_cut": -1.803,
}
