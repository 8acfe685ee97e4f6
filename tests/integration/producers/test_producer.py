"""What is the same over Redis and in memory, synchronous and on a loop."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from postroom import (
    DeliveryState,
    Email,
    IdempotencyConflict,
    InvalidEmail,
    InvalidSuppression,
    JobState,
    Lane,
    SendOptions,
    SuppressionEntry,
    SuppressionReason,
)
from postroom.suppression import ImportCounts
from postroom.testing import AsyncOutbox, Outbox


def test_a_sent_email_is_queued_in_its_lane(producer, email):
    before = time.time()

    job = producer.send(email(), lane="critical")

    status = producer.status(job.id)
    assert (status.state, status.job_state, status.outcome) == ("queued", JobState.QUEUED, None)
    assert (status.lane, status.attempt, status.delivery) == (Lane.CRITICAL, 0, None)
    assert before - 1 <= status.enqueued_at <= time.time() + 1
    assert (status.due_at, status.settled_at, status.reason, status.suppressed_recipients) == (None, None, None, 0)


def test_the_default_sender_sends_what_names_no_sender(producer):
    job = producer.send(Email(to="ada@example.net", subject="Hello", text="Hello."))

    assert str(job.sender) == "hello@example.com"


def test_nobody_knows_a_job_that_was_never_sent(producer):
    assert producer.status("0f8fad5b-d9cb-469f-a165-70867728950e") is None
    assert producer.cancel("0f8fad5b-d9cb-469f-a165-70867728950e") is False


def test_the_same_email_under_the_same_key_is_the_same_job(producer, email):
    first = producer.send(email(), idempotency_key="order-17")

    again = producer.send(email(), idempotency_key="order-17", lane="critical", expires_in=60)

    assert again.id == first.id
    assert producer.status(first.id).lane is Lane.TRANSACTIONAL


def test_another_email_under_the_same_key_is_a_conflict_and_changes_nothing(producer, email):
    first = producer.send(email(), idempotency_key="ada@example.net")

    with pytest.raises(IdempotencyConflict) as conflict:
        producer.send(email(subject="Other"), idempotency_key="ada@example.net")
    with pytest.raises(IdempotencyConflict):
        producer.send(email(), idempotency_key="ada@example.net", stream="news")

    assert conflict.value.first_job_id == first.id
    assert conflict.value.idempotency_key == "ada@example.net"
    assert "ada@" not in str(conflict.value)
    assert producer.send(email(), idempotency_key="ada@example.net").id == first.id


def test_emails_without_key_or_under_other_keys_are_jobs_of_their_own(producer, email):
    jobs = [
        producer.send(email()),
        producer.send(email()),
        producer.send(email(), idempotency_key="a"),
        producer.send(email(), idempotency_key="b"),
    ]

    assert len({job.id for job in jobs}) == 4


@pytest.mark.parametrize("as_datetime", [True, False])
def test_an_email_for_later_is_parked_until_then(producer, email, as_datetime):
    instant = datetime.now(UTC) + timedelta(hours=1)

    job = producer.send(email(), send_at=instant if as_datetime else instant.timestamp())

    status = producer.status(job.id)
    assert status.job_state is JobState.PARKED
    assert status.due_at == pytest.approx(instant.timestamp(), abs=0.001)


def test_an_email_for_a_time_that_has_passed_is_queued_at_once(producer, email):
    job = producer.send(email(), send_at=1000)

    assert producer.status(job.id).job_state is JobState.QUEUED


@pytest.mark.parametrize("later", [None, 4102444800])
def test_a_job_whose_send_has_not_begun_can_be_taken_back_any_number_of_times(producer, email, later):
    job = producer.send(email(), send_at=later)

    assert producer.cancel(job.id) is True
    assert producer.cancel(job.id) is True

    status = producer.status(job.id)
    assert (status.state, status.outcome, status.due_at) == ("cancelled", JobState.CANCELLED, None)
    assert status.settled_at is not None


@pytest.mark.parametrize("lane", list(Lane))
def test_send_many_returns_a_job_for_each_email_in_order(producer, email, lane):
    told = []

    jobs = list(
        producer.send_many((email(n) for n in range(25)), lane=lane, stream="news", progress=told.append, batch=10)
    )

    assert [job.email.subject for job in jobs] == [f"No. {n}" for n in range(25)]
    assert len({job.id for job in jobs}) == 25
    assert {(job.lane, job.stream) for job in jobs} == {(lane, "news")}
    assert {producer.status(job.id).lane for job in jobs} == {lane}
    assert told == [10, 20, 25]


def test_send_many_takes_options_for_each_email_over_those_of_the_call(producer, email):
    items = [
        email(0),
        (email(1), SendOptions(lane="critical", idempotency_key="one")),
        (email(2), {"stream": "other", "send_at": 4102444800}),
        (email(3), {}),
        (email(1), {"idempotency_key": "one"}),
    ]

    jobs = list(producer.send_many(items, lane="bulk", stream="news"))

    assert [job.lane for job in jobs] == ["bulk", "critical", "bulk", "bulk", "bulk"]
    assert [job.stream for job in jobs] == ["news", "news", "other", "news", "news"]
    assert [producer.status(job.id).state for job in jobs] == ["queued", "queued", "parked", "queued", "queued"]
    assert jobs[4].id == jobs[1].id
    assert len({job.id for job in jobs}) == 4


def test_send_many_of_nothing_is_nothing(producer):
    told = []

    assert list(producer.send_many([], progress=told.append)) == []
    assert told == []


def test_a_wrong_item_is_refused_before_anything_of_its_batch_is_queued(producer, email):
    with pytest.raises(InvalidEmail):
        list(producer.send_many([(email(0), {"idempotency_key": "first"}), "no email"], batch=2))

    # The key is free: nothing was sent under it.
    assert producer.send(email(1), idempotency_key="first").email.subject == "No. 1"


def test_a_conflict_in_a_batch_queues_nothing_of_the_batch(producer, email):
    producer.send(email(0), idempotency_key="taken")
    items = [(email(1), {"idempotency_key": "free"}), (email(2), {"idempotency_key": "taken"})]

    with pytest.raises(IdempotencyConflict) as conflict:
        list(producer.send_many(items))

    assert conflict.value.idempotency_key == "taken"
    assert producer.send(email(3), idempotency_key="free").email.subject == "No. 3"


def test_a_key_twice_for_different_emails_in_one_batch_queues_nothing(producer, email):
    items = [(email(1), {"idempotency_key": "free"}), (email(2), {"idempotency_key": "free"})]

    with pytest.raises(IdempotencyConflict):
        list(producer.send_many(items))

    assert producer.send(email(3), idempotency_key="free").email.subject == "No. 3"


def test_a_suppressed_address_is_found_in_any_spelling_until_it_is_removed(producer):
    assert producer.suppression.check("ada@example.net") is None

    assert producer.suppression.add("Ada <ADA@example.net>", reason="complaint", source="ticket 17") is True

    entry = producer.suppression.check("<ada@Example.NET>")
    assert (entry.address, entry.reason, entry.source) == ("ada@example.net", SuppressionReason.COMPLAINT, "ticket 17")
    assert entry.expires_at is None
    assert abs(entry.added_at - time.time()) < 5
    assert producer.suppression.count() == 1
    assert producer.suppression.remove(" ada@example.net ") is True
    assert producer.suppression.remove("ada@example.net") is False
    assert producer.suppression.check("ada@example.net") is None
    assert producer.suppression.count() == 0


def test_a_permanent_entry_keeps_its_first_reason_whatever_comes_later(producer):
    producer.suppression.add("ada@example.net", reason="bounce", source="first")

    assert producer.suppression.add("ada@example.net", reason="complaint", source="later") is False
    assert producer.suppression.add("ada@example.net", reason="transient", expires_in=60) is False

    entry = producer.suppression.check("ada@example.net")
    assert (entry.reason, entry.source, entry.expires_at) == (SuppressionReason.BOUNCE, "first", None)
    assert producer.suppression.count() == 1


def test_an_expiring_entry_gives_way_to_one_that_expires_later_and_to_a_permanent_one(producer):
    producer.suppression.add("ada@example.net", reason="transient", expires_in=3600)

    assert producer.suppression.add("ada@example.net", reason="transient", expires_in=60) is False
    assert producer.suppression.add("ada@example.net", reason="manual", expires_in=7200) is True
    assert producer.suppression.check("ada@example.net").expires_at == pytest.approx(time.time() + 7200, abs=5)
    assert producer.suppression.add("ada@example.net", reason="bounce") is True

    entry = producer.suppression.check("ada@example.net")
    assert (entry.reason, entry.expires_at) == (SuppressionReason.BOUNCE, None)
    assert producer.suppression.count() == 1


def test_what_is_exported_can_be_imported_with_its_own_times(producer):
    entries = [
        SuppressionEntry(
            address=f"u{number}@example.net",
            reason=list(SuppressionReason)[number % 5],
            added_at=1700000000 + number,
            expires_at=4102444800 if number % 2 else None,
            source=f"list {number}",
        )
        for number in range(1203)
    ]

    assert producer.suppression.import_entries(iter(entries)) == ImportCounts(added=1203)

    exported = sorted(producer.suppression.export(), key=lambda entry: entry.added_at)
    assert exported == entries
    assert producer.suppression.count() == 1203
    assert producer.suppression.import_entries(exported) == ImportCounts(kept=1203)


def test_an_entry_whose_time_has_passed_is_not_imported(producer):
    lapsed = SuppressionEntry(address="ada@example.net", reason=SuppressionReason.TRANSIENT, added_at=1, expires_at=2)

    assert producer.suppression.import_entries([lapsed]) == ImportCounts(kept=1)
    assert producer.suppression.check("ada@example.net") is None


@pytest.mark.parametrize(
    ("address", "options", "place"),
    [
        ("s3cret", {}, "address"),
        ("s3cret\0@example.net", {}, "address"),
        ("ada@example.net", {"reason": "s3cret"}, "reason"),
        ("ada@example.net", {"source": "s3cret;x"}, "source"),
        ("ada@example.net", {"source": "s3cret\n"}, "source"),
        ("ada@example.net", {"source": "é" * 51}, "source"),
        ("ada@example.net", {"expires_in": 0}, "expires_in"),
        ("ada@example.net", {"expires_in": float("inf")}, "expires_in"),
    ],
)
def test_what_cannot_be_suppressed_is_refused_by_name(producer, address, options, place):
    with pytest.raises(InvalidSuppression) as refusal:
        producer.suppression.add(address, **options)

    assert [found for found, _ in refusal.value.problems] == [place]
    assert "s3cret" not in str(refusal.value)
    assert producer.suppression.count() == 0


def test_an_address_of_any_length_that_is_allowed_can_be_suppressed(producer):
    longest = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.xyz"

    producer.suppression.add(longest, source="x" * 100)

    assert producer.suppression.check(longest).source == "x" * 100


def test_the_outbox_shows_what_was_sent_and_gives_it_an_outcome(email):
    outbox = Outbox()
    job = outbox.send(email(1), stream="news")
    taken_back = outbox.send(email(2), send_at=4102444800)
    outbox.cancel(taken_back.id)

    assert outbox.jobs == [job]
    assert [sent.subject for sent in outbox.emails] == ["No. 1"]
    assert outbox.settle(job.id).state == "sent"
    assert outbox.settle(job.id, delivery=DeliveryState.BOUNCED).state == "bounced"
    assert outbox.cancel(job.id) is False
    assert outbox.jobs == [job]


def test_the_outbox_refuses_an_outcome_that_is_none(email):
    outbox = Outbox()
    job = outbox.send(email())

    with pytest.raises(ValueError, match="is no outcome"):
        outbox.settle(job.id, JobState.BEGUN)
    with pytest.raises(ValueError, match="delivery state"):
        outbox.settle(job.id, JobState.REFUSED, delivery=DeliveryState.BOUNCED)
    with pytest.raises(KeyError):
        outbox.settle("unknown")


def test_the_outbox_forgets_when_its_clock_says_so(email):
    now = [1795507200.0]
    outbox = Outbox(clock=lambda: now[0])
    outbox.suppression.add("ada@example.net", expires_in=60)
    outbox.send(email(1), idempotency_key="one")
    cancelled = outbox.send(email(2))
    outbox.cancel(cancelled.id)

    now[0] += 3 * 24 * 3600 + 1

    assert outbox.suppression.check("ada@example.net") is None
    assert outbox.suppression.remove("ada@example.net") is False
    assert outbox.status(cancelled.id) is None
    assert outbox.send(email(3), idempotency_key="one").email.subject == "No. 3"


async def test_the_asynchronous_outbox_is_used_like_the_client(email):
    async with AsyncOutbox(default_sender="hello@example.com") as outbox:
        job = await outbox.send(email())

        assert (await outbox.settle(job.id)).state == "sent"
        assert outbox.emails == [job.email]
