"""Jobs that wait in Redis come back when they are due, once, whoever asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

from redis.asyncio import Redis

from postroom_worker.adapters.redis_parking import RedisParking
from postroom_worker.ports import Kind, Verdict

FAR = 4102444800


async def test_what_is_not_due_stays_and_its_time_is_told(desk):
    await desk.enqueue(send_at=time.time() + 3000)

    moved, wait_seconds = await desk.parking.unpark(at_most=10)

    assert moved == 0
    assert 2900 < wait_seconds <= 3000


async def test_an_empty_parking_has_nothing_to_wait_for(desk):
    assert await desk.parking.unpark(at_most=10) == (0, None)


async def test_what_is_due_goes_to_the_end_its_lane_is_served_from(desk, keys):
    parked = await desk.enqueue(send_at=FAR, lane="bulk")
    waiting = await desk.enqueue(lane="bulk")
    await desk.make_due(parked)

    moved, wait_seconds = await desk.parking.unpark(at_most=10)

    assert (moved, wait_seconds) == (1, None)
    served_first = json.loads(await desk.redis.rpop(keys.queue("bulk")))
    assert served_first["headers"]["id"] == parked.id
    assert json.loads(await desk.redis.rpop(keys.queue("bulk")))["headers"]["id"] == waiting.id
    record = await desk.record(parked)
    assert (record["state"], "due_ms" in record) == ("queued", False)


async def test_a_call_moves_at_most_so_many_the_longest_due_first(desk, keys):
    jobs = [await desk.enqueue(f"u{number}@example.net", send_at=FAR) for number in range(5)]
    for number, job in enumerate(jobs):
        await desk.redis.zadd(keys.parked, {job.id: 1000 + number})

    first, second = await desk.parking.unpark(at_most=3), await desk.parking.unpark(at_most=3)

    assert (first, second) == ((3, 0.0), (2, None))
    queued = [message["headers"]["id"] for message in await desk.queued("transactional")]
    assert queued == [job.id for job in jobs]


async def test_many_workers_at_once_move_each_job_once(desk, keys, redis_url):
    jobs = [await desk.enqueue(f"u{number}@example.net", send_at=FAR) for number in range(300)]
    await desk.redis.zadd(keys.parked, {job.id: 1 for job in jobs}, xx=True)
    clients = [Redis.from_url(redis_url) for _ in range(6)]

    async def drain(client):
        parking, moved = RedisParking(client, keys), 0
        while True:
            count, wait_seconds = await parking.unpark(at_most=7)
            moved += count
            if wait_seconds is None:
                return moved

    moved = await asyncio.gather(*(drain(client) for client in clients))
    for client in clients:
        await client.aclose()

    assert sum(moved) == 300
    queued = Counter(message["headers"]["id"] for message in await desk.queued("transactional"))
    assert queued == Counter(job.id for job in jobs)
    assert await desk.redis.exists(keys.parked, keys.parked_messages) == 0


async def test_a_job_that_is_cancelled_while_it_is_parked_is_told_to_a_worker(desk):
    job = await desk.enqueue(send_at=FAR)

    assert await desk.postroom.cancel(job.id)

    assert await desk.parking.unpark(at_most=10) == (0, None)
    assert not await desk.is_parked(job)
    # Its message goes to the queue all the same: whoever takes it counts the cancellation.
    assert (await desk.begin(job)).verdict is Verdict.CANCELLED


async def test_each_time_a_job_is_parked_its_message_carries_a_fresh_delivery_tag(desk):
    job = await desk.enqueue()
    tags = {message["properties"]["delivery_tag"] for message in await desk.queued("transactional")}
    for attempt in (1, 2):
        assert (await desk.begin(job, f"w1:{attempt}")).verdict is Verdict.GO
        await desk.settle(job, Kind.PARKED, f"w1:{attempt}", attempt=attempt, delay_seconds=0)
        await desk.parking.unpark(at_most=10)
        tags |= {message["properties"]["delivery_tag"] for message in await desk.queued("transactional")}

    assert len(tags) == 3


async def test_a_parked_job_survives_a_restart_of_redis(own_valkey, new_desk, keys):
    from postroom import AsyncPostroom  # noqa: PLC0415 - only this test has a Redis of its own

    async with AsyncPostroom(own_valkey.url) as postroom, Redis.from_url(own_valkey.url) as client:
        desk = new_desk(client, postroom)
        job = await desk.enqueue(send_at=FAR)
        await asyncio.to_thread(own_valkey.kill)
        await asyncio.to_thread(own_valkey.start)
        await client.connection_pool.disconnect()
        await desk.make_due(job)

        assert await desk.parking.unpark(at_most=10) == (1, None)
        assert [message["headers"]["id"] for message in await desk.queued("transactional")] == [job.id]
