"""A worker that is alive and does nothing is ended; one that works, or that stood still as a whole, is not."""

from __future__ import annotations

import threading
import time

import pytest

from postroom_worker.engine import watchdog as module
from postroom_worker.engine.watchdog import EX_STUCK, Pulse, Watchdog


class Clock:
    """A clock that the test moves, and the looks that it lets through."""

    def __init__(self):
        self.now = 1000.0
        self.looks = 0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Stepped:
    """Stands for the event that the watchdog waits on: each wait moves the clock, until the steps are used up."""

    def __init__(self, clock, steps):
        self._clock = clock
        self._steps = iter(steps)

    def wait(self, _timeout):
        step = next(self._steps, None)
        if step is None:
            return True
        seconds, then = step
        self._clock.now += seconds
        then()
        return False

    def set(self):
        """Nothing waits any more."""


def watched(clock, pulses, steps, *, stuck_after_seconds=60.0):
    """Let the watchdog look once for each step; return the statuses it ended the process with, and its questions."""
    ended, asked = [], []
    watchdog = Watchdog(
        pulses, stuck_after_seconds=stuck_after_seconds, ask=lambda: asked.append(clock.now), end=ended.append
    )
    watchdog._stopped = Stepped(clock, steps)
    watchdog._watch()
    return ended, asked


def nothing():
    """Give no sign of life."""


def test_parts_that_give_signs_of_life_are_left_alone(clock):
    pulse = Pulse()

    ended, asked = watched(clock, {"loop": pulse}, [(1.0, pulse.beat)] * 200)

    assert ended == []
    assert len(asked) == 200


def test_a_part_that_is_stuck_ends_the_process_with_a_status_of_its_own(clock):
    loop, hub = Pulse(), Pulse()

    ended, _ = watched(clock, {"loop": loop, "hub": hub}, [(1.0, loop.beat)] * 61)

    assert ended == [EX_STUCK]


def test_a_process_that_stood_still_as_a_whole_gets_its_chance(clock):
    pulse = Pulse()

    ended, _ = watched(clock, {"loop": pulse}, [(1.0, nothing), (3600.0, nothing), *[(1.0, nothing)] * 59])

    assert ended == []


def test_a_process_that_stood_still_and_then_does_nothing_is_ended(clock):
    pulse = Pulse()

    ended, _ = watched(clock, {"loop": pulse}, [(3600.0, nothing), *[(1.0, nothing)] * 61])

    assert ended == [EX_STUCK]


def test_the_age_of_a_pulse_is_the_time_since_its_last_beat(clock):
    pulse = Pulse()
    clock.now += 5

    assert pulse.age_seconds() == 5
    pulse.beat()
    assert pulse.age_seconds() == 0


def test_a_watchdog_starts_and_stops_with_its_thread(monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY_SECONDS", 0.001)
    asked = threading.Event()
    watchdog = Watchdog({"loop": Pulse()}, stuck_after_seconds=60.0, ask=asked.set, end=pytest.fail)
    watchdog.start()

    assert asked.wait(20)
    watchdog.stop()

    assert not watchdog._thread.is_alive()


def test_a_pulse_is_given_by_the_monotonic_clock():
    before = time.monotonic()
    pulse = Pulse()

    assert 0 <= pulse.age_seconds() <= time.monotonic() - before
