"""The rolling 24 hours: counted where it is permitted, given back where SES took nothing, never exceeded."""

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from postroom import Lane
from postroom.keys import Keys
from postroom_worker.adapters.redis_quota import DAY_BUCKETS
from postroom_worker.policy.quota import LaneShares
from postroom_worker.ports import Kind, Verdict

DAY = Keys("hypothesis").quota_day
KEPT_BUCKETS = 120


async def test_what_begins_is_counted_and_the_last_recipient_is_the_limit(fleet):
    await fleet.allow(day=3)
    jobs = await fleet.enqueue(jobs=4)

    verdicts = [answer.verdict for answer in await fleet.begin(*jobs)]

    assert verdicts == [Verdict.GO] * 3 + [Verdict.DAY_CLOSED]
    assert await fleet.sent_today() == 3


async def test_recipients_are_counted_and_not_emails(fleet):
    await fleet.allow(day=5)
    four, two = await fleet.enqueue(jobs=2, to=["a@example.net", "b@example.net", "c@example.net", "d@example.net"])

    assert [answer.verdict for answer in await fleet.begin(four, two)] == [Verdict.GO, Verdict.DAY_CLOSED]
    assert await fleet.sent_today() == 4


async def test_the_mailbox_simulator_is_no_part_of_the_day(fleet):
    await fleet.allow(day=1)
    jobs = await fleet.enqueue(jobs=2, to=["success@simulator.amazonses.com"])

    assert [answer.verdict for answer in await fleet.begin(*jobs)] == [Verdict.GO] * 2
    assert await fleet.sent_today() == 0


async def test_who_is_suppressed_is_no_part_of_the_day(fleet):
    await fleet.allow(day=10)
    await fleet.postroom.suppression.add("b@example.net", reason="manual")
    (job,) = await fleet.enqueue(to=["a@example.net", "b@example.net"])

    await fleet.begin(job)

    assert await fleet.sent_today() == 1


@pytest.mark.parametrize(
    ("kind", "counted"),
    [(Kind.SENT, 1), (Kind.UNCERTAIN, 1), (Kind.PARKED, 0), (Kind.REFUSED, 0), (Kind.RELEASED, 0)],
)
async def test_what_ses_certainly_did_not_take_is_given_back(fleet, kind, counted):
    await fleet.allow(day=10)
    (job,) = await fleet.enqueue()
    await fleet.begin(job)

    assert (await fleet.settle(job, kind)).applied
    assert await fleet.sent_today() == counted


async def test_beginning_again_before_the_wire_counts_once(fleet):
    await fleet.allow(day=10)
    (job,) = await fleet.enqueue()
    first, again = (await fleet.begin(job))[0], (await fleet.begin(job))[0]

    assert (first.attempt, again.attempt) == (1, 1)
    assert await fleet.sent_today() == 1


async def test_a_second_attempt_counts_a_second_time(fleet):
    await fleet.allow(day=10)
    (job,) = await fleet.enqueue()
    await fleet.begin(job)
    await fleet.settle(job, Kind.UNCERTAIN)
    await fleet.redis.zrem(fleet.keys.parked, job.id)
    await fleet.redis.hset(fleet.keys.feedback_progress, "empty_at_ms", round(time.time() * 1000) + 1_000_000)

    (answer,) = await fleet.begin(job, lease="w:2")

    assert (answer.verdict, answer.attempt) == (Verdict.GO, 2)
    assert await fleet.sent_today() == 2


async def test_other_senders_use_the_day_too(fleet):
    await fleet.allow(day=10, others=9)
    jobs = await fleet.enqueue(jobs=2)

    assert [answer.verdict for answer in await fleet.begin(*jobs)] == [Verdict.GO, Verdict.DAY_CLOSED]


async def test_no_limit_is_no_limit(fleet):
    await fleet.allow(day=-1, others=1e9)
    jobs = await fleet.enqueue(jobs=5)

    assert {answer.verdict for answer in await fleet.begin(*jobs)} == {Verdict.GO}


async def test_better_lanes_have_their_reserves(fleet):
    await fleet.allow(day=20, shares=LaneShares(day_reserve_critical=0.1, day_reserve_transactional=0.2))
    bulk = await fleet.enqueue(Lane.BULK, jobs=15)
    transactional = await fleet.enqueue(Lane.TRANSACTIONAL, jobs=5)
    critical = await fleet.enqueue(Lane.CRITICAL, jobs=3)

    gone = [
        sum(answer.verdict is Verdict.GO for answer in await fleet.begin(*jobs))
        for jobs in (bulk, transactional, critical)
    ]

    assert gone == [14, 4, 2]


async def test_the_window_frees_what_it_held_as_time_passes(fleet):
    # A "day" of 14.4 seconds has buckets of 10 milliseconds.
    await fleet.allow(day=2, window_seconds=14.4)
    jobs = await fleet.enqueue(jobs=3)
    await fleet.begin(*jobs[:2])
    assert (await fleet.begin(jobs[2]))[0].verdict is Verdict.DAY_CLOSED
    # Instead of waiting: what was counted moves to the edge of the window.
    now_ms = round(time.time() * 1000)
    await fleet.redis.delete(fleet.keys.quota_day)
    bucket = now_ms // 10 - DAY_BUCKETS + 29
    await fleet.redis.hset(fleet.keys.quota_day, mapping={"first": bucket - 10, "total": 2, str(bucket): 2})
    assert (await fleet.begin(jobs[2]))[0].verdict is Verdict.DAY_CLOSED

    await asyncio.sleep(0.5)

    assert (await fleet.begin(jobs[2]))[0].verdict is Verdict.GO


