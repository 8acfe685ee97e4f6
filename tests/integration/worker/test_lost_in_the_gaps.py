"""What a worker does with begin's answer, through the real use cases: whatever happens, the job is somewhere."""

from __future__ import annotations

import asyncio

import pytest

from postroom.outcomes import OUTCOMES, JobState
from postroom_worker.metrics import Metrics
from postroom_worker.policy.ses_answers import Meaning, SesAnswer
from postroom_worker.ports import Kind, Verdict
from postroom_worker.use_cases.attempt import Attempts
from postroom_worker.use_cases.held_job import HeldJob
from postroom_worker.use_cases.settlements import Settlements


class NoSes:
    """SES that must not be called."""

    async def send(self, job, *, attempt, left_out):
        raise AssertionError(f"attempt {attempt} of a job was sent")

    async def send_quota(self):
        raise AssertionError("the quota was asked for")


class AnsweringSes(NoSes):
    """SES that gives one answer to everything."""

    def __init__(self, meaning):
        self.answer = SesAnswer(meaning, "Code", "a reason", "message-1" if meaning is Meaning.ACCEPTED else None)

    async def send(self, job, *, attempt, left_out):
        return self.answer


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def attempts_with(desk, metrics):
    def make(ses):
        return Attempts(
            ses=ses,
            gate=desk.gate,
            quota=desk.quota,
            settlements=Settlements(desk.ledger, metrics),
            metrics=metrics,
            message_of=desk.message,
            uncertain_after_seconds=30.0,
        )

    return make


@pytest.fixture
def attempts(attempts_with):
    return attempts_with(NoSes())


def held(job, lease="w1:1", begun=None):
    addresses = tuple(address.canonical for address in job.email.recipients)
    return HeldJob(
        job=job, lease=lease, addresses=addresses, done=asyncio.get_running_loop().create_future(), begun=begun
    )


async def is_somewhere(desk, job):
    """Whether a job whose message has just been acknowledged has an outcome, or waits in Redis to come back."""
    return await desk.state(job) in OUTCOMES or await desk.is_parked(job)


@pytest.mark.parametrize("meaning", list(Meaning))
async def test_whatever_ses_answers_the_job_has_an_outcome_or_comes_back(desk, attempts_with, meaning):
    job = await desk.enqueue()
    begun = await desk.begin(job)

    acknowledge = await attempts_with(AnsweringSes(meaning)).send(held(job), begun)

    assert acknowledge
    assert await is_somewhere(desk, job)


async def test_a_job_of_a_paused_lane_waits_in_redis(desk, keys, attempts):
    await desk.redis.sadd(keys.paused_lanes, "transactional")
    job = await desk.enqueue()
    begun = await desk.begin(job)

    assert await attempts.lane_paused(held(job), begun)

    assert await desk.state(job) == JobState.PARKED
    assert await desk.is_parked(job)


async def test_a_lane_that_is_paused_between_begin_and_the_wire_loses_no_job(desk, keys, attempts):
    job = await desk.enqueue()
    assert (await desk.begin(job)).verdict is Verdict.GO
    await desk.redis.sadd(keys.paused_lanes, "transactional")
    again = await desk.begin(job)
    assert again.verdict is Verdict.PAUSED

    assert await attempts.lane_paused(held(job), again)

    assert await is_somewhere(desk, job)


async def test_an_uncertain_job_that_is_resolved_while_its_lane_is_paused_is_not_lost(desk, keys, attempts):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=0)
    await desk.parking.unpark(at_most=10)
    await desk.feedback_is_past(job)
    await desk.redis.sadd(keys.paused_lanes, "transactional")
    begun = await desk.begin(job, "w2:1")
    assert begun.verdict is Verdict.PAUSED

    assert await attempts.lane_paused(held(job, "w2:1"), begun)

    assert await is_somewhere(desk, job)


async def test_a_defect_before_the_begin_of_a_retried_job_does_not_lose_it(desk, attempts):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.PARKED, delay_seconds=0)
    await desk.parking.unpark(at_most=10)

    assert await attempts.broken(held(job, "w2:1"))

    assert await is_somewhere(desk, job)


