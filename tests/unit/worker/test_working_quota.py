"""SES's word, the operator's profile and the overrides, joined: nothing raises what SES allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_worker.policy.quota import (
    SEND_RATE_MARGIN,
    UNLIMITED,
    QuotaProfile,
    SendQuota,
    StillInSandboxError,
    working_quota,
)

rates = st.floats(0.1, 10_000)
days = st.one_of(st.just(UNLIMITED), st.floats(1, 10**9))
overrides = st.one_of(st.none(), st.floats(0.1, 10_000))
day_overrides = st.one_of(st.none(), st.integers(1, 10**9))


def said(*, rate=14.0, day=50_000.0, production=True):
    return SendQuota(
        max_send_rate=rate,
        max_24_hour_send=day,
        sent_last_24_hours=0.0,
        production_access=production,
        sending_enabled=True,
        enforcement_status="HEALTHY",
    )


def joined(quota, profile=QuotaProfile.AUTO, *, rate=None, day=None):
    working = working_quota(quota, profile=profile, max_send_rate=rate, max_24_hour_send=day)
    return working.max_send_rate, working.max_24_hour_send


@pytest.mark.parametrize("production", [True, False])
def test_auto_is_what_get_account_says(production):
    assert joined(said(rate=14.0, day=50_000.0, production=production)) == (14.0, 50_000.0)


def test_sandbox_is_one_a_second_and_200_a_day_whatever_get_account_says():
    assert joined(said(rate=500.0, day=10**6), QuotaProfile.SANDBOX) == (1.0, 200.0)
    assert joined(said(rate=500.0, day=UNLIMITED), QuotaProfile.SANDBOX) == (1.0, 200.0)


def test_sandbox_does_not_raise_what_an_account_has_left():
    assert joined(said(rate=0.5, day=50.0), QuotaProfile.SANDBOX) == (0.5, 50.0)


def test_production_refuses_an_account_in_the_sandbox_and_says_what_to_do():
    with pytest.raises(StillInSandboxError, match=r"POSTROOM_QUOTA=production.*ask AWS.*POSTROOM_QUOTA=auto"):
        joined(said(rate=1.0, day=200.0, production=False), QuotaProfile.PRODUCTION)


def test_production_with_production_access_is_what_get_account_says():
    assert joined(said(), QuotaProfile.PRODUCTION) == (14.0, 50_000.0)


def test_an_unlimited_day_stays_unlimited_unless_it_is_overridden():
    assert joined(said(day=UNLIMITED))[1] == UNLIMITED
    assert joined(said(day=UNLIMITED), day=1000)[1] == 1000.0


@given(rate=rates, day=days, profile=st.sampled_from(QuotaProfile), over_rate=overrides, over_day=day_overrides)
def test_overrides_and_profiles_only_lower(rate, day, profile, over_rate, over_day):
    working_rate, working_day = joined(said(rate=rate, day=day), profile, rate=over_rate, day=over_day)

    assert working_rate <= rate
    assert over_rate is None or working_rate <= over_rate
    if working_day == UNLIMITED:
        assert (day, over_day) == (UNLIMITED, None)
    else:
        assert day == UNLIMITED or working_day <= day
        assert over_day is None or working_day <= over_day


@given(rate=rates, over_rate=overrides)
def test_the_fleet_works_with_a_margin_below_the_rate(rate, over_rate):
    working = working_quota(said(rate=rate), profile=QuotaProfile.AUTO, max_send_rate=over_rate, max_24_hour_send=None)

    assert working.working_rate == pytest.approx(working.max_send_rate * (1 - SEND_RATE_MARGIN))
    assert 0 < working.working_rate < working.max_send_rate
