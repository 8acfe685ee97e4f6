"""The sender: slots to jobs, best lane first; nothing begun is lost, nothing is sent without its slot."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom import Email, Lane
from postroom.job import Job
from postroom_worker.metrics import Metrics
from postroom_worker.ports import Begun, Claim, Verdict
from postroom_worker.use_cases.sender import Sender

GO = Begun(Verdict.GO, 1, 0)


def job(lane=Lane.BULK, recipients=1):
    to = [f"reader-{number}@example.net" for number in range(recipients)]
    email = Email(sender="hello@example.com", to=to, subject="s", text="t")
    return Job(id=str(uuid.uuid4()), lane=lane, email=email, enqueued_at=time.time())


@dataclass
class FakeLedger:
    """Begins everything, unless told otherwise by job id; fails as often as it is told to."""

    answers: dict[str, Begun] = field(default_factory=dict)
    failures: int = 0
    asked: list = field(default_factory=list)

    async def begin(self, requests):
        self.asked += [(request.job.id, request.lease) for request in requests]
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError
        return [self.answers.get(request.job.id, GO) for request in requests]


@dataclass
class FakeIntake:
    """Gives so many slots in all, and all that is asked for at once."""

    slots: int = 1000
    interval_seconds: float = 0.001
    has_room: bool = True

    async def claim(self, *, owed, owed_first, spare):
        given = min(owed, self.slots)
        self.slots -= given
        return Claim(
            slots=given,
            first_seconds=0.0,
            interval_seconds=self.interval_seconds,
            wait_seconds=0.0 if given else 0.02,
            more=False,
            dead_lettered=0,
            recipients=0,
            messages=(),
        )


@dataclass
class FakeAttempts:
    """Sends at once, or hangs; remembers what it was asked for."""

    hangs: bool = False
    fails: bool = False
    sent: list = field(default_factory=list)
    done: list = field(default_factory=list)

    async def send(self, held, begun):
        self.sent.append((held.job.id, begun.attempt))
        if self.fails:
            raise ZeroDivisionError
        if self.hangs:
            await asyncio.sleep(60)
        return True

    def __getattr__(self, name):
        async def settle(held, _begun=None):
            self.done.append((name, held.job.id))
            return name != "released"

        return settle


class Bench:
    """A sender at work, for as long as the test's body."""

    def __init__(self, **parts):
        self.ledger = parts.get("ledger", FakeLedger())
        self.intake = parts.get("intake", FakeIntake())
        self.attempts = parts.get("attempts", FakeAttempts())
        self.sender = Sender(
            ledger=self.ledger,
            intake=self.intake,
            attempts=self.attempts,
            metrics=Metrics(),
            clock=time.monotonic,
            progress=lambda: None,
        )

    async def __aenter__(self):
        self.running = asyncio.create_task(self.sender.run())
        return self

    async def __aexit__(self, *_):
        await self.sender.stop(0)
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def send(self, *jobs):
        async with asyncio.timeout(10):
            return await asyncio.gather(*(self.sender.send(each) for each in jobs))


async def until(truth):
    async with asyncio.timeout(10):
        while not truth():  # noqa: ASYNC110 - what is waited for says nothing
            await asyncio.sleep(0.005)


async def test_what_is_sent_may_be_acknowledged():
    jobs = [job() for _ in range(5)]
    async with Bench() as bench:
        assert await bench.send(*jobs) == [True] * 5
    assert sorted(bench.attempts.sent) == sorted((each.id, 1) for each in jobs)


async def test_the_best_lane_is_begun_first_whoever_came_first():
    lanes = [Lane.BULK, Lane.BULK, Lane.TRANSACTIONAL, Lane.CRITICAL]
    jobs = [job(lane) for lane in lanes]
    bench = Bench()
    waiting = asyncio.gather(*(bench.sender.send(each) for each in jobs))
    await asyncio.sleep(0)
    async with bench:
        await waiting
    order = [job_id for job_id, _ in bench.ledger.asked]
    assert order == [jobs[3].id, jobs[2].id, jobs[0].id, jobs[1].id]


async def test_nothing_is_sent_without_a_slot():
    jobs = [job() for _ in range(5)]
    async with Bench(intake=FakeIntake(slots=2)) as bench:
        for each in jobs:
            task = asyncio.create_task(bench.sender.send(each))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await until(lambda: len(bench.attempts.sent) == 2)
        await asyncio.sleep(0.1)
        assert len(bench.attempts.sent) == 2


