"""Durations and times are read as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_worker.cli.durations import instant_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("30d", 2_592_000), (" 2H ", 7200), ("0.5s", 0.5)],
)
def test_a_duration_is_a_number_and_a_unit(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5m", "m", "10 m", "10w", "1e3", "ten", "1m30s", "\u0661m", "inf", "nan"]
)
def test_anything_else_is_no_duration(text):
    assert seconds_of(text) is None


@given(st.text())
def test_whatever_comes_is_a_positive_duration_or_none(text):
    seconds = seconds_of(text)
    assert seconds is None or seconds > 0


@pytest.mark.parametrize("text", ["2026-12-24T18:00:00Z", "2026-12-24T19:00:00+01:00", "20261224T180000Z"])
def test_a_time_with_its_zone_is_an_instant(text):
    assert instant_of(text) == datetime(2026, 12, 24, 18, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026-12-24", "2026-12-24T18:00:00", "tomorrow", "18:00Z"])
def test_a_time_without_zone_is_none(text):
    assert instant_of(text) is None


@given(st.text())
def test_whatever_comes_is_an_aware_instant_or_none(text):
    read = instant_of(text)
    assert read is None or read.tzinfo is not None
