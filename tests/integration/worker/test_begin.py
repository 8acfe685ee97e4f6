"""The last look before the wire: every row of `begin.lua`."""

from __future__ import annotations

import time

import pytest

from postroom.outcomes import OUTCOMES, JobState
from postroom_worker.ports import Kind, Verdict

PAUSED = "paused"


async def test_a_queued_job_may_be_sent_and_is_begun_with_attempt_1(desk):
    job = await desk.enqueue()

    begun = await desk.begin(job, "w1:7")

    record = await desk.record(job)
    assert (begun.verdict, begun.attempt, begun.failures, begun.left_out) == (Verdict.GO, 1, 0, frozenset())
    assert (record["state"], record["attempt"], record["lease"]) == ("begun", "1", "w1:7")
    assert abs(int(record["begun_ms"]) / 1000 - time.time()) < 60
    assert await desk.ttl(job) == -1


async def test_a_job_of_a_foreign_producer_gets_its_record_when_it_is_begun(desk):
    job = await desk.enqueue(foreign=True, lane="bulk")

    begun = await desk.begin(job)

    record = await desk.record(job)
    assert (begun.verdict, begun.attempt) == (Verdict.GO, 1)
    assert (record["state"], record["lane"], record["attempt"]) == ("begun", "bulk", "1")


async def test_the_same_lease_that_begins_again_gets_the_same_attempt(desk):
    job = await desk.enqueue()

    first, second = await desk.begin(job), await desk.begin(job)

    assert (first.verdict, first.attempt) == (second.verdict, second.attempt) == (Verdict.GO, 1)
    assert (await desk.record(job))["attempt"] == "1"