async def test_the_slot_of_a_suppressed_job_goes_to_the_next():
    dead, alive = job(), job()
    ledger = FakeLedger({dead.id: Begun(Verdict.SUPPRESSED, 0, 0)})
    intake = FakeIntake(slots=1)
    async with Bench(ledger=ledger, intake=intake) as bench:
        assert await bench.send(dead) == [True]
        assert await bench.send(alive) == [True]
    assert bench.attempts.sent == [(alive.id, 1)]


async def test_what_redis_did_not_answer_is_begun_again_under_the_same_lease():
    (one,) = jobs = [job()]
    async with Bench(ledger=FakeLedger(failures=1)) as bench:
        assert await bench.send(*jobs) == [True]
    (first, second) = bench.ledger.asked
    assert first == second
    assert bench.attempts.sent == [(one.id, 1)]


async def test_a_second_message_of_a_job_in_hand_shares_its_end():
    one = job()
    async with Bench() as bench:
        assert await bench.send(one, one) == [True, True]
    assert len(bench.attempts.sent) == 1


@pytest.mark.parametrize(
    ("verdict", "acknowledged", "asked_for"),
    [
        (Verdict.SETTLED, True, []),
        (Verdict.ELSEWHERE, True, []),
        (Verdict.CANCELLED, True, []),
        (Verdict.EXPIRED, True, []),
        (Verdict.UNVERIFIED, True, []),
        (Verdict.DAY_CLOSED, False, []),
        (Verdict.PAUSED, True, ["lane_paused"]),
        (Verdict.UNSETTLED, True, ["unsettled"]),
        (Verdict.UNRESOLVED, True, ["unresolved"]),
        (Verdict.HOLD, True, ["hold"]),
    ],
)
async def test_each_verdict_has_its_end(verdict, acknowledged, asked_for):
    one = job()
    async with Bench(ledger=FakeLedger({one.id: Begun(verdict, 1, 0)})) as bench:
        assert await bench.send(one) == [acknowledged]
    assert bench.attempts.done == [(name, one.id) for name in asked_for]
    assert bench.attempts.sent == []


async def test_a_defect_in_an_attempt_loses_no_job():
    one = job()
    async with Bench(attempts=FakeAttempts(fails=True)) as bench:
        assert await bench.send(one) == [True]
    assert bench.attempts.done == [("broken", one.id)]


async def test_what_is_on_the_wire_at_the_stop_is_recorded_as_interrupted():
    one = job()
    async with Bench(attempts=FakeAttempts(hangs=True)) as bench:
        sending = asyncio.create_task(bench.sender.send(one))
        await until(lambda: bench.attempts.sent)
        await bench.sender.stop(0)
        assert await sending is True
    assert bench.attempts.done == [("interrupted", one.id)]


async def test_a_begun_job_whose_slot_is_still_to_come_is_released_at_the_stop():
    first, second = job(), job()
    bench = Bench(intake=FakeIntake(interval_seconds=0.02), attempts=FakeAttempts(hangs=True))
    tasks = [asyncio.create_task(bench.sender.send(each)) for each in (first, second)]
    await asyncio.sleep(0)
    async with bench:
        # Both are begun together; the second's slot is 20 ms later.
        await until(lambda: len(bench.ledger.asked) == 2)
        await bench.sender.stop(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert set(bench.attempts.done) <= {("released", second.id), ("interrupted", first.id), ("released", first.id)}
    assert len(bench.attempts.sent) <= 1


async def test_a_stalled_process_forfeits_its_slot_and_begins_again_under_the_same_lease():
    one = job()
    bench = Bench()
    offset = 0.0
    bench.sender._clock = lambda: time.monotonic() + offset
    begin = bench.ledger.begin

    async def begin_and_stall(requests):
        nonlocal offset
        answers = await begin(requests)
        if len(bench.ledger.asked) == 1:
            offset += 5.0  # the world went on for five seconds, and this process did not
        return answers

    bench.ledger.begin = begin_and_stall
    async with bench:
        assert await bench.send(one) == [True]
    assert len(bench.ledger.asked) == 2
    assert len(set(bench.ledger.asked)) == 1
    assert len(bench.attempts.sent) == 1
