"""The rolling window of recipients, with a clock that only the test moves."""

from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.account import UNLIMITED
from postroom_local.simulator.daily_quota import DailyQuota

DAY = 86_400.0


def test_calls_are_accepted_while_anything_is_left_and_the_last_may_overshoot():
    quota = DailyQuota()
    quota.take(199, now=0.0)
    assert quota.admits(now=1.0, max_24_hour_send=200, day_seconds=DAY)
    quota.take(50, now=1.0)
    assert not quota.admits(now=2.0, max_24_hour_send=200, day_seconds=DAY)
    assert quota.sent(now=2.0, day_seconds=DAY, lag_seconds=0.0) == 249


def test_the_window_rolls_and_nothing_happens_at_midnight():
    quota = DailyQuota()
    quota.take(100, now=80_000.0)
    quota.take(100, now=90_000.0)
    assert not quota.admits(now=86_400.0 + 79_999.0, max_24_hour_send=200, day_seconds=DAY)
    assert quota.admits(now=86_400.0 + 80_000.0, max_24_hour_send=200, day_seconds=DAY)
    assert quota.sent(now=86_400.0 + 80_000.0, day_seconds=DAY, lag_seconds=0.0) == 100


def test_minus_one_is_unlimited():
    quota = DailyQuota()
    quota.take(10_000_000, now=0.0)
    assert quota.admits(now=0.0, max_24_hour_send=UNLIMITED, day_seconds=DAY)


def test_the_reported_figure_trails_by_the_lag():
    quota = DailyQuota()
    for second in range(10):
        quota.take(1, now=float(second))
    assert quota.sent(now=9.0, day_seconds=DAY, lag_seconds=4.0) == 6
    assert quota.sent(now=9.0, day_seconds=DAY, lag_seconds=0.0) == 10


@given(sends=st.lists(st.tuples(st.floats(0, 300), st.integers(0, 50))), day=st.floats(1, 100), lag=st.floats(0, 50))
def test_the_reported_figure_is_what_a_full_count_says(sends, day, lag):
    quota = DailyQuota()
    for at, recipients in sorted(sends):
        quota.take(recipients, now=at)
    counted = sum(recipients for at, recipients in sends if 300 - day < at <= 300 - lag)
    assert quota.sent(now=300.0, day_seconds=day, lag_seconds=lag) == (counted if lag < day else 0)
