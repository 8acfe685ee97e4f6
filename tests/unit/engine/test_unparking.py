"""Parked jobs come back when they are due, whatever Redis does meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom_worker.metrics import Metrics
from postroom_worker.use_cases import unparking as module
from postroom_worker.use_cases.ending import end_tasks
from postroom_worker.use_cases.unparking import UNPARK_AT_MOST, unpark_for_ever


class Parking:
    """Answers in turn, and then that nothing is parked; says when the answers are used up."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.through = asyncio.Event()

    async def unpark(self, *, at_most):
        assert at_most == UNPARK_AT_MOST
        if not self.answers:
            self.through.set()
            return 0, None
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def waits(monkeypatch):
    """How long was waited, in seconds, without waiting; the loop gets its turn."""
    waited, turn = [], asyncio.sleep

    async def sleep(seconds):
        waited.append(seconds)
        await turn(0)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    monkeypatch.setattr(module.random, "random", lambda: 0.5)
    return waited


async def run_through(parking, metrics=None):
    unparking = asyncio.create_task(unpark_for_ever(parking, Metrics() if metrics is None else metrics))
    async with asyncio.timeout(5):
        await parking.through.wait()
    await end_tasks(unparking)


async def test_a_crowd_that_is_due_comes_back_without_a_wait_in_between(waits):
    await run_through(Parking((UNPARK_AT_MOST, 0.0), (UNPARK_AT_MOST, 0.0), (7, None)))

    assert waits[0] == module.LOOK_EVERY_SECONDS


async def test_the_next_look_is_when_the_next_is_due(waits):
    await run_through(Parking((0, 0.125), (1, 0.0), (0, 3600.0)))

    # At least a hundredth: a job due now is no reason to spin.
    assert waits[:3] == [0.125, 0.01, module.LOOK_EVERY_SECONDS]


async def test_a_redis_that_is_away_is_counted_and_tried_again(waits):
    metrics = Metrics()

    await run_through(Parking(RedisConnectionError(), RedisConnectionError(), (1, None)), metrics)

    errors = metrics.registry.get_sample_value("postroom_loop_errors_total", {"loop": "unpark"})
    assert errors == 2
