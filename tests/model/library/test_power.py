"""Idle work is not for a battery, and not while others need the cores."""

from types import SimpleNamespace

import pytest

from model.library import power
from model.library.power import IdlePower


class Machine:
    """What psutil says, and a clock that moves at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.battery: object = None
        self.everybody, self.own, self.now = 0.0, 0.0, 100.0
        self.lowered, self.niceness = 0.0, 0
        monkeypatch.setattr(power.psutil, "sensors_battery", lambda: self.battery, raising=False)
        monkeypatch.setattr(power.psutil, "cpu_percent", lambda: self.everybody)
        monkeypatch.setattr(power.psutil, "cpu_count", lambda: 4)
        monkeypatch.setattr(power.psutil, "cpu_times_percent", lambda: SimpleNamespace(nice=self.lowered))
        process = SimpleNamespace(cpu_percent=lambda: self.own, nice=lambda: self.niceness)
        monkeypatch.setattr(power.psutil, "Process", lambda: process)
        monkeypatch.setattr(power.time, "monotonic", lambda: self.now)

    def asked(self, idle: IdlePower) -> bool:
        self.now += 10
        return idle()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_machine_without_battery_and_load_is_free(machine: Machine) -> None:
    assert machine.asked(IdlePower("auto"))


@pytest.mark.parametrize(("plugged", "free"), [(True, True), (None, True), (False, False)])
def test_on_battery_it_waits(machine: Machine, plugged: bool | None, free: bool) -> None:
    machine.battery = SimpleNamespace(power_plugged=plugged, percent=90)
    assert machine.asked(IdlePower("auto")) is free


def test_whoever_wants_it_otherwise_gets_it_otherwise(machine: Machine) -> None:
    assert not machine.asked(IdlePower("never"))
    machine.battery, machine.everybody = SimpleNamespace(power_plugged=False, percent=9), 100.0
    assert machine.asked(IdlePower("always"))


@pytest.mark.parametrize(
    ("everybody", "own", "free"), [(90, 0, False), (90, 340, True), (50, 0, True), (100, 120, False)]
)
def test_what_others_use_counts_and_not_its_own_work(
    machine: Machine, everybody: float, own: float, free: bool
) -> None:
    machine.everybody, machine.own = everybody, own  # of all cores, and of one
    assert machine.asked(IdlePower("auto")) is free


@pytest.mark.parametrize(
    ("everybody", "lowered", "own", "niceness", "free"),
    [
        (95, 90, 0, 0, True),
        (95, 90, 0, 5, True),
        (95, 20, 0, 0, False),
        (95, 50, 200, 5, True),  # all that is lowered is its own
        (95, 30, 120, 5, False),
    ],
)
def test_others_that_lowered_their_priority_do_not_count(
    machine: Machine, everybody: float, lowered: float, own: float, niceness: int, free: bool
) -> None:
    machine.everybody, machine.lowered, machine.own, machine.niceness = everybody, lowered, own, niceness
    assert machine.asked(IdlePower("auto")) is free


def test_it_does_not_ask_at_every_layer(machine: Machine) -> None:
    idle = IdlePower("auto")
    assert machine.asked(idle)
    machine.everybody = 100.0
    machine.now += 0.5
    assert idle()
    assert not machine.asked(idle)
