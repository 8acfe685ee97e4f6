"""Dead letters are kept as they came until a person retries or drops them, whatever became of their record."""

from __future__ import annotations

import asyncio
import json

import pytest

from postroom.lanes import Lane
from postroom_worker.adapters.dead_letters import DeadLetters, Retried
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.ports import Kind, Verdict

REASON = "SES answered with an error five times"


@pytest.fixture
def dead_letters(redis, keys):
    return DeadLetters(redis, keys)


@pytest.fixture
async def claim(redis, keys):
    """Claims whatever there is."""
    await redis.hset(keys.quota, mapping={"working_rate": "1000", "max_send_rate": "1000"})
    claims = RedisClaims(redis, redis, keys, lanes=list(Lane), horizon_seconds=0.25)

    async def take():
        return await claims.claim(owed=0, owed_first=0, spare=0, room=dict.fromkeys(Lane, 100))

    return take


async def listed(dead_letters):
    return [letter async for letter in dead_letters.all()]


async def given_up(desk):
    job = await desk.enqueue()
    await desk.begin(job)
    await desk.settle(job, Kind.DEAD, message=desk.message(job), reason=REASON)
    return job


async def test_poison_is_buried_with_its_bytes_and_dropped_for_good(redis, keys, claim, dead_letters):
    queue = keys.queue(Lane.BULK)
    poison = [
        b"not JSON \xff\n at all",
        b'{"headers": {"id": "x", "task": "other.task"}, "properties": {}, "body": ""}',
    ]
    await redis.lpush(queue, *poison)

    claimed = await claim()

    assert claimed.dead_lettered == 2
    letters = {letter.raw: letter for letter in await listed(dead_letters)}
    assert letters.keys() == set(poison)
    assert {letter.reason for letter in letters.values()} == {"not JSON", "an unknown task"}
    assert all(letter.queue == queue and letter.job is None and letter.attempts is None for letter in letters.values())
    unreadable = letters[poison[0]].id
    assert await dead_letters.retry(unreadable) is Retried.UNREADABLE
    assert await dead_letters.get(unreadable) == letters[poison[0]]
    assert await dead_letters.history(unreadable) == {}

    assert await dead_letters.drop(unreadable)
    assert not await dead_letters.drop(unreadable)
    assert [letter.id for letter in await listed(dead_letters)] == ["x"]
    assert await dead_letters.count() == 1


async def test_a_job_that_was_given_up_is_sent_after_a_retry_with_its_failures_forgotten(desk, claim, dead_letters):
    job = await desk.enqueue()
    (waiting,) = (await claim()).messages
    await desk.begin(job)
    await desk.settle(job, Kind.PARKED, counts_as_failure=True, delay_seconds=1)
    await desk.make_due(job)
    await desk.parking.unpark(at_most=10)
    await desk.begin(job, "w1:2")
    await desk.settle(job, Kind.DEAD, "w1:2", attempt=2, message=desk.message(job), reason=REASON)

    (letter,) = await listed(dead_letters)
    assert (letter.id, letter.reason, letter.attempts) == (job.id, REASON, 2)
    assert letter.job["email"]["subject"] == "A subject"
    assert (await dead_letters.history(job.id))["state"] == "dead_lettered"
    assert await desk.ttl(job) > 0

    await desk.redis.delete(desk.keys.queue(job.lane))
    assert await dead_letters.retry(job.id) is Retried.DONE

    assert await desk.state(job) == "queued"
    assert await desk.ttl(job) == -1
    assert await listed(dead_letters) == []
    (retried,) = (await claim()).messages
    assert retried.tag not in {waiting.tag, json.loads(letter.raw)["properties"]["delivery_tag"]}
    begun = await desk.begin(job, "w2:1")
    assert (begun.verdict, begun.attempt, begun.failures) == (Verdict.GO, 3, 0)
    assert (await desk.settle(job, Kind.SENT, "w2:1", attempt=3)).state == "sent"


async def test_a_letter_outlives_its_record_and_is_sent_all_the_same(desk, claim, dead_letters):
    job = await given_up(desk)
    await desk.redis.delete(desk.keys.job(job.id), desk.keys.queue(job.lane))

    letter = await dead_letters.get(job.id)
    assert letter.attempts is None
    assert letter.reason == REASON
    assert await dead_letters.history(job.id) == {}

    assert await dead_letters.retry(job.id) is Retried.DONE
    assert len((await claim()).messages) == 1
    assert (await desk.begin(job, "w2:1")).verdict is Verdict.GO


async def test_of_many_that_retry_one_does(desk, dead_letters):
    job = await given_up(desk)
    await desk.redis.delete(desk.keys.queue(job.lane))

    answers = await asyncio.gather(*(dead_letters.retry(job.id) for _ in range(8)))

    assert sorted(answers) == [Retried.GONE] * 7 + [Retried.DONE]
    assert len(await desk.queued(job.lane)) == 1


@pytest.mark.parametrize(
    "written", ['"delivery_tag":"a/b+c%1"', '"delivery_tag" :  "a/b+c%1"', '"delivery_tag":"a\\/b+c%1"']
)
async def test_only_the_delivery_tag_of_a_message_changes_however_its_producer_writes_json(desk, dead_letters, written):
    raw = '{"body":"e30=","list":[],"number":1.0,"properties":{' + written + '},"text":"\\"delivery_tag\\": \\"x\\""}'
    keys = desk.keys
    await desk.redis.zadd(keys.dead_letters, {"id": 1})
    await desk.redis.hset(keys.dead_letter_messages, "id", f"postroom.bulk {raw}")

    assert await dead_letters.retry("id") is Retried.DONE

    (pushed,) = await desk.redis.lrange("postroom.bulk", 0, -1)
    tag = json.loads(pushed)["properties"]["delivery_tag"]
    assert tag != "a/b+c%1"
    before, _, after = raw.partition(written)
    assert pushed.decode().startswith(before)
    assert pushed.decode().endswith(after)


async def test_more_letters_than_one_read_brings_are_listed_oldest_first(desk, dead_letters):
    keys = desk.keys
    names = [f"id-{number:04}" for number in range(1201)]
    await desk.redis.zadd(keys.dead_letters, {name: number for number, name in enumerate(names)})
    await desk.redis.hset(keys.dead_letter_messages, mapping=dict.fromkeys(names, "postroom.bulk {}"))

    assert [letter.id for letter in await listed(dead_letters)] == names


async def test_what_is_logged_by_accident_says_nothing_personal(desk, dead_letters):
    job = await given_up(desk)
    letter = await dead_letters.get(job.id)
    assert "ada@example.net" in json.dumps(letter.job)
    assert "ada@" not in repr(letter)
