"""What follows from an answer of SES."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_worker.policy.retries import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    MAX_FAILURES,
    AskFeedback,
    Done,
    GiveUp,
    Park,
    Refuse,
    next_step,
    retry_seconds,
)
from postroom_worker.policy.ses_answers import Meaning, SesAnswer, accepted

#: Meanings that say nothing about the email: it waits, and is not nearer to being given up.
PATIENT = [
    Meaning.THROTTLED,
    Meaning.DAILY_QUOTA,
    Meaning.SENDING_STOPPED,
    Meaning.MISCONFIGURED,
    Meaning.SENDER_MISCONFIGURED,
]

uniforms = st.floats(0, 1, exclude_max=True)
failure_counts = st.integers(0, 10**6)


def answer(meaning):
    return SesAnswer(meaning, "SomeCode", "some reason")


def test_an_accepted_email_is_done():
    assert next_step(accepted("0102-abc"), failures=3, uniform=0.5) == Done("0102-abc")


def test_a_refused_email_ends_with_code_and_reason():
    assert next_step(answer(Meaning.REFUSED), failures=0, uniform=0.5) == Refuse("SomeCode: some reason")


def test_an_uncertain_email_is_left_to_feedback_however_often_it_failed():
    assert next_step(answer(Meaning.UNCERTAIN), failures=10**6, uniform=0.5) == AskFeedback("SomeCode: some reason")


def test_a_reason_without_a_code_stands_alone():
    step = next_step(SesAnswer(Meaning.REFUSED, "", "some reason"), failures=0, uniform=0.5)

    assert step == Refuse("some reason")


@pytest.mark.parametrize("meaning", PATIENT)
@given(failures=failure_counts, uniform=uniforms)
def test_throttling_and_stops_use_up_no_attempt_and_never_give_up(meaning, failures, uniform):
    step = next_step(answer(meaning), failures=failures, uniform=uniform)

    assert isinstance(step, Park)
    assert not step.counts_as_failure
    assert step.delay_seconds > 0


@given(uniform=uniforms)
def test_an_exhausted_day_waits_longer_than_a_full_second(uniform):
    day = next_step(answer(Meaning.DAILY_QUOTA), failures=0, uniform=uniform)
    rate = next_step(answer(Meaning.THROTTLED), failures=0, uniform=uniform)

    assert day.delay_seconds > 10 * rate.delay_seconds
    # SES's bucket fills from empty within a second.
    assert 1.0 <= rate.delay_seconds <= 3.0


@given(failures=st.integers(0, MAX_FAILURES - 2), uniform=uniforms)
def test_an_outage_is_waited_out_and_counts(failures, uniform):
    step = next_step(answer(Meaning.UNAVAILABLE), failures=failures, uniform=uniform)

    assert isinstance(step, Park)
    assert step.counts_as_failure
    assert 0 <= step.delay_seconds <= LAST_RETRY_SECONDS


@given(failures=st.integers(MAX_FAILURES - 1, 10**6), uniform=uniforms)
def test_a_job_is_given_up_at_its_last_failure_and_the_reason_says_how_many(failures, uniform):
    step = next_step(answer(Meaning.UNAVAILABLE), failures=failures, uniform=uniform)

    assert isinstance(step, GiveUp)
    assert str(failures + 1) in step.reason
    assert "SomeCode" in step.reason


@given(failures=failure_counts, uniform=uniforms)
def test_the_wait_is_fully_jittered_below_a_ceiling_that_doubles(failures, uniform):
    ceiling = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures, 64))

    assert retry_seconds(failures=failures, uniform=uniform) == pytest.approx(ceiling * uniform)


@given(failures=st.integers(0, 10**5), uniform=uniforms)
def test_no_wait_is_shorter_after_more_failures(failures, uniform):
    assert retry_seconds(failures=failures, uniform=uniform) <= retry_seconds(failures=failures + 1, uniform=uniform)


def test_patience_lasts_for_an_outage_of_hours():
    average_seconds = sum(retry_seconds(failures=failures, uniform=0.5) for failures in range(MAX_FAILURES - 1))

    assert 4 < average_seconds / 3600 < 6


@pytest.mark.parametrize("meaning", list(Meaning))
def test_every_meaning_leads_somewhere(meaning):
    assert next_step(answer(meaning), failures=0, uniform=0.0) is not None
