"""Slots in hand: none is used twice, none before its time, late ones are forfeited, an email's come in one piece."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from postroom_worker.policy.send_slots import Run, SlotsInHand

#: Times here are whole numbers and lateness is not, so that no slot is late by exactly what is allowed.
LATENESS_SECONDS = 0.5


def times(run):
    return [run.first_at + place * run.interval_seconds for place in range(run.count)]


class Slots(RuleBasedStateMachine):
    """A worker's slots beside a plain list of their times. Runs come one after the other, as the fleet's slots do."""

    @initialize(interval=st.sampled_from([1.0, 3.0, 40.0]))
    def start(self, interval):
        self.interval_seconds = interval
        self.hand = SlotsInHand(lateness_seconds=LATENESS_SECONDS)
        self.free = Counter()
        self.now = 0.0
        self.reserved_until = 0.0

    @rule(gap=st.integers(0, 50), count=st.integers(0, 60))
    def reserve(self, gap, count):
        run = Run(max(self.now, self.reserved_until) + gap, self.interval_seconds, count)
        self.reserved_until = run.first_at + count * self.interval_seconds
        self.free.update(times(run))
        self.hand.add(run)

    @rule(recipients=st.integers(1, 50), unused=st.integers(0, 50))
    def take(self, recipients, unused):
        fitted = self.hand.fits(recipients)
        run = self.hand.take(recipients)
        assert (run is not None) is fitted
        if run is None:
            return
        assert run.count == recipients
        assert run.interval_seconds == self.interval_seconds
        taken = Counter(times(run))
        assert taken <= self.free
        self.free -= taken
        left = min(unused, recipients)
        back = Run(run.first_at + (recipients - left) * run.interval_seconds, run.interval_seconds, left)
        self.free.update(times(back))
        self.hand.add(back)

    @rule(passed=st.integers(0, 60))
    def time_passes(self, passed):
        self.now += passed
        late = [at for at in self.free.elements() if at < self.now - LATENESS_SECONDS]
        self.free -= Counter(late)
        assert self.hand.forfeit_late(self.now) == len(late)

    @invariant()
    def the_books_agree(self):
        assert len(self.hand) == self.free.total()
        assert self.hand.next_at() == min(self.free, default=None)
        end = self.hand.ends_at()
        assert (None if end is None else end - self.interval_seconds) == max(self.free, default=None)


Slots.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSlots = Slots.TestCase


def test_an_email_never_spans_two_runs():
    hand = SlotsInHand(lateness_seconds=LATENESS_SECONDS)
    hand.add(Run(0.0, 1.0, 3))
    hand.add(Run(10.0, 1.0, 3))

    assert not hand.fits(4)
    assert hand.take(4) is None
    assert len(hand) == 6


def test_an_email_that_needs_more_than_the_first_run_has_takes_from_a_later_one():
    hand = SlotsInHand(lateness_seconds=LATENESS_SECONDS)
    hand.add(Run(0.0, 1.0, 1))
    hand.add(Run(10.0, 1.0, 3))

    assert hand.take(2) == Run(10.0, 1.0, 2)
    assert hand.next_at() == 0.0


def test_runs_that_overlap_since_one_answer_came_late_stay_in_the_order_of_their_times():
    # A run's place is counted from when Redis's answer came; a slow answer before a fast one makes them overlap.
    hand = SlotsInHand(lateness_seconds=LATENESS_SECONDS)
    hand.add(Run(0.0, 100.0, 3))
    hand.add(Run(180.0, 100.0, 3))
    hand.take(1)
    hand.take(1)

    assert hand.next_at() == 180.0
