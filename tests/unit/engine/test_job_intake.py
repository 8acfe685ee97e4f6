"""Jobs are claimed when there is something to claim: arrivals are watched only while the queues were found empty."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom.lanes import Lane
from postroom_worker.ports import Claim, Message
from postroom_worker.use_cases import job_intake as module
from postroom_worker.use_cases.ending import end_tasks
from postroom_worker.use_cases.job_intake import JobIntake
from postroom_worker.use_cases.sender import RETRY_SECONDS

EMPTY = Claim(
    slots=0,
    first_seconds=0.0,
    interval_seconds=1.0,
    wait_seconds=0.0,
    more=False,
    dead_lettered=0,
    recipients=0,
    messages=(),
)
FULL = replace(EMPTY, slots=1, recipients=1, messages=(Message("postroom.bulk", "tag", b"{}"),))

#: Turns of the loop in which whatever is going to happen without a wait has happened.
TURNS = 50


class Queues:
    """Answers claims as told, and arrivals when the test lets a job arrive; counts who watches."""

    def __init__(self):
        self.answer = EMPTY
        self.rooms = []
        self.asked = Counter()
        self.errors = []
        self.standing = {lane: asyncio.Event() for lane in Lane}

    async def claim(self, *, owed, owed_first, spare, room):
        self.rooms.append(room)
        return self.answer

    async def arrival(self, lane, *, timeout_seconds):
        self.asked[lane] += 1
        if self.errors:
            raise self.errors.pop()
        await self.standing[lane].wait()
        return True


class Hands(list):
    """Holdings as far as an intake knows them."""

    def take(self, messages):
        self.extend(messages)


@pytest.fixture
def queues():
    return Queues()


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def handed_over():
    return []


@pytest.fixture
def intake(queues, hands, handed_over):
    def hand_over(messages):
        # Whoever comes back to us with a tag at once must find it held.
        assert set(messages) <= set(hands)
        handed_over.extend(messages)

    return JobIntake(queues, hands, hand_over=hand_over, lanes=list(Lane), concurrency=10)


@pytest.fixture
async def wakings(intake):
    """A watch, for the test's length, and what it woke."""
    woken = []
    watch = asyncio.create_task(intake.watch_for_ever(lambda: woken.append("woken")))
    yield woken
    await end_tasks(watch)


async def turns():
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def claim(intake):
    return await intake.claim(owed=0, owed_first=0, spare=0)


async def test_what_is_claimed_is_held_before_it_is_handed_over(intake, queues, hands, handed_over):
    queues.answer = FULL

    assert await claim(intake) is FULL

    assert handed_over == list(FULL.messages)
    assert hands == list(FULL.messages)


async def test_the_room_of_each_lane_shrinks_with_what_is_held(intake, queues, hands):
    await claim(intake)
    hands.extend("another" for _ in range(9))
    await claim(intake)

    assert [room[Lane.CRITICAL] for room in queues.rooms] == [10, 1]
    assert queues.rooms[1][Lane.BULK] == 0
    assert intake.has_room
    hands.append("another")
    assert not intake.has_room


async def test_nobody_watches_while_more_may_be_claimed(intake, queues, wakings):
    queues.answer = replace(FULL, more=True)
    await claim(intake)
    await turns()

    assert not queues.asked


async def test_all_lanes_are_watched_once_the_queues_were_found_empty(intake, queues, wakings):
    await claim(intake)
    await turns()

    assert queues.asked == dict.fromkeys(Lane, 1)
    assert wakings == []


async def test_an_arrival_wakes_once_until_the_next_claim(intake, queues, wakings):
    await claim(intake)
    await turns()
    queues.standing[Lane.CRITICAL].set()
    queues.standing[Lane.BULK].set()
    await turns()

    assert wakings == ["woken"]


async def test_after_a_claim_that_found_the_job_the_next_arrival_wakes_at_once(intake, queues, wakings):
    await claim(intake)
    await turns()
    queues.standing[Lane.BULK].set()
    await turns()
    queues.standing[Lane.BULK].clear()
    queues.answer = FULL
    await claim(intake)
    await turns()

    queues.standing[Lane.BULK].set()
    await turns()

    assert wakings == ["woken", "woken"]


async def test_a_message_that_stays_in_its_queue_does_not_wake_again_and_again(intake, queues, wakings, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 60.0)
    queues.standing[Lane.BULK].set()
    await claim(intake)
    await turns()
    for _ in range(5):
        await claim(intake)
        await turns()

    assert wakings == ["woken"]
    assert queues.asked[Lane.BULK] == 1
    # The wait is the lane's own: a critical job is noticed at once.
    queues.standing[Lane.CRITICAL].set()
    await turns()
    assert wakings == ["woken", "woken"]


async def test_a_closed_lane_is_not_watched_and_the_others_are(intake, queues, wakings, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    queues.standing[Lane.BULK].set()
    queues.answer = replace(EMPTY, closed=frozenset({Lane.BULK}), closed_seconds=1.0)
    await claim(intake)
    await asyncio.sleep(0.01)

    assert wakings == []
    assert queues.asked == {Lane.CRITICAL: 1, Lane.TRANSACTIONAL: 1}
    # Open again, as the next claim says.
    queues.answer = EMPTY
    await claim(intake)
    async with asyncio.timeout(5):
        while not wakings:  # noqa: ASYNC110 - told by a list
            await asyncio.sleep(0.001)


async def test_a_watch_outlives_a_redis_that_was_away(intake, queues, wakings, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    queues.errors = [RedisConnectionError() for _ in range(4)]
    await claim(intake)
    await turns()

    assert queues.asked.total() == len(Lane) + 4
    queues.standing[Lane.CRITICAL].set()
    await turns()
    assert wakings == ["woken"]


def test_an_intake_looks_as_seldom_as_the_sender_it_would_wake():
    assert module.RETRY_SECONDS == RETRY_SECONDS
