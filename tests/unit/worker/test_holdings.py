"""What a worker holds is held until Redis knows that it is not."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom_worker.metrics import Metrics
from postroom_worker.ports import Message
from postroom_worker.use_cases import holdings as module
from postroom_worker.use_cases.holdings import Holdings


class Leases:
    """Keeps what was done; fails as often as it is told."""

    def __init__(self):
        self.errors = []
        self.acknowledged = []
        self.kept = []
        self.given_back = []
        self.buried = []
        self.gate = None

    async def _maybe_fail(self):
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def acknowledge(self, tags):
        await self._maybe_fail()
        self.acknowledged.append(list(tags))

    async def keep(self, tags):
        await self._maybe_fail()
        self.kept.append(list(tags))
        return []

    async def give_back(self, tags):
        await self._maybe_fail()
        self.given_back.append(list(tags))
        return len(tags)

    async def bury(self, message, *, name, reason):
        await self._maybe_fail()
        self.buried.append((message.tag, name, reason))

    async def reclaim(self, *, at_most):
        return 0


@pytest.fixture
def leases():
    return Leases()


@pytest.fixture
def holdings(leases, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    return Holdings(leases, Metrics(), visibility_timeout_seconds=0.004)


def messages(*tags):
    return [Message("postroom.bulk", tag, b"{}") for tag in tags]


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - polled, since what is waited for tells nobody
            await asyncio.sleep(0.001)


async def test_acknowledgements_are_joined(holdings, leases):
    holdings.take(messages("a", "b", "c"))
    for tag in "abc":
        holdings.acknowledge(tag)

    await until(lambda: len(holdings) == 0)

    assert leases.acknowledged == [["a", "b", "c"]]


async def test_a_message_is_held_until_its_acknowledgement_is_in_redis_however_long_that_takes(holdings, leases):
    leases.errors = [RedisConnectionError("gone")] * 3
    leases.gate = asyncio.Event()
    holdings.take(messages("a"))
    holdings.acknowledge("a")
    await asyncio.sleep(0)

    assert len(holdings) == 1
    leases.gate.set()
    await until(lambda: len(holdings) == 0)
    assert leases.acknowledged == [["a"]]


async def test_what_is_not_held_is_not_ended(holdings, leases):
    holdings.acknowledge("a")
    holdings.give_back("a")
    holdings.bury("a", name="a", reason="none")
    await asyncio.sleep(0.01)

    assert (leases.acknowledged, leases.given_back, leases.buried) == ([], [], [])


async def test_a_message_is_buried_with_name_and_reason(holdings, leases):
    holdings.take(messages("a"))
    holdings.bury("a", name="job-1", reason="a reason")

    await until(lambda: len(holdings) == 0)

    assert leases.buried == [("a", "job-1", "a reason")]


async def test_signs_of_life_go_on_though_redis_was_away(holdings, leases):
    holdings.take(messages("a", "b"))
    leases.errors = [RedisConnectionError("gone")] * 2
    keeping = asyncio.create_task(holdings.keep_for_ever())

    await until(lambda: len(leases.kept) >= 2)
    keeping.cancel()

    assert leases.kept[0] == ["a", "b"]


async def test_the_end_gives_back_what_is_held_and_waits_for_what_is_being_acknowledged(holdings, leases):
    holdings.take(messages("a", "b", "c"))
    holdings.acknowledge("b")

    await holdings.close()

    assert leases.acknowledged == [["b"]]
    assert leases.given_back == [["a", "c"]]
    assert len(holdings) == 0


async def test_the_end_does_not_wait_for_a_redis_that_is_gone(holdings, leases, monkeypatch):
    monkeypatch.setattr(module, "GIVE_BACK_SECONDS", 0.05)
    holdings.take(messages("a"))
    leases.gate = asyncio.Event()

    async with asyncio.timeout(20):
        await holdings.close()

    # The visibility timeout gives it back.
    assert leases.given_back == []
