"""Whether something that makes answers better comes in time on this machine. Called by the pipeline.

Rules: where it never does, no automatic request waits for it; a machine that was busy gets another chance.
"""

# The share of late that came in time and is worth the wait, how fast that is learned, and how often one is tried where
# it is not.
_LEAST_IN_TIME, _STEP, _TRY_EVERY = 0.25, 0.2, 20


class Pace:
    """Learns from automatic requests, and now and then tries again."""

    def __init__(self) -> None:
        self._in_time, self._n_left_out = 1.0, 0

    def is_worth_it(self) -> bool:
        """Whether to ask for one."""
        if self._in_time >= _LEAST_IN_TIME or self._n_left_out >= _TRY_EVERY:
            self._n_left_out = 0
            return True
        self._n_left_out += 1
        return False

    def learn(self, came: bool) -> None:
        """Take note of whether one came in time."""
        self._in_time += _STEP * (came - self._in_time)
