"""The bucket of recipients, with a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.sending_rate import SendingRate

RATES = st.sampled_from([1.0, 2.0, 14.0, 200.0, 1000.0])


def accepted_times(times, *, rate, recipients=1):
    bucket = SendingRate()
    accepted = []
    for now in times:
        if bucket.admits(now=now, max_send_rate=rate):
            bucket.take(recipients, now=now, max_send_rate=rate)
            accepted.append(now)
    return accepted


@pytest.mark.parametrize("rate", [0.5, 1.0, 14.0, 200.0, 1000.0])
def test_a_sender_that_paces_at_exactly_the_rate_is_never_refused(rate):
    times = [100.0 + call / rate for call in range(2000)]
    assert accepted_times(times, rate=rate) == times


@given(rate=RATES, jitter=st.lists(st.floats(-0.24, 0.24), min_size=100, max_size=100))
def test_a_sender_that_paces_with_half_a_period_between_its_earliest_and_latest_is_never_refused(rate, jitter):
    times = sorted(100.0 + (call + late) / rate for call, late in enumerate(jitter))
    assert accepted_times(times, rate=rate) == times


@given(rate=st.sampled_from([1.0, 2.0, 14.0]), excess=st.floats(1.1, 5.0))
def test_no_sender_gets_more_than_the_rate_over_a_sustained_period(rate, excess):
    seconds = 40
    times = [100.0 + call / (rate * excess) for call in range(int(rate * excess * seconds))]
    accepted = accepted_times(times, rate=rate)
    assert len(accepted) <= rate * seconds + max(1.0, rate) + 0.5
    assert len(accepted) < len(times)


def test_a_second_call_right_after_the_first_is_refused_at_one_a_second():
    assert accepted_times([100.0, 100.001, 100.4, 101.0], rate=1.0) == [100.0, 101.0]


def test_a_call_with_five_recipients_at_one_a_second_is_paid_back_for_five_seconds():
    bucket = SendingRate()
    assert bucket.admits(now=100.0, max_send_rate=1.0)
    bucket.take(5, now=100.0, max_send_rate=1.0)
    assert not any(bucket.admits(now=100.0 + second, max_send_rate=1.0) for second in range(1, 5))
    assert bucket.admits(now=105.0, max_send_rate=1.0)


def test_the_bucket_holds_one_second_of_sends_and_no_more_after_a_long_rest():
    bucket = SendingRate()
    bucket.take(1, now=0.0, max_send_rate=14.0)
    accepted = 0
    while bucket.admits(now=10_000.0, max_send_rate=14.0):
        bucket.take(1, now=10_000.0, max_send_rate=14.0)
        accepted += 1
    assert accepted == 14


def test_a_halved_rate_acts_at_once():
    bucket = SendingRate()
    for _ in range(14):
        bucket.take(1, now=100.0, max_send_rate=14.0)
    assert bucket.admits(now=100.1, max_send_rate=14.0)
    assert not bucket.admits(now=100.1, max_send_rate=1.0)
