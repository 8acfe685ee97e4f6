"""What became of an attempt: every row of `settle.lua`."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from postroom.outcomes import OUTCOMES, JobState
from postroom_worker.ports import Kind, Verdict

KINDS_OF_AN_ATTEMPT = (Kind.SENT, Kind.REFUSED, Kind.PARKED, Kind.UNCERTAIN, Kind.DEAD, Kind.RELEASED)
ENDS = {Kind.SENT: JobState.SENT, Kind.REFUSED: JobState.REFUSED, Kind.DEAD: JobState.DEAD_LETTERED}


async def begun_job(desk, lease="w1:1", **options):
    job = await desk.enqueue(**options)
    assert (await desk.begin(job, lease)).verdict is Verdict.GO
    return job


@pytest.mark.parametrize("kind", sorted(ENDS))
async def test_an_outcome_is_written_with_its_time_and_kept_for_the_retention(desk, kind):
    job = await begun_job(desk)

    settled = await desk.settle(job, kind)

    record = await desk.record(job)
    assert (settled.applied, settled.state) == (True, ENDS[kind])
    assert record["state"] == ENDS[kind]
    assert int(record["settled_ms"]) >= int(record["begun_ms"])
    assert 3500 < await desk.ttl(job) <= 3600


async def test_a_sent_job_knows_its_ses_message_id_and_no_reason_any_more(desk):
    job = await begun_job(desk)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=30, reason="the answer was lost")

    await desk.settle(job, Kind.SENT, ses_message_id="0102-abc")

    record = await desk.record(job)
    assert record["ses_message_id"] == "0102-abc"
    assert record.keys().isdisjoint({"reason", "due_ms"})


async def test_a_dead_letter_keeps_its_message_and_its_reason(desk, keys):
    job = await begun_job(desk, lane="bulk")

    await desk.settle(job, Kind.DEAD, reason="given up after 120 failures")

    assert (await desk.record(job))["reason"] == "given up after 120 failures"
    assert await desk.redis.zscore(keys.dead_letters, job.id) > 1e12
    stored = (await desk.redis.hget(keys.dead_letter_messages, job.id)).decode()
    assert stored.startswith("postroom.bulk {")


async def test_a_retry_waits_in_redis_with_its_message_and_time(desk, keys):
    job = await begun_job(desk)

    settled = await desk.settle(job, Kind.PARKED, delay_seconds=12.5, reason="throttled")

    record = await desk.record(job)
    due_ms = await desk.redis.zscore(keys.parked, job.id)
    assert (settled.applied, settled.state) == (True, "parked")
    assert (record["state"], record["reason"], int(record["due_ms"])) == ("parked", "throttled", due_ms)
    assert due_ms - int(record["begun_ms"]) >= 12_500
    assert await desk.is_parked(job)
    assert await desk.ttl(job) == -1


@pytest.mark.parametrize(("counts", "failures"), [(True, 1), (False, 0)])
async def test_only_what_counts_towards_giving_up_is_counted(desk, counts, failures):
    job = await begun_job(desk)

    await desk.settle(job, Kind.PARKED, delay_seconds=60, counts_as_failure=counts)

    assert int((await desk.record(job)).get("failures", 0)) == failures


async def test_a_released_job_is_queued_again_and_its_next_begin_is_the_next_attempt(desk):
    job = await begun_job(desk)

    settled = await desk.settle(job, Kind.RELEASED)

    assert (settled.applied, await desk.state(job)) == (True, "queued")
    assert (await desk.begin(job, "w2:1")).attempt == 2


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.PARKED, Kind.RELEASED, Kind.DEAD])
async def test_a_lease_that_does_not_hold_the_job_settles_nothing(desk, kind):
    job = await begun_job(desk, "w1:1")
    before = await desk.record(job)

    settled = await desk.settle(job, kind, "w2:9")

    assert not settled.applied
    assert await desk.record(job) == before
    assert not await desk.is_parked(job)


async def lost_and_begun_again(desk):
    """A job whose first attempt (lease w1:1) was lost, and whose second is under way (lease w2:1)."""
    job = await begun_job(desk, "w1:1")
    assert (await desk.begin(job, "w2:0")).verdict is Verdict.UNSETTLED
    await desk.settle(job, Kind.UNCERTAIN, "w2:0", delay_seconds=30)
    await desk.feedback_is_past(job)
    await desk.make_due(job)
    await desk.parking.unpark(at_most=10)
    begun = await desk.begin(job, "w2:1")
    assert (begun.verdict, begun.attempt) == (Verdict.GO, 2)
    return job


@pytest.mark.parametrize("kind", KINDS_OF_AN_ATTEMPT)
async def test_an_attempt_that_was_overtaken_by_the_next_one_settles_nothing(desk, kind):
    job = await lost_and_begun_again(desk)
    before = await desk.record(job)

    settled = await desk.settle(job, kind, "w1:1", attempt=1)

    assert (settled.applied, settled.state) == (False, "begun")
    assert await desk.record(job) == before
    assert not await desk.is_parked(job)


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
@pytest.mark.parametrize("kind", KINDS_OF_AN_ATTEMPT)
async def test_nothing_leaves_an_outcome(desk, kind, outcome):
    job = await begun_job(desk)
    await desk.redis.hset(desk.keys.job(job.id), "state", outcome)
    before = await desk.record(job)

    settled = await desk.settle(job, kind)

    assert (settled.applied, settled.state) == (False, outcome)
    assert await desk.record(job) == before
    assert not await desk.is_parked(job)
    assert await desk.redis.zcard(desk.keys.dead_letters) == 0


async def test_ses_yes_counts_though_another_worker_has_called_the_attempt_uncertain(desk):
    job = await begun_job(desk, "w1:1")
    await desk.begin(job, "w2:1")
    await desk.settle(job, Kind.UNCERTAIN, "w2:1", delay_seconds=30)
    assert await desk.is_parked(job)

    settled = await desk.settle(job, Kind.SENT, "w1:1")

    assert (settled.applied, settled.state) == (True, "sent")
    assert not await desk.is_parked(job)


async def test_ses_yes_counts_though_its_job_has_come_back_from_parking(desk):
    job = await begun_job(desk, "w1:1")
    await desk.begin(job, "w2:1")
    await desk.settle(job, Kind.UNCERTAIN, "w2:1", delay_seconds=0)
    await desk.parking.unpark(at_most=10)

    settled = await desk.settle(job, Kind.SENT, "w1:1")

    assert settled.applied
    assert (await desk.begin(job, "w2:2")).verdict is Verdict.SETTLED


async def test_a_no_of_ses_does_not_undo_that_the_attempt_is_uncertain(desk):
    # Its message is parked by now; a second end of the same job is what this rules out.
    job = await begun_job(desk, "w1:1")
    await desk.begin(job, "w2:1")
    await desk.settle(job, Kind.UNCERTAIN, "w2:1", delay_seconds=30)

    settled = await desk.settle(job, Kind.REFUSED, "w1:1")

    assert (settled.applied, await desk.state(job)) == (False, "uncertain")
    assert await desk.is_parked(job)


@pytest.mark.parametrize("kind", [Kind.PARKED, Kind.REFUSED, Kind.DEAD])
async def test_a_foreign_job_without_a_record_is_settled_too(desk, kind):
    job = await desk.enqueue(foreign=True, lane="bulk")

    settled = await desk.settle(job, kind, attempt=0)

    assert settled.applied
    assert (await desk.record(job))["lane"] == "bulk"


@pytest.mark.parametrize(("kind", "state"), [(Kind.SENT, "sent"), (Kind.UNCERTAIN, "uncertain")])
async def test_what_ses_may_have_is_recorded_though_redis_lost_the_record(desk, kind, state):
    job = await begun_job(desk, lane="bulk")
    await desk.redis.delete(desk.keys.job(job.id))

    settled = await desk.settle(job, kind)

    record = await desk.record(job)
    assert (settled.applied, settled.safe) == (True, True)
    assert (record["state"], record["attempt"], record["lane"]) == (state, "1", "bulk")


async def test_a_release_of_a_job_whose_record_is_gone_leaves_its_message_to_its_queue(desk):
    job = await begun_job(desk)
    await desk.redis.delete(desk.keys.job(job.id))

    settled = await desk.settle(job, Kind.RELEASED)

    assert (settled.applied, settled.state, settled.safe) == (False, "", False)
    assert await desk.record(job) == {}


async def test_the_same_settlement_twice_has_the_effect_of_one(desk):
    job = await begun_job(desk, to=["a@example.net", "b@example.net"])

    first, second = await desk.settle(job, Kind.SENT), await desk.settle(job, Kind.SENT)

    assert first == second
    assert (first.applied, first.state) == (True, "sent")
    assert await desk.sent_in_reputation() == {"minute": 2, "hour": 2}


async def test_reputation_counts_the_recipients_of_sent_jobs_and_nothing_else(desk, keys):
    jobs = [await begun_job(desk, to=[f"{place}{number}@example.net" for place in "abc"]) for number in range(3)]

    await desk.ledger.settle(
        [
            desk.settlement(jobs[0], Kind.SENT),
            desk.settlement(jobs[1], Kind.SENT, recipients=2),
            desk.settlement(jobs[2], Kind.REFUSED),
        ]
    )

    assert await desk.sent_in_reputation() == {"minute": 5, "hour": 5}
    async for name in desk.redis.scan_iter(f"{keys.reputation_prefix}minute:*"):
        assert 7000 < await desk.redis.ttl(name) <= 7200
    async for name in desk.redis.scan_iter(f"{keys.reputation_prefix}hour:*"):
        assert 691_000 < await desk.redis.ttl(name) <= 691_200


async def test_a_send_event_before_the_answer_settles_the_job_once(desk):
    job = await begun_job(desk)

    event = await desk.event(job, "Send")
    settled = await desk.settle(job, Kind.SENT)

    assert event.settled_lane == "transactional"
    assert (settled.applied, settled.state) == (False, "sent")
    assert (await desk.record(job))["ses_message_id"] == "message-1"
    assert await desk.sent_in_reputation() == {"minute": 1, "hour": 1}


async def test_a_bounce_before_the_answer_is_not_lost(desk):
    job = await begun_job(desk)

    await desk.event(job, "Bounce")
    await desk.settle(job, Kind.SENT)
    await desk.event(job, "Send")

    status = await desk.postroom.status(job.id)
    assert (status.job_state, status.state) == (JobState.SENT, "bounced")
    assert await desk.postroom.suppression.check("ada@example.net") is not None


async def test_a_send_event_ends_a_job_that_waits_for_its_retry(desk):
    job = await begun_job(desk)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=30)

    await desk.event(job, "Send")

    assert (await desk.state(job), await desk.is_parked(job)) == ("sent", False)


async def test_a_finder_that_stalls_does_not_make_a_job_uncertain_that_was_certainly_not_sent(desk):
    job = await begun_job(desk, "w1:1")
    assert (await desk.begin(job, "w2:1")).verdict is Verdict.UNSETTLED
    await desk.settle(job, Kind.PARKED, "w1:1", delay_seconds=0)
    await desk.parking.unpark(at_most=10)

    settled = await desk.settle(job, Kind.UNCERTAIN, "w2:1", delay_seconds=30)

    assert (settled.applied, settled.state, settled.safe) == (False, "queued", False)
    assert not await desk.is_parked(job)


async def test_an_attempt_called_uncertain_once_more_after_its_send_event_is_not_counted_again(desk):
    job = await begun_job(desk)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=30)
    await desk.event(job, "Send")

    again = await desk.settle(job, Kind.UNCERTAIN, delay_seconds=30)

    assert (again.applied, again.state, again.safe) == (False, "sent", True)


@pytest.mark.parametrize("kind", KINDS_OF_AN_ATTEMPT)
async def test_a_message_is_safe_to_let_go_of_once_its_job_has_ended_or_waits_in_redis(desk, kind):
    job = await begun_job(desk)

    settled = await desk.settle(job, kind)

    # What is released goes on through its message, and through nothing else.
    assert settled.safe == (kind is not Kind.RELEASED)


async def test_an_uncertain_job_that_nobody_has_parked_still_needs_its_message(desk):
    job = await begun_job(desk)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=0)
    await desk.parking.unpark(at_most=10)

    settled = await desk.settle(job, Kind.REFUSED, "w2:1")

    assert (settled.applied, settled.safe) == (False, False)


async def test_one_call_settles_many_jobs_each_by_its_own_kind(desk):
    jobs = [await begun_job(desk, to=f"u{number}@example.net") for number in range(len(KINDS_OF_AN_ATTEMPT))]

    answers = await desk.ledger.settle(
        [desk.settlement(job, kind) for job, kind in zip(jobs, KINDS_OF_AN_ATTEMPT, strict=True)]
    )

    assert all(answer.applied for answer in answers)
    assert [answer.state for answer in answers] == [
        "sent",
        "refused",
        "parked",
        "uncertain",
        "dead_lettered",
        "queued",
    ]


async def test_a_reason_is_kept_as_it_was_written(desk):
    job = await begun_job(desk)

    await desk.settle(job, Kind.REFUSED, reason="MessageRejected: no, «не», 'quoted' \"twice\"")

    assert (await desk.postroom.status(job.id)).reason == "MessageRejected: no, «не», 'quoted' \"twice\""


async def test_an_unknown_kind_is_an_error_and_not_a_silence(desk):
    job = await begun_job(desk)

    with pytest.raises(ResponseError, match="unknown kind of settlement"):
        await desk.settle(job, "vanished")