async def test_no_bucket_leaves_before_all_of_it_is_older_than_the_window(fleet):
    await fleet.allow(day=2, window_seconds=14.4)
    jobs = await fleet.enqueue(jobs=3)
    await fleet.begin(*jobs[:1])
    now_ms = round(time.time() * 1000)
    await fleet.redis.delete(fleet.keys.quota_day)
    # Some of it is not yet 14.4 seconds old: SES still counts that.
    edge = now_ms // 10 - DAY_BUCKETS + 20
    await fleet.redis.hset(fleet.keys.quota_day, mapping={"first": edge - 10, "total": 2, str(edge): 2})
    sends_at = None
    while sends_at is None:
        if (await fleet.begin(jobs[1]))[0].verdict is Verdict.GO:
            sends_at = time.time()
        await asyncio.sleep(0.002)

    assert sends_at * 1000 >= (edge + 1) * 10 + 14_400


async def test_a_lane_whose_day_is_used_up_is_not_claimed_and_says_when_to_look_again(fleet):
    await fleet.allow(day=10, shares=LaneShares(day_reserve_critical=0.1, day_reserve_transactional=0))
    first = await fleet.enqueue(Lane.BULK, jobs=12)
    await fleet.begin(*first[:9])
    await fleet.redis.delete(fleet.keys.queue(Lane.BULK))
    (bulk,) = await fleet.enqueue(Lane.BULK)
    (critical,) = await fleet.enqueue(Lane.CRITICAL)

    claim = await fleet.claim()

    assert [job.id for job in fleet.jobs_of(claim)] == [critical.id]
    assert claim.closed >= {Lane.BULK}
    assert 0 < claim.closed_seconds <= 60
    assert await fleet.redis.llen(fleet.keys.queue(Lane.BULK)) == 1
    assert (await fleet.postroom.status(bulk.id)).state == "queued"


async def test_a_job_with_more_recipients_than_are_left_waits_and_loses_nothing(fleet):
    await fleet.allow(day=2)
    (job,) = await fleet.enqueue(to=["a@example.net", "b@example.net", "c@example.net"])

    claim = await fleet.claim()

    assert claim.messages == ()
    assert claim.slots == 0
    assert Lane.BULK in claim.closed
    assert await fleet.redis.llen(fleet.keys.queue(Lane.BULK)) == 1
    assert (await fleet.postroom.status(job.id)).state == "queued"


async def test_what_we_sent_is_compared_with_what_ses_had_counted_by_then(fleet):
    await fleet.allow(day=100)
    await fleet.begin(*await fleet.enqueue(jobs=4))

    assert await fleet.store.sent_by_us(until_ago_seconds=0) == 4
    # Five minutes ago we had sent nothing: what SES counts beyond that, others sent.
    assert await fleet.store.sent_by_us(until_ago_seconds=300) == 0


# The script against a model, on a clock of the test's own.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.integers(min_value=1, max_value=50)),
        st.tuples(st.just("take back"), st.integers(min_value=0, max_value=100)),
        st.tuples(st.just("pass"), st.sampled_from([1, 2, 7, 119, 120, 121, 700, 1439, 1440, 1441, 2000, 4000])),
    ),
    max_size=25,
)

RUN = """
local total = day_total(KEYS[1], tonumber(ARGV[1]))
if ARGV[2] ~= '0' then
  day_count(KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[2]))
end
return day_total(KEYS[1], tonumber(ARGV[1]))
"""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_total_is_always_the_sum_of_the_window(redis_url, steps, day_script):
    with Redis.from_url(redis_url) as redis:
        redis.delete(DAY)
        run = redis.register_script(day_script + RUN)
        now, counted, model = 29_000_000, [], {}
        for step, number in steps:
            recipients, bucket = 0, now
            if step == "pass":
                now += number
                bucket = now
            elif step == "count":
                recipients = number
                counted.append((now, number))
            elif counted:
                bucket, known = counted.pop(number % len(counted))
                recipients = -known
                if bucket < now - DAY_BUCKETS:
                    recipients = 0  # nobody takes back what left the window long ago
            if recipients:
                model[bucket] = model.get(bucket, 0) + recipients
            total = run(keys=[DAY], args=[now, recipients, bucket])
            window = sum(sent for at, sent in model.items() if now - DAY_BUCKETS <= at <= now)
            assert total == window
            # Buckets beyond what is kept for comparing with SES's late count are gone.
            names = [int(name) for name in redis.hkeys(DAY) if name.isdigit()]
            assert all(name > now - DAY_BUCKETS - KEPT_BUCKETS - 1 for name in names)


@pytest.fixture(scope="module")
def day_script():
    from importlib.resources import files  # noqa: PLC0415 - one use

    return files("postroom_worker.adapters").joinpath("lua", "day.lua").read_text(encoding="utf-8")
