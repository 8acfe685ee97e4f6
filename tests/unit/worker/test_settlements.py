"""Recording what became of attempts: done when Redis has it, counted once."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom.lanes import Lane
from postroom_worker.metrics import Metrics
from postroom_worker.ports import Kind, Settled, Settlement
from postroom_worker.use_cases import settlements as module
from postroom_worker.use_cases.settlements import SETTLE_AT_MOST, Settlements


class Ledger:
    """A ledger that fails as often as it is told, then answers the same to all."""

    def __init__(self, answer, *, errors=()):
        self.answer = answer
        self.errors = list(errors)
        self.batches = []

    async def begin(self, requests):
        raise AssertionError("nothing is begun here")

    async def settle(self, settlements):
        self.batches.append(list(settlements))
        if self.errors:
            raise self.errors.pop(0)
        return [self.answer] * len(settlements)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(module, "REDIS_RETRY_SECONDS", 0.0)


def settlement(kind=Kind.SENT, job_id="job-1"):
    return Settlement(job_id=job_id, lane=Lane.BULK, lease="w1:1", attempt=1, kind=kind)


def counted(metrics, outcome):
    return metrics.registry.get_sample_value("postroom_jobs_total", {"lane": "bulk", "outcome": outcome})


async def test_a_settlement_is_repeated_until_redis_has_it():
    errors = [RedisConnectionError("gone"), BusyLoadingError("loading"), RedisError("odd")]
    ledger, metrics = Ledger(Settled(applied=True, state="sent", safe=True), errors=errors), Metrics()

    settled = await Settlements(ledger, metrics).settle(settlement())

    assert settled.applied
    assert ledger.batches == [[settlement()]] * 4
    assert metrics.registry.get_sample_value("postroom_loop_errors_total", {"loop": "settle"}) == 3


@pytest.mark.parametrize("outcome", ["sent", "refused", "dead_lettered"])
async def test_an_outcome_that_was_applied_is_counted_by_lane(outcome):
    metrics = Metrics()

    await Settlements(Ledger(Settled(applied=True, state=outcome, safe=True)), metrics).settle(settlement())

    assert counted(metrics, outcome) == 1


@pytest.mark.parametrize("state", ["parked", "uncertain", "queued"])
async def test_a_job_that_goes_on_is_no_outcome(state):
    metrics = Metrics()

    await Settlements(Ledger(Settled(applied=True, state=state, safe=True)), metrics).settle(settlement(Kind.PARKED))

    assert counted(metrics, state) is None


@pytest.mark.parametrize("kind", [Kind.PARKED, Kind.REFUSED, Kind.UNCERTAIN, Kind.DEAD, Kind.RELEASED])
async def test_what_another_holder_settled_is_that_ones_to_count(kind):
    metrics = Metrics()

    await Settlements(Ledger(Settled(applied=False, state="sent", safe=True)), metrics).settle(settlement(kind))

    assert counted(metrics, "sent") is None


async def test_a_record_that_is_gone_is_no_outcome():
    settled = await Settlements(Ledger(Settled(applied=False, state="", safe=False)), Metrics()).settle(settlement())

    assert settled == Settled(applied=False, state="", safe=False)


async def test_settlements_that_come_together_share_calls_of_bounded_size():
    ledger = Ledger(Settled(applied=True, state="sent", safe=True))
    settlements = Settlements(ledger, Metrics())

    await asyncio.gather(*(settlements.settle(settlement(job_id=f"job-{n}")) for n in range(2 * SETTLE_AT_MOST + 1)))

    assert [len(batch) for batch in ledger.batches] == [SETTLE_AT_MOST, SETTLE_AT_MOST, 1]
