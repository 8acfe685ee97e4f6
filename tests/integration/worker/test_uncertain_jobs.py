"""A job whose answer was lost: only SES's own events, or their demonstrable absence, decide what comes next."""

from __future__ import annotations

import pytest

from postroom.job import OnUncertain
from postroom.outcomes import JobState
from postroom_worker.ports import Kind, Verdict


async def lost_job(desk, **options):
    """A job whose worker vanished, called uncertain by the next one and due again."""
    job = await desk.enqueue(**options)
    await desk.begin(job, "w1:1")
    assert (await desk.begin(job, "w2:1")).verdict is Verdict.UNSETTLED
    await desk.settle(job, Kind.UNCERTAIN, "w2:1", delay_seconds=30)
    await desk.make_due(job)
    assert (await desk.parking.unpark(at_most=10))[0] == 1
    return job


async def test_an_uncertain_job_stays_so_while_it_is_parked_and_when_it_comes_back(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=30, reason="the connection was lost")
    parked = await desk.state(job)
    await desk.make_due(job)
    await desk.parking.unpark(at_most=10)

    assert (parked, await desk.state(job)) == (JobState.UNCERTAIN, JobState.UNCERTAIN)
    assert [message["headers"]["id"] for message in await desk.queued("transactional")][-1] == job.id


async def test_whoever_finds_a_lost_job_calls_it_uncertain_for_the_attempt_it_found(desk):
    job = await lost_job(desk)

    record = await desk.record(job)
    assert (record["state"], record["attempt"], record["lease"]) == ("uncertain", "1", "w1:1")


@pytest.mark.parametrize("policy", list(OnUncertain))
async def test_without_feedback_an_uncertain_job_is_unresolved_whatever_its_policy(desk, policy):
    job = await lost_job(desk, on_uncertain=policy)

    begun = await desk.begin(job, "w2:2")

    assert begun.verdict is Verdict.UNRESOLVED
    assert begun.attempt == 1
    assert begun.uncertain_seconds >= 0.0


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(-1.0, Verdict.UNRESOLVED), (0.0, Verdict.UNRESOLVED), (99.999, Verdict.UNRESOLVED), (100.0, Verdict.GO)],
)
async def test_feedback_must_have_been_read_to_the_end_after_the_last_possible_event(desk, seconds, verdict):
    job = await lost_job(desk)
    await desk.feedback_is_past(job, seconds=seconds)

    assert (await desk.begin(job, "w2:2")).verdict is verdict


async def test_feedback_that_polls_and_always_finds_messages_proves_nothing(desk):
    job = await lost_job(desk)
    other = await desk.enqueue("other@example.net")
    await desk.event(other, "Send")

    assert (await desk.begin(job, "w2:2")).verdict is Verdict.UNRESOLVED


async def test_a_resolved_job_that_may_be_resent_begins_its_next_attempt(desk):
    job = await lost_job(desk)
    await desk.feedback_is_past(job)

    begun = await desk.begin(job, "w2:2")

    assert (begun.verdict, begun.attempt) == (Verdict.GO, 2)
    assert (await desk.record(job))["lease"] == "w2:2"


async def test_a_second_lost_attempt_waits_for_feedback_again(desk):
    job = await lost_job(desk)
    await desk.feedback_is_past(job)
    await desk.begin(job, "w2:2")
    # The begin moved on: what proved the first attempt's absence says nothing of the second.
    await desk.redis.hset(desk.keys.job(job.id), "begun_ms", int((await desk.record(job))["begun_ms"]) + 1000)
    await desk.settle(job, Kind.UNCERTAIN, "w2:2", attempt=2, delay_seconds=0)
    await desk.parking.unpark(at_most=10)

    assert (await desk.begin(job, "w2:3")).verdict is Verdict.UNRESOLVED


async def test_a_resolved_job_that_must_not_be_sent_twice_is_held_for_a_person(desk):
    job = await lost_job(desk, on_uncertain="hold")
    await desk.feedback_is_past(job)

    begun = await desk.begin(job, "w2:2")
    settled = await desk.settle(job, Kind.DEAD, "w2:2", attempt=begun.attempt, reason="uncertain, to be held")

    assert begun.verdict is Verdict.HOLD
    assert (settled.applied, settled.state) == (True, JobState.DEAD_LETTERED)


async def test_an_uncertain_job_that_waits_on_for_feedback_is_parked_again(desk):
    job = await lost_job(desk)
    await desk.begin(job, "w2:2")

    settled = await desk.settle(job, Kind.UNCERTAIN, "w2:2", delay_seconds=15)

    assert (settled.applied, settled.state) == (True, JobState.UNCERTAIN)
    assert await desk.is_parked(job)


@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce"])
async def test_any_event_of_the_job_proves_that_it_was_sent(desk, kind):
    job = await lost_job(desk)
    await desk.event(job, kind)
    await desk.feedback_is_past(job)

    assert (await desk.begin(job, "w2:2")).verdict is Verdict.SETTLED
    assert await desk.state(job) == JobState.SENT


async def test_a_resolved_job_past_its_deadline_expires_instead_of_being_resent(desk):
    job = await lost_job(desk)
    await desk.feedback_is_past(job)

    begun = await desk.begin(job.model_copy(update={"expires_at": 1.0}), "w2:2")

    assert (begun.verdict, await desk.state(job)) == (Verdict.EXPIRED, JobState.EXPIRED)


async def test_an_uncertain_job_cannot_be_cancelled(desk):
    job = await lost_job(desk)

    assert not await desk.postroom.cancel(job.id)
    assert await desk.state(job) == JobState.UNCERTAIN


async def test_the_second_send_of_a_job_is_counted_as_a_duplicate(desk):
    job = await lost_job(desk)
    await desk.feedback_is_past(job)
    await desk.begin(job, "w2:2")
    await desk.settle(job, Kind.SENT, "w2:2", attempt=2)

    late = await desk.event(job, "Send", attempt=1)
    usual = await desk.event(job, "Send", attempt=2)

    assert (late.duplicate_sends, usual.duplicate_sends) == (1, 0)
    assert (await desk.record(job))["duplicates"] == "1"
