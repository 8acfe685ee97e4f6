"""What a claim takes into a worker's hands, in kombu's own format, and how it comes out of them again."""

from __future__ import annotations

import asyncio
import json

import pytest
from redis.asyncio import Redis

from postroom.lanes import Lane
from postroom.message import celery_message
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.adapters.redis_leases import RedisLeases
from postroom_worker.policy.quota import QuotaProfile, SendQuota, working_quota
from postroom_worker.ports import Message

ROOM = dict.fromkeys(Lane, 100)
QUEUE = "postroom.transactional"

#: kombu's list of messages with a Celery priority of 3.
PRIORITY_3 = QUEUE + "\x06\x163"


def odd(**changes):
    message = {
        "body": "W10=",
        "content-type": "application/json",
        "headers": {"task": "postroom.send_email", "id": "odd"},
        "properties": {"delivery_tag": "odd-tag"},
    }
    return json.dumps(message | changes)


#: Bytes in a queue, and why nobody can work on them.
ODD = {
    "no JSON": ("{oops", "not JSON"),
    "an empty text": ("", "not JSON"),
    "a number": ("42", "not JSON"),
    "a text": ('"hello"', "not JSON"),
    "an array": ("[1, 2]", "no Celery message of protocol 2"),
    "protocol 1": (json.dumps({"task": "postroom.send_email", "args": []}), "no Celery message of protocol 2"),
    "headers that are no object": (odd(headers="x"), "no Celery message of protocol 2"),
    "an unknown task": (odd(headers={"task": "other", "id": "odd"}), "an unknown task"),
    "no task": (odd(headers={"id": "odd"}), "an unknown task"),
    "a body that is no text": (odd(body=1), "no JSON body"),
    "a pickle": (odd(**{"content-type": "application/x-python-serialize"}), "no JSON body"),
    "no delivery tag": (odd(properties={}), "no delivery tag"),
    "an empty delivery tag": (odd(properties={"delivery_tag": ""}), "no delivery tag"),
    "a delivery tag that is a number": (odd(properties={"delivery_tag": 7}), "no delivery tag"),
    "endless nesting": ("[" * 5000 + "]" * 5000, "not JSON"),
}


@pytest.fixture
async def claims(desk, redis_url, keys):
    """Claims of a worker whose fleet may send a thousand a second."""
    said = SendQuota(
        max_send_rate=1000.0,
        max_24_hour_send=-1.0,
        sent_last_24_hours=0.0,
        production_access=True,
        sending_enabled=True,
        enforcement_status="HEALTHY",
    )
    working = working_quota(said, profile=QuotaProfile.AUTO, max_send_rate=None, max_24_hour_send=None)
    await desk.quota.store(said, working, others=0.0)
    async with Redis.from_url(redis_url) as waiting:
        yield RedisClaims(desk.redis, waiting, keys, lanes=list(Lane), horizon_seconds=0.25)


@pytest.fixture
def leases(desk, keys):
    return RedisLeases(desk.redis, keys, visibility_timeout_seconds=60.0)


async def claimed(claims):
    return await claims.claim(owed=0, owed_first=0, spare=0, room=ROOM)


async def in_queue(desk, name=QUEUE):
    return await desk.redis.lrange(name, 0, -1)


async def test_what_is_claimed_is_held_in_the_same_step(desk, claims, keys):
    job = await desk.enqueue()
    (raw,) = await in_queue(desk)

    (message,) = (await claimed(claims)).messages

    assert message == Message(QUEUE, json.loads(raw)["properties"]["delivery_tag"], raw)
    assert await in_queue(desk) == []
    held = json.loads(await desk.redis.hget(keys.unacked, message.tag))
    assert held == [json.loads(raw), "", QUEUE]
    assert held[0]["headers"]["id"] == job.id
    assert await desk.redis.zscore(keys.unacked_index, message.tag) > 1e9


@pytest.mark.parametrize(("raw", "reason"), ODD.values(), ids=ODD)
async def test_what_nobody_can_work_on_is_a_dead_letter_with_its_bytes_and_a_reason(desk, claims, keys, raw, reason):
    await desk.redis.lpush(QUEUE, raw)
    job = await desk.enqueue()

    claim = await claimed(claims)

    assert (claim.dead_lettered, len(claim.messages)) == (1, 1)
    assert json.loads(claim.messages[0].raw)["headers"]["id"] == job.id
    ((name, _),) = await desk.redis.zrange(keys.dead_letters, 0, -1, withscores=True)
    assert (await desk.redis.hget(keys.dead_letter_messages, name)).decode() == f"{QUEUE} {raw}"
    assert (await desk.redis.hget(keys.dead_letter_reasons, name)).decode() == reason


async def test_a_delivery_tag_that_is_held_already_does_not_replace_what_is_held(desk, claims, keys):
    job, other = await desk.enqueue(), await desk.enqueue("eve@example.net")
    (held,) = (await claims.claim(owed=0, owed_first=0, spare=0, room={**ROOM, Lane.TRANSACTIONAL: 1})).messages
    (raw,) = await in_queue(desk)
    await desk.redis.delete(QUEUE)
    await desk.redis.lpush(
        QUEUE, raw.replace(json.loads(raw)["properties"]["delivery_tag"].encode(), held.tag.encode())
    )

    claim = await claimed(claims)

    assert (claim.dead_lettered, claim.messages) == (1, ())
    assert json.loads(await desk.redis.hget(keys.unacked, held.tag))[0]["headers"]["id"] == job.id
    assert await desk.redis.zscore(keys.dead_letters, other.id) is not None