async def test_a_defect_on_the_wire_leaves_the_job_uncertain(desk, attempts):
    job = await desk.enqueue()
    holder = held(job, begun=await desk.begin(job))
    holder.on_the_wire = True

    assert await attempts.broken(holder)

    assert await desk.state(job) == JobState.UNCERTAIN
    assert await desk.is_parked(job)


async def test_a_defect_between_begin_and_the_wire_keeps_the_job_for_a_person(desk, attempts):
    job = await desk.enqueue()

    assert await attempts.broken(held(job, begun=await desk.begin(job)))

    assert await desk.state(job) == JobState.DEAD_LETTERED


async def test_a_job_whose_worker_was_lost_waits_for_feedback(desk, attempts):
    job = await desk.enqueue()
    await desk.begin(job, "w0:1")
    begun = await desk.begin(job)

    assert await attempts.unsettled(held(job), begun)

    assert await desk.state(job) == JobState.UNCERTAIN
    assert await desk.is_parked(job)


async def test_a_released_job_keeps_its_message_and_is_queued(desk, attempts):
    job = await desk.enqueue()
    begun = await desk.begin(job)

    acknowledge = await attempts.released(held(job), begun)

    assert not acknowledge
    assert await desk.state(job) == JobState.QUEUED


async def test_ses_yes_counts_though_a_failover_of_redis_forgot_the_begin(desk):
    job = await desk.enqueue()
    forgotten = await desk.record(job)
    await desk.begin(job)
    await desk.redis.delete(desk.keys.job(job.id))
    await desk.redis.hset(desk.keys.job(job.id), mapping=forgotten)

    await desk.settle(job, Kind.SENT)

    # Else a message that comes back is sent a second time.
    assert (await desk.begin(job, "w2:1")).verdict is Verdict.SETTLED


def counted_as_sent(metrics):
    return metrics.registry.get_sample_value("postroom_jobs_total", {"lane": "transactional", "outcome": "sent"})


async def test_a_sent_job_is_counted_once(desk, metrics, attempts_with):
    job = await desk.enqueue()
    await attempts_with(AnsweringSes(Meaning.ACCEPTED)).send(held(job), await desk.begin(job))

    assert counted_as_sent(metrics) == 1


async def test_a_job_that_its_send_event_settled_first_is_counted_by_the_consumer_alone(desk, metrics, attempts_with):
    job = await desk.enqueue()
    begun = await desk.begin(job)
    event = await desk.event(job, "Send")
    assert event.settled_lane == "transactional"  # the consumer counts jobs_total by it

    await attempts_with(AnsweringSes(Meaning.ACCEPTED)).send(held(job), begun)

    assert counted_as_sent(metrics) is None


async def test_a_job_that_is_given_up_is_not_parked_any_more(desk, attempts):
    # Two messages of one uncertain job: one holder parks it again, the other one gives it up.
    job = await desk.enqueue(on_uncertain="hold")
    await desk.begin(job)
    await desk.settle(job, Kind.UNCERTAIN, delay_seconds=0)
    await desk.parking.unpark(at_most=10)
    unresolved = await desk.begin(job, "w1:2")
    await desk.feedback_is_past(job)
    hold = await desk.begin(job, "w2:1")
    assert (unresolved.verdict, hold.verdict) == (Verdict.UNRESOLVED, Verdict.HOLD)

    await attempts.unresolved(held(job, "w1:2"), unresolved)
    await attempts.hold(held(job, "w2:1"), hold)

    assert await desk.state(job) == JobState.DEAD_LETTERED
    assert not await desk.is_parked(job)


async def test_a_retry_that_is_settled_twice_counts_one_failure(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    for _ in range(2):  # as `Settlements` repeats it where Redis's answer was lost; unparked in between
        await desk.settle(job, Kind.PARKED, delay_seconds=0, counts_as_failure=True)
        await desk.parking.unpark(at_most=10)

    assert (await desk.record(job))["failures"] == "1"
