"""How likely it is that the user keeps a suggestion: what decides whether an automatic one is shown.

A logistic regression over what is known when the model is done. Called by the pipeline; `midfill eval gate` fits the
weights on what became of answers while real edits were typed, and says how well they are calibrated on histories that
it has not seen. An automatic suggestion was cut before where it became doubtful (`certainty`): beside the joint
probability of what is left and its length nothing that was tried told more (evals/LOG.md).

Rules: pure. The weights are data, printed by that command; nothing here is tuned by hand.
"""

import math
from dataclasses import dataclass

from completion.asking import Attempt

# A log-probability below this says no more than this.
_LEAST_LOGPROB = -6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What is known of a suggestion. All are numbers, about 0 to a few."""

    bias: float = 1.0
    joint_logprob: float  # of all its tokens together, what is typed given
    log_characters: float


def features(attempt: Attempt) -> Features:
    """What is known of an attempt."""
    joint = sum(attempt.sure()) if attempt.sure() else _LEAST_LOGPROB
    return Features(
        joint_logprob=max(_LEAST_LOGPROB, joint),
        log_characters=math.log1p(len(attempt.candidate.text.strip())),
    )


def probability(known: Features) -> float:
    """That the user keeps it, 0 to 1."""
    logit = sum(weight * getattr(known, name) for name, weight in WEIGHTS.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


# Printed by `midfill eval gate`; see evals/LOG.md for the data.
WEIGHTS: dict[str, float] = {
    "bias": 2.944,
    "joint_logprob": 3.272,
    "log_characters": -0.299,
}
