"""Whether this is a good time for idle work: not on battery, and not while other programs need the cores."""

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
        all_processes, own = psutil.cpu_percent() / 100, self._process.cpu_percent() / 100 / (psutil.cpu_count() or 1)
        return all_processes - own > _BUSY_SHARE
