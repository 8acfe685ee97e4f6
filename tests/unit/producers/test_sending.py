from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Email, Lane, NotConfigured, SendOptions
from postroom.sending import (
    MAX_CALL_BYTES,
    MAX_CALL_JOBS,
    MAX_CALL_RECIPIENTS,
    calls,
    content_digest,
    make_job,
    push_order,
    sender_of,
)


def job(*, options=None, **fields):
    email = {"sender": "hello@example.com", "to": "ada@example.net", "subject": "Hello", "text": "Hello."} | fields
    return make_job(Email(**email), SendOptions() if options is None else options, default_sender=None, now=1000.0)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, MAX_CALL_BYTES * 2)), max_size=300),
    st.integers(1, MAX_CALL_JOBS),
)
def test_calls_cover_every_job_once_in_order_and_none_is_too_large(sizes, max_jobs):
    ranges = list(calls(sizes, max_jobs=max_jobs))

    assert [index for call in ranges for index in call] == list(range(len(sizes)))
    for call in ranges:
        assert 1 <= len(call) <= max_jobs
        assert sum(sizes[index][0] for index in call) <= MAX_CALL_RECIPIENTS
        # One message alone may be larger: it must go somewhere.
        assert len(call) == 1 or sum(sizes[index][1] for index in call) <= MAX_CALL_BYTES


def test_bulk_is_shuffled_behind_the_better_lanes_which_keep_their_order():
    lanes = [Lane.BULK, Lane.CRITICAL] * 100 + [Lane.TRANSACTIONAL]
    jobs = [job(options=SendOptions(lane=lane)) for lane in lanes]

    order = push_order(jobs, Random(1))  # noqa: S311  a shuffle

    assert sorted(order) == list(range(len(jobs)))
    assert order[:101] == [index for index, lane in enumerate(lanes) if lane is not Lane.BULK]
    assert order[101:] != sorted(order[101:])


def test_the_digest_is_the_same_for_the_same_email_however_it_is_sent():
    first = job()
    later = job(options=SendOptions(lane="critical", send_at=5000, expires_in=5, on_uncertain="hold"))

    assert first.id != later.id
    assert content_digest(first) == content_digest(later)


def test_the_digest_does_not_depend_on_the_order_of_headers():
    assert content_digest(job(headers={"X-A": "1", "X-B": "2"})) == content_digest(
        job(headers={"X-B": "2", "X-A": "1"})
    )


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "other@example.com"},
        {"sender": "Hello <hello@example.com>"},
        {"to": "bob@example.net"},
        {"cc": "bob@example.net"},
        {"bcc": "bob@example.net"},
        {"reply_to": "bob@example.net"},
        {"subject": "Hello!"},
        {"text": "Hello!"},
        {"html": "Hello."},
        {"headers": {"X-A": "1"}},
        {"tags": {"plan": "free"}},
        {"options": SendOptions(stream="news")},
    ],
)
def test_the_digest_changes_with_everything_that_makes_another_email(change):
    assert content_digest(job(**change)) != content_digest(job())


def test_send_at_takes_an_aware_datetime_or_seconds():
    instant = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    assert job(options=SendOptions(send_at=instant)).send_at == 1795521600.0
    assert job(options=SendOptions(send_at=1795521600)).send_at == 1795521600.0


def test_a_default_sender_that_is_no_address_is_refused_without_showing_it():
    with pytest.raises(NotConfigured, match="default_sender has no @") as refusal:
        sender_of("s3cret", setting="default_sender")

    assert "s3cret" not in str(refusal.value)
