"""Whether this is a good time for idle work: not on battery, and not while other programs need the cores."""

import os
import time

import psutil

# Asking the system costs a millisecond or so: not at every layer.
_ASK_EVERY_S = 2.0
# Of all cores, what other processes may use before idle work gives way.
_BUSY_SHARE = 0.6


class IdlePower:
    """Called before idle work; remembers its answer for two seconds. Modes "always" and "never" are the answer."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._process = psutil.Process()
        self._asked_at, self._answer = 0.0, True
        self._busy()  # the first answer means nothing

    def __call__(self) -> bool:
        if self._mode != "auto":
            return self._mode == "always"
        now = time.monotonic()
        if now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at, self._answer = now, self._mains() and not self._busy()
        return self._answer

    def _mains(self) -> bool:
        sensors = getattr(psutil, "sensors_battery", None)  # not on every system
        battery = sensors() if sensors is not None else None
        return battery is None or battery.power_plugged is not False

    def _busy(self) -> bool:
        """Whether others use the cores. Those that lowered their priority, as builds and indexers do, can wait, too."""
        all_processes, own = psutil.cpu_percent() / 100, self._process.cpu_percent() / 100 / (psutil.cpu_count() or 1)
        lowered = getattr(psutil.cpu_times_percent(), "nice", 0.0) / 100  # not on Windows
        if os.name != "nt" and self._process.nice() > 0:
            lowered = max(0.0, lowered - own)
        return all_processes - own - lowered > _BUSY_SHARE
