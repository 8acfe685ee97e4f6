"""A claim takes no more than it may, costs what its recipients cost, and trusts nothing that a message says of itself."""

from __future__ import annotations

import asyncio
import json

import pytest

from postroom.lanes import Lane
from postroom_worker.adapters.redis_claims import CLAIM_JOBS_AT_MOST, CLAIM_RECIPIENTS_AT_MOST, PRIORITY_SUFFIXES

QUEUE = "postroom.transactional"
FAST = 1_000_000


async def test_no_more_jobs_than_a_call_may_take(redis, keys, claim, written):
    await redis.hset(keys.quota, "working_rate", FAST)
    await redis.lpush(QUEUE, *(written(f"tag-{number}") for number in range(CLAIM_JOBS_AT_MOST + 20)))

    first, second = await claim(room=1000), await claim(room=1000)

    assert (len(first.messages), first.more) == (CLAIM_JOBS_AT_MOST, True)
    assert (len(second.messages), second.more) == (20, False)


async def test_no_more_recipients_than_a_call_may_take_save_for_the_last_job(redis, keys, claim, written):
    await redis.hset(keys.quota, "working_rate", FAST)
    await redis.lpush(QUEUE, *(written(f"tag-{number}", recipients=49) for number in range(40)))

    taken = await claim(room=1000)

    assert CLAIM_RECIPIENTS_AT_MOST <= taken.recipients < CLAIM_RECIPIENTS_AT_MOST + 49
    assert taken.slots == taken.recipients
    assert taken.more


@pytest.mark.parametrize(
    ("said", "cost"),
    [(1, 1), (50, 50), (2.5, 2), (0, 1), (-3, 1), (51, 1), (1e300, 1), ("7", 1), (None, 1), ([], 1), (True, 1)],
)
async def test_a_cost_that_cannot_be_is_one_recipient(*, redis, keys, claim, written, said, cost):
    await redis.hset(keys.quota, "working_rate", FAST)
    await redis.lpush(QUEUE, written(recipients=said))

    assert (await claim()).recipients == cost


@pytest.mark.parametrize("suffix", PRIORITY_SUFFIXES, ids=["none", "3", "6", "9"])
async def test_what_is_given_back_from_a_list_of_any_priority_is_claimed_again(redis, claim, leases, written, suffix):
    await redis.lpush(QUEUE + suffix, written())
    (message,) = (await claim()).messages
    assert message.queue == QUEUE

    assert await leases.give_back([message.tag]) == 1

    ((again),) = (await claim()).messages
    assert again == message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"properties": {"delivery_tag": "x" * 300}}, "no delivery tag"),
        ({"properties": None}, "no Celery message of protocol 2"),
        ({"headers": None}, "no Celery message of protocol 2"),
        ({"body": None}, "no JSON body"),
        ({"content-type": "text/plain"}, "no JSON body"),
    ],
    ids=["a tag of 300 bytes", "no properties", "no headers", "no body", "another content type"],
)
async def test_an_odd_message_is_kept_and_its_neighbours_are_claimed(
    *, redis, claim, written, dead_letters, changes, reason
):
    odd = written("odd", **changes)
    await redis.rpush(QUEUE, written("behind"), odd, written("before"))

    taken = await claim()

    assert [message.tag for message in taken.messages] == ["before", "behind"]
    assert (taken.dead_lettered, taken.recipients, taken.slots) == (1, 2, 2)
    ((_, letter),) = (await dead_letters()).items()
    assert letter.kept == QUEUE.encode() + b" " + odd
    assert letter.reason == reason


async def test_a_queue_of_nothing_but_odd_messages_costs_no_slot(redis, keys, claim, dead_letters):
    await redis.lpush(QUEUE, *(f"odd {number}" for number in range(30)))

    taken = await claim()

    assert (taken.dead_lettered, taken.slots, taken.more, taken.messages) == (30, 0, False, ())
    assert len(await dead_letters()) == 30
    assert not await redis.exists(keys.send_slots)


async def test_a_message_without_an_id_is_kept_under_its_digest(redis, claim, written, dead_letters):
    await redis.lpush(QUEUE, written(headers={"task": "other"}), b"no JSON \xff\xfe")

    await claim()

    names = list(await dead_letters())
    assert len(names) == 2
    assert all(name.startswith("unreadable:") for name in names)


async def test_the_other_lanes_of_a_worker_that_serves_one_are_left_alone(redis, claim, written):
    await redis.lpush("postroom.bulk", written("bulk"))
    await redis.lpush("postroom.critical", written("critical"))

    taken = await claim(lanes=(Lane.BULK,))

    assert [message.tag for message in taken.messages] == ["bulk"]
    assert await redis.llen("postroom.critical") == 1


async def test_slots_of_two_claims_never_overlap(redis, keys, claim, written):
    await redis.hset(keys.quota, "working_rate", 100)
    await redis.lpush(QUEUE, *(written(f"tag-{number}") for number in range(100)))

    first = await claim(room=10)
    first_ends_us = float(await redis.get(keys.send_slots))
    second = await claim(room=10)
    second_ends_us = float(await redis.get(keys.send_slots))

    assert first.slots == 10
    assert second.slots >= 1
    # To Redis's microsecond, with what text loses of its fraction.
    assert second_ends_us - second.slots * second.interval_seconds * 1e6 >= first_ends_us - 0.01


async def test_several_waiters_are_told_of_one_arrival_after_another_and_the_queue_keeps_its_order(
    redis, open_claims, written
):
    claims = open_claims(*Lane)
    waiting = [asyncio.create_task(claims.arrival(Lane.TRANSACTIONAL, timeout_seconds=20.0)) for _ in range(3)]
    async with asyncio.timeout(10):
        while (await redis.info("clients"))["blocked_clients"] < 3:  # noqa: ASYNC110 - known to Redis alone
            await asyncio.sleep(0.01)

        await redis.lpush(QUEUE, written("first"), written("second"), written("third"))

        assert await asyncio.gather(*waiting) == [True, True, True]
    tags = [json.loads(raw)["properties"]["delivery_tag"] for raw in await redis.lrange(QUEUE, 0, -1)]
    assert tags == ["third", "second", "first"]


async def test_a_waiter_of_another_lane_is_not_told(redis, open_claims, written):
    await redis.lpush("postroom.bulk", written())

    assert not await open_claims(*Lane).arrival(Lane.CRITICAL, timeout_seconds=0.05)