async def test_an_address_suppressed_since_the_first_begin_stops_the_second(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.postroom.suppression.add("ada@example.net")

    again = await desk.begin(job)

    assert (again.verdict, await desk.state(job)) == (Verdict.SUPPRESSED, JobState.SUPPRESSED)


async def test_a_job_that_another_lease_began_is_unsettled(desk):
    job = await desk.enqueue()
    await desk.begin(job, "w1:1")

    begun = await desk.begin(job, "w2:1")

    assert (begun.verdict, begun.attempt) == (Verdict.UNSETTLED, 1)
    assert (await desk.record(job))["lease"] == "w1:1"


async def in_outcome(desk, outcome):
    """A job in each of the outcomes, by the way that leads there."""
    job = await desk.enqueue()
    match outcome:
        case JobState.SENT:
            await desk.begin(job)
            await desk.settle(job, Kind.SENT)
        case JobState.REFUSED:
            await desk.begin(job)
            await desk.settle(job, Kind.REFUSED)
        case JobState.DEAD_LETTERED:
            await desk.begin(job)
            await desk.settle(job, Kind.DEAD)
        case JobState.EXPIRED:
            await desk.begin(job.model_copy(update={"expires_at": 1.0}))
        case JobState.SUPPRESSED:
            await desk.postroom.suppression.add("ada@example.net")
            await desk.begin(job)
        case JobState.CANCELLED:
            assert await desk.postroom.cancel(job.id)
            assert (await desk.begin(job)).verdict is Verdict.CANCELLED
    return job


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
async def test_a_job_with_an_outcome_is_never_begun_again(desk, outcome):
    job = await in_outcome(desk, outcome)
    before = await desk.record(job)
    assert before["state"] == outcome

    begun = await desk.begin(job, "w2:1")

    assert begun.verdict is Verdict.SETTLED
    assert await desk.record(job) == before
    assert 0 < await desk.ttl(job) <= 3 * 24 * 3600


async def test_a_cancelled_job_is_told_once_so_that_it_is_counted_once(desk):
    job = await desk.enqueue()
    assert await desk.postroom.cancel(job.id)

    verdicts = [(await desk.begin(job, lease)).verdict for lease in ("w1:1", "w2:1", "w1:2")]

    assert verdicts == [Verdict.CANCELLED, Verdict.SETTLED, Verdict.SETTLED]


async def test_a_job_that_was_released_and_then_cancelled_is_told_as_cancelled(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.RELEASED)
    assert await desk.postroom.cancel(job.id)

    assert (await desk.begin(job, "w2:1")).verdict is Verdict.CANCELLED


@pytest.mark.parametrize("end", ["cancelled", "expired", "suppressed"])
async def test_an_end_whose_answer_was_lost_is_told_again_to_the_lease_that_asked(desk, end):
    job = await desk.enqueue()
    if end == "cancelled":
        assert await desk.postroom.cancel(job.id)
    elif end == "expired":
        job = job.model_copy(update={"expires_at": 1.0})
    else:
        await desk.postroom.suppression.add("ada@example.net")

    verdicts = [(await desk.begin(job, lease)).verdict for lease in ("w1:1", "w1:1", "w2:1")]

    assert verdicts == [end, end, Verdict.SETTLED]


async def test_a_job_past_its_deadline_expires_and_is_not_begun(desk):
    job = (await desk.enqueue()).model_copy(update={"expires_at": time.time() - 1})

    begun = await desk.begin(job)

    record = await desk.record(job)
    assert (begun.verdict, begun.attempt) == (Verdict.EXPIRED, 0)
    assert (record["state"], record["attempt"]) == ("expired", "0")
    assert "settled_ms" in record


async def test_a_job_before_its_deadline_is_sent(desk):
    job = await desk.enqueue(expires_in=600)

    assert (await desk.begin(job)).verdict is Verdict.GO


async def test_a_job_whose_only_recipient_is_suppressed_ends_as_suppressed(desk):
    await desk.postroom.suppression.add("ADA@Example.net")
    job = await desk.enqueue("Ada <Ada@example.NET>", lane="critical", foreign=True)

    begun = await desk.begin(job)

    record = await desk.record(job)
    assert (begun.verdict, begun.attempt) == (Verdict.SUPPRESSED, 0)
    assert (record["state"], record["lane"], record["suppressed"]) == ("suppressed", "critical", "1")


async def test_suppressed_recipients_are_left_out_by_their_place_and_counted(desk):
    addresses = [f"u{number}@example.net" for number in range(5)]
    for number in (1, 4):
        await desk.postroom.suppression.add(addresses[number])
    job = await desk.enqueue(addresses)

    begun = await desk.begin(job)

    assert (begun.verdict, begun.left_out) == (Verdict.GO, frozenset({1, 4}))
    assert (await desk.postroom.status(job.id)).suppressed_recipients == 2


@pytest.mark.parametrize(
    ("expires_in", "verdict"), [(3600, Verdict.SUPPRESSED), (-1, Verdict.GO)], ids=["still suppressed", "lapsed"]
)
async def test_an_entry_suppresses_until_it_expires(desk, keys, expires_in, verdict):
    address, now = "ada@example.net", int(time.time())
    entry = f"t;{now - 10};{now + expires_in};five transient bounces"
    await desk.redis.hset(keys.suppression_bucket(address), address, entry)

    assert (await desk.begin(await desk.enqueue(address))).verdict is verdict


async def test_a_source_that_looks_like_an_entry_does_not_lift_a_suppression(desk, keys):
    address = "ada@example.net"
    await desk.redis.hset(keys.suppression_bucket(address), address, "m;1;;b,1,1,")

    assert (await desk.begin(await desk.enqueue(address))).verdict is Verdict.SUPPRESSED


async def test_a_job_of_a_paused_lane_is_not_begun_and_the_other_lanes_go_on(desk, keys):
    await desk.redis.sadd(keys.paused_lanes, "bulk")
    bulk, receipt = await desk.enqueue(lane="bulk"), await desk.enqueue(lane="transactional")

    answers = await desk.ledger.begin([desk.request(bulk), desk.request(receipt)])

    assert [answer.verdict for answer in answers] == [Verdict.PAUSED, Verdict.GO]
    assert await desk.state(bulk) == JobState.QUEUED


async def test_a_parked_job_is_elsewhere_for_every_other_copy_of_its_message(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.PARKED, delay_seconds=60)

    begun = await desk.begin(job, "w2:1")

    assert begun.verdict is Verdict.ELSEWHERE
    assert await desk.is_parked(job)


async def test_a_job_that_comes_back_from_parking_begins_its_next_attempt_with_its_failures(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.PARKED, delay_seconds=60, counts_as_failure=True)
    await desk.make_due(job)
    await desk.parking.unpark(at_most=10)

    begun = await desk.begin(job, "w2:1")

    assert (begun.verdict, begun.attempt, begun.failures) == (Verdict.GO, 2, 1)


async def test_one_call_answers_for_many_jobs_in_order(desk):
    await desk.postroom.suppression.add("no@example.net")
    jobs = [await desk.enqueue(to) for to in (["a@example.net", "no@example.net"], "no@example.net", "b@example.net")]
    assert await desk.postroom.cancel(jobs[2].id)

    answers = await desk.ledger.begin([desk.request(job) for job in jobs])

    assert [(answer.verdict, answer.left_out) for answer in answers] == [
        (Verdict.GO, frozenset({1})),
        (Verdict.SUPPRESSED, frozenset()),
        (Verdict.CANCELLED, frozenset()),
    ]


async def test_a_job_twice_in_one_call_is_begun_once(desk):
    job = await desk.enqueue()

    answers = await desk.ledger.begin([desk.request(job, "w1:1"), desk.request(job, "w1:2")])

    assert [answer.verdict for answer in answers] == [Verdict.GO, Verdict.UNSETTLED]


async def test_the_scripts_survive_that_redis_forgets_them(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.redis.script_flush()

    assert (await desk.settle(job, Kind.SENT)).applied
    assert (await desk.begin(job)).verdict is Verdict.SETTLED


async def test_everything_stays_below_the_namespace_and_the_queues(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.PARKED, delay_seconds=0)
    await desk.parking.unpark(at_most=10)
    await desk.begin(job)
    await desk.settle(job, Kind.SENT, attempt=2)

    names = {name.decode() async for name in desk.redis.scan_iter()}

    assert {name for name in names if not name.startswith("{postroom}:1:")} == {"postroom.transactional"}