async def test_two_odd_messages_of_one_name_are_both_kept(desk, claims, keys):
    first, second = (odd(headers={"task": "other", "id": "same"}, body=body) for body in ("Zmlyc3Q=", "c2Vjb25k"))
    await desk.redis.lpush(QUEUE, first, second)

    assert (await claimed(claims)).dead_lettered == 2

    kept = [message.decode().partition(" ")[2] for message in await desk.redis.hvals(keys.dead_letter_messages)]
    assert sorted(kept) == sorted([first, second])


async def test_messages_with_a_celery_priority_are_taken_too(desk, claims):
    job = await desk.enqueue()
    await desk.redis.rename(QUEUE, PRIORITY_3)

    (message,) = (await claimed(claims)).messages

    assert json.loads(message.raw)["headers"]["id"] == job.id


async def test_an_acknowledged_message_is_in_nobodys_hands(desk, claims, leases, keys):
    await desk.enqueue()
    (message,) = (await claimed(claims)).messages

    await leases.acknowledge([message.tag])

    assert await desk.redis.exists(keys.unacked, keys.unacked_index) == 0
    assert await leases.keep([message.tag]) == [message.tag]
    assert await desk.redis.exists(keys.unacked_index) == 0


async def test_what_is_given_back_stands_first_in_its_queue_with_every_byte(desk, claims, leases):
    job = await desk.enqueue(['Ådå \\"quoted\\" <ada@example.net>', "b@example.net"])
    (raw,) = await in_queue(desk)
    (message,) = (await claimed(claims)).messages
    await desk.enqueue("later@example.net")

    assert await leases.give_back([message.tag, "unknown"]) == 1

    assert (await in_queue(desk))[-1] == raw
    assert json.loads((await claimed(claims)).messages[0].raw)["headers"]["id"] == job.id


async def test_a_living_worker_keeps_its_messages_and_a_dead_ones_come_back_under_a_fresh_tag(
    desk, claims, leases, keys
):
    jobs = [await desk.enqueue(f"u{number}@example.net") for number in range(2)]
    living, dead = (await claimed(claims)).messages
    await desk.redis.zadd(keys.unacked_index, {living.tag: 1, dead.tag: 1})
    assert await leases.keep([living.tag]) == []

    assert await leases.reclaim(at_most=10) == 1

    ((raw),) = await in_queue(desk)
    back = json.loads(raw)
    assert back["headers"]["id"] == jobs[1].id
    assert back["properties"].pop("delivery_tag") != dead.tag
    was = json.loads(dead.raw)
    was["properties"].pop("delivery_tag")
    assert back == was
    assert await desk.redis.hkeys(keys.unacked) == [living.tag.encode()]


async def test_a_late_acknowledgement_does_not_let_go_of_what_another_worker_holds(desk, claims, leases, keys):
    await desk.enqueue()
    (stalled,) = (await claimed(claims)).messages
    await desk.redis.zadd(keys.unacked_index, {stalled.tag: 1})
    await leases.reclaim(at_most=10)
    (taken_over,) = (await claimed(claims)).messages

    await leases.acknowledge([stalled.tag])

    assert taken_over.tag != stalled.tag
    assert await desk.redis.hexists(keys.unacked, taken_over.tag)


async def test_many_workers_at_once_claim_each_job_once(desk, claims, keys, redis_url):
    jobs = [job async for job in desk.postroom.send_many(emails(90))]
    clients = [Redis.from_url(redis_url) for _ in range(4)]
    fleet = [RedisClaims(client, client, keys, lanes=list(Lane), horizon_seconds=0.25) for client in clients]

    async def drain(worker):
        taken = []
        while True:
            claim = await worker.claim(owed=0, owed_first=0, spare=0, room=ROOM)
            taken += [json.loads(message.raw)["headers"]["id"] for message in claim.messages]
            if not claim.more:
                return taken
            await asyncio.sleep(claim.wait_seconds)

    taken = [job_id for share in await asyncio.gather(*map(drain, fleet)) for job_id in share]
    for client in clients:
        await client.aclose()

    assert sorted(taken) == sorted(job.id for job in jobs)
    assert await desk.redis.hlen(keys.unacked) == 90


def emails(count):
    from postroom import Email  # noqa: PLC0415 - what only this test makes by the hundred

    for number in range(count):
        yield Email(sender="hello@example.com", to=f"u{number}@example.net", subject="A subject", text="A text")


async def test_an_arrival_is_told_and_takes_nothing(desk, claims):
    assert not await claims.arrival(Lane.TRANSACTIONAL, timeout_seconds=0.05)
    waiting = asyncio.create_task(claims.arrival(Lane.TRANSACTIONAL, timeout_seconds=20.0))
    await desk.enqueue()

    assert await waiting
    assert len(await in_queue(desk)) == 1


async def test_a_buried_message_is_a_dead_letter_and_in_nobodys_hands(desk, claims, leases, keys):
    job = await desk.enqueue()
    (message,) = (await claimed(claims)).messages

    await leases.bury(message, name=job.id, reason="a reason")

    assert await desk.redis.exists(keys.unacked, keys.unacked_index) == 0
    assert await desk.redis.hget(keys.dead_letter_messages, job.id) == QUEUE.encode() + b" " + message.raw
    assert await desk.redis.hget(keys.dead_letter_reasons, job.id) == b"a reason"


async def test_a_message_is_the_bytes_that_a_producer_wrote(desk, claims):
    job = await desk.enqueue()
    expected = json.loads(celery_message(job, queue=QUEUE, origin="test"))

    (message,) = (await claimed(claims)).messages

    assert json.loads(message.raw)["body"] == expected["body"]
