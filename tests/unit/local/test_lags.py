from random import Random
from statistics import median

import pytest

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.lags import Lag, default_lags
from postroom_local.simulator.mailbox import EVENTS_OF_FATE


def lots(seed=1):
    return Random(seed)  # noqa: S311 - the lots of a simulation are no secret


def test_a_lag_without_spread_is_exact():
    assert [Lag(0.3).sample(lots()) for _ in range(3)] == [0.3, 0.3, 0.3]


def test_a_spread_lag_has_its_median_and_repeats_with_the_seed():
    samples = [Lag(2.0, 1.0).sample(random) for random in [lots(7)] for _ in range(5000)]
    assert median(samples) == pytest.approx(2.0, rel=0.1)
    assert [Lag(2.0, 1.0).sample(lots(7))] == samples[:1]


def test_no_time_at_all_cannot_be_spread():
    assert Lag(0.0, 1.0).sample(lots()) == 0.0


def test_every_event_that_can_happen_has_a_lag():
    possible = {event_type for event_types in EVENTS_OF_FATE.values() for event_type in event_types}
    assert possible | {EventType.SEND, EventType.RENDERING_FAILURE} <= set(default_lags())
