"""A worker that stops while Redis is beginning a job for it: the job is neither sent afterwards nor forgotten."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from postroom import Email, Lane
from postroom.job import Job
from postroom_worker.metrics import Metrics
from postroom_worker.ports import Begun, Claim, Verdict
from postroom_worker.use_cases.ending import end_tasks
from postroom_worker.use_cases.sender import Sender


class Ledger:
    """Answers a begin when the test lets it."""

    def __init__(self):
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def begin(self, requests):
        self.asked.set()
        await self.answer.wait()
        return [Begun(Verdict.GO, 1, 0) for _ in requests]


class Intake:
    """Has a slot for everything."""

    has_room = True

    async def claim(self, *, owed, owed_first, spare):
        return Claim(
            slots=owed,
            first_seconds=0.0,
            interval_seconds=0.001,
            wait_seconds=0.0,
            more=False,
            dead_lettered=0,
            recipients=0,
            messages=(),
        )


class Attempts:
    """Notes what it is asked for."""

    def __init__(self):
        self.sent = []
        self.released_jobs = []
        self.interrupted_jobs = []

    async def send(self, held, begun):
        self.sent.append(held.job.id)
        return True

    async def released(self, held, begun):
        self.released_jobs.append(held.job.id)
        return False

    async def interrupted(self, held, begun):
        self.interrupted_jobs.append(held.job.id)
        return True


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def attempts():
    return Attempts()


@pytest.fixture
async def sender(ledger, attempts):
    return Sender(
        ledger=ledger,
        intake=Intake(),
        attempts=attempts,
        metrics=Metrics(),
        clock=time.monotonic,
        progress=lambda: None,
    )


@pytest.fixture
def job():
    email = Email(sender="hello@example.com", to="ada@example.net", subject="s", text="t")
    return Job(id=str(uuid.uuid4()), lane=Lane.BULK, email=email, enqueued_at=time.time())


@pytest.mark.parametrize("timeout_seconds", [0.0, 0.2], ids=["at once", "with time to finish"])
async def test_a_job_whose_begin_is_answered_after_the_stop_is_not_sent_and_is_recorded(
    sender, ledger, attempts, job, timeout_seconds
):
    running = asyncio.create_task(sender.run())
    sending = asyncio.create_task(sender.send(job))
    async with asyncio.timeout(5):
        await ledger.asked.wait()
        stopping = asyncio.create_task(sender.stop(timeout_seconds))
        for _ in range(10):
            await asyncio.sleep(0)
        ledger.answer.set()
        await stopping
    for _ in range(10):
        await asyncio.sleep(0.002)
    await end_tasks(running, sending)

    # Redis has it begun under our lease. Nobody may put it on the wire any more: its message is about to go back.
    assert attempts.sent == []
    assert attempts.released_jobs == [job.id]
