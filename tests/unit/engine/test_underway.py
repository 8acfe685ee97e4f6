"""Recipients on their way from a claim to the waiting room, and how many more jobs of a lane a worker takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.lanes import Lane
from postroom_worker.policy.lane_room import lane_room
from postroom_worker.policy.underway import LOST_AFTER_SECONDS, Underway


def test_what_was_claimed_is_expected_until_it_arrives():
    underway = Underway()
    underway.add(3, now=0.0)
    underway.add(2, now=0.1)

    underway.arrived(4)

    assert underway.recipients(now=0.2) == 1


def test_what_does_not_arrive_is_expected_no_longer_than_a_second():
    underway = Underway()
    underway.add(3, now=0.0)
    underway.add(2, now=0.5)

    assert underway.recipients(now=LOST_AFTER_SECONDS - 0.01) == 5
    assert underway.recipients(now=LOST_AFTER_SECONDS) == 2
    assert underway.recipients(now=LOST_AFTER_SECONDS + 0.5) == 0


def test_more_recipients_than_the_message_said_leave_no_debt():
    underway = Underway()
    underway.add(1, now=0.0)
    underway.arrived(50)
    underway.add(2, now=0.0)

    assert underway.recipients(now=0.0) == 2


@given(st.lists(st.tuples(st.sampled_from(["add", "arrived"]), st.integers(0, 50))))
def test_within_a_second_the_books_agree(steps):
    underway, expected = Underway(), 0
    for what, recipients in steps:
        if what == "add":
            underway.add(recipients, now=0.0)
            expected += recipients
        else:
            underway.arrived(recipients)
            expected = max(0, expected - recipients)
        assert underway.recipients(now=0.0) == expected


@given(concurrency=st.integers(1, 10_000), held=st.integers(0, 12_000))
def test_a_better_lane_always_has_as_much_room_and_the_best_has_all(concurrency, held):
    room = lane_room(concurrency=concurrency, held=held)

    assert list(room) == list(Lane)
    assert room[Lane.CRITICAL] == max(0, concurrency - held)
    assert room[Lane.CRITICAL] >= room[Lane.TRANSACTIONAL] >= room[Lane.BULK] >= 0


@given(concurrency=st.integers(4, 10_000))
def test_bulk_that_hangs_in_every_place_it_may_have_leaves_places_for_each_better_lane(concurrency):
    bulk = lane_room(concurrency=concurrency, held=0)[Lane.BULK]
    transactional = lane_room(concurrency=concurrency, held=bulk)[Lane.TRANSACTIONAL]
    critical = lane_room(concurrency=concurrency, held=bulk + transactional)[Lane.CRITICAL]

    assert bulk >= 1
    assert transactional >= 1
    assert critical >= 1


@given(concurrency=st.integers(1, 3), lane=st.sampled_from(Lane))
def test_a_worker_with_few_places_serves_every_lane_with_all_of_them(concurrency, lane):
    assert lane_room(concurrency=concurrency, held=0)[lane] == concurrency
