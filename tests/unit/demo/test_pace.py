import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.pace import pace_of, worst_window_recipients


def test_a_sender_at_exactly_the_rate_uses_all_of_it():
    pace = pace_of([(number / 8, 1) for number in range(25)], max_send_rate=8)
    assert pace.share == pytest.approx(1.0)
    assert (pace.recipients, pace.seconds, pace.worst_second_recipients) == (25, 3.0, 8)


def test_an_email_to_several_pays_with_the_time_after_it():
    assert pace_of([(0.0, 5), (5.0, 5), (10.0, 5)], max_send_rate=1).share == pytest.approx(1.0)


def test_the_worst_second_is_the_one_that_took_most():
    assert pace_of([(0.0, 1), (3.0, 2), (3.9, 3), (4.0, 1)], max_send_rate=100).worst_second_recipients == 5


@pytest.mark.parametrize("sends", [[], [(1.0, 1)], [(1.0, 1), (1.0, 1)]])
def test_without_time_between_emails_there_is_no_share(sends):
    assert pace_of(sends, max_send_rate=10).share is None


def test_sends_exactly_one_window_apart_share_none():
    assert worst_window_recipients([(0.0, 1), (1.0, 1), (2.0, 1)]) == 1
    assert worst_window_recipients([(0.0, 1), (0.9, 1), (2.0, 1)]) == 2


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50)), max_size=30))
def test_the_worst_second_is_what_looking_at_every_second_says(tenths):
    sends = sorted((tenth / 8, recipients) for tenth, recipients in tenths)
    every = [sum(count for at, count in sends if start <= at < start + 1) for start, _ in sends]
    assert worst_window_recipients(sends) == max(every, default=0)


@pytest.mark.parametrize(
    ("sends", "ahead_seconds"),
    [
        ([], 0),
        ([(5.0, 3)], 0),
        ([(0.0, 1), (0.25, 1), (0.5, 1)], 0),  # exactly at the rate
        ([(0.0, 1), (1.0, 1), (1.125, 1)], 0.125),  # the third comes an eighth of a second too early
        ([(0.0, 4), (0.5, 1)], 0.5),  # an email to four takes a second
        ([(0.0, 1), (10.0, 1), (10.0, 1), (10.0, 1)], 0.5),  # time that nobody used is gone
        ([(number / 5, 1) for number in range(101)], 5.0),  # a little too fast, for long
    ],
)
def test_an_email_is_early_by_what_those_before_it_have_not_paid_back(sends, ahead_seconds):
    assert pace_of(sends, max_send_rate=4).ahead_seconds == pytest.approx(ahead_seconds)
