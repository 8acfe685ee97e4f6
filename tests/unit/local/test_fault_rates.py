"""Faults by lot: as often as their rates say, in the same places for the same seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.fault_rates import AFTER, BEFORE, CallFault, FaultLots, FaultRates

SHARES = st.floats(min_value=0, max_value=0.2)
RATES = st.builds(
    FaultRates,
    seed=st.integers(),
    error_before=SHARES,
    error_after=SHARES,
    throttled=SHARES,
    cut_before=SHARES,
    cut_after=SHARES,
    hang_before=SHARES,
    hang_after=SHARES,
    latency_seconds=SHARES,
    latency_sigma=SHARES,
    events_lost=SHARES,
    events_repeated=SHARES,
    events_late=SHARES,
)


def drawn(lots, calls=30):
    return [(lots.before(), lots.latency_seconds(), lots.after(), tuple(lots.event_delays())) for _ in range(calls)]


@given(RATES)
def test_the_same_seed_goes_wrong_in_the_same_places(rates):
    assert drawn(FaultLots(rates)) == drawn(FaultLots(rates))


@given(RATES)
def test_how_events_fare_does_not_depend_on_how_many_calls_there_were(rates):
    quiet, busy = FaultLots(rates), FaultLots(rates)
    drawn_quietly = [quiet.event_delays() for _ in range(20)]
    drawn_busily = [(busy.before(), busy.event_delays())[1] for _ in range(20)]

    assert drawn_quietly == drawn_busily


def test_without_rates_nothing_ever_happens():
    assert drawn(FaultLots.none()) == [(None, 0.0, None, (0.0,))] * 30


@pytest.mark.parametrize("fault", BEFORE + AFTER)
def test_each_fault_comes_as_often_as_its_rate_says(fault):
    lots = FaultLots(FaultRates(seed=1, **{str(fault): 0.25}))
    draw = lots.before if fault in BEFORE else lots.after
    drawn_faults = [draw() for _ in range(4000)]

    assert set(drawn_faults) == {None, fault}
    assert 800 < drawn_faults.count(fault) < 1200


def test_rates_of_one_point_add_up():
    lots = FaultLots(FaultRates(seed=2, error_before=0.3, throttled=0.3, cut_before=0.4))

    assert {lots.before() for _ in range(500)} == {CallFault.ERROR_BEFORE, CallFault.THROTTLED, CallFault.CUT_BEFORE}


def test_events_are_lost_repeated_and_late():
    assert FaultLots(FaultRates(events_lost=1)).event_delays() == ()
    assert len(FaultLots(FaultRates(events_repeated=1)).event_delays()) == 2
    (late,) = FaultLots(FaultRates(events_late=1, event_late_seconds=5)).event_delays()
    assert 0 < late <= 5
