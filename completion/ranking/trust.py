"""How far the model's own certainty can be trusted here: learned from what became of the last ghosts of the window.

A model that finds a text 80 % probable is right in 70 % of such cases while somebody types, and in far fewer, or in
nearly all, in one repository: small models are surer than they should be of code that follows rules of its own. So a
shift of the log-odds goes along. It begins at that of other repositories, and each ghost that was taken or refused
moves it by the surprise (online Platt scaling, Platt 1999, with the slope left at 1: what was promised is brought in
line with what was so).

Called by the pipeline; what became of a ghost says `lsp_server.usage.recorder`. Rules: no I/O, no clock. One event loop
teaches and asks; nothing is remembered longer than the window is open.
"""

import math

# Where the shift begins, by how much of the surprise one outcome moves it, and how far it goes at most: fitted to the
# chosen-on histories of `midfill bench typing`. See docs/typing.md.
_START = -0.5
_RATE = 0.2
_MOST = 2.0
_EDGE = 1e-4  # a probability of 0 or 1 has no log-odds


class Trust:
    """The shift of one editor window."""

    def __init__(self, rate: float = _RATE) -> None:
        self.shift = _START  # of the log-odds; below 0: the model is surer than it should be
        self._rate = rate

    def probability(self, joint: float) -> float:
        """That a text is kept in whole, of which the model says `joint` for all its tokens together; both 0 to 1."""
        return _expit(_logit(joint) + self.shift)

    def least_joint(self, probability: float) -> float:
        """The joint probability that a text needs in order to be kept with this one; at 0 none, at 1 all of it."""
        return probability if probability in (0.0, 1.0) else _expit(_logit(probability) - self.shift)

    def learn(self, promised: float, was_kept: bool) -> None:
        """A ghost that was shown with a probability was kept in whole, or the user wrote something else."""
        self.shift = max(-_MOST, min(_MOST, self.shift + self._rate * (was_kept - promised)))


def _logit(p: float) -> float:
    p = max(_EDGE, min(1.0 - _EDGE, p))
    return math.log(p / (1.0 - p))


def _expit(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
