"""A consumer process that is killed, or told to stop, at any step: nothing is lost, nothing counted twice."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postroom.outcomes import JobState
from postroom_worker.adapters import sqs as sqs_adapter
from postroom_worker.feedback_consumer import FeedbackConsumer
from postroom_worker.metrics import Metrics

PROCESS = Path(__file__).with_name("consumer_process.py")
#: Long enough for a batch, short enough to see it come back.
VISIBILITY_SECONDS = 1


@pytest.fixture
def start_process(redis_url, tmp_path, aws):
    """Starts consumer processes and sees that none is left behind."""
    started = []

    def start(queue_url, step):
        marker = tmp_path / f"marker-{len(started)}"
        command = [sys.executable, str(PROCESS), redis_url, queue_url, step, str(marker), str(VISIBILITY_SECONDS)]
        process = subprocess.Popen(command, env=dict(os.environ))  # noqa: S603  this very file's neighbour
        started.append(process)
        return process, marker

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def consuming(store, queue_url, aws, monkeypatch):
    monkeypatch.setattr(sqs_adapter, "VISIBILITY_SECONDS", VISIBILITY_SECONDS)
    async with sqs_adapter.open_feedback_queue(aws, queue=queue_url, polls=2, wait_seconds=1) as queue:
        consumer = FeedbackConsumer(store=store, queue=queue, metrics=Metrics(), polls=2)
        running = asyncio.create_task(consumer.run())
        yield consumer
        consumer.stop()
        await running


@pytest.mark.parametrize("step", ["before_apply", "after_apply", "before_delete", "during_delete", "after_delete"])
async def test_a_consumer_killed_at_any_step_loses_nothing_and_counts_nothing_twice(
    *, step, sqs, aws, store, redis, keys, ses_event, start_process, eventually, monkeypatch
):
    queue_url = await sqs.create(max_receive_count=100)
    bodies = []
    for n in range(20):
        address, job_id = f"u{n}@example.net", f"job-{n}"
        await redis.hset(keys.job(job_id), mapping={"state": "begun", "lane": "bulk", "attempt": "1"})
        told = {"job_id": job_id, "message_id": f"0102-{n}"}
        bodies.append(ses_event("Send", destination=[address], **told))
        bodies.append(
            ses_event("Bounce", address, feedbackId=f"fb-{n}", bounceType="Permanent", bounceSubType="General", **told)
        )
        bodies.append(ses_event("Complaint", address, feedbackId=f"fc-{n}", **told))
    await sqs.send(queue_url, bodies)
    process, marker = start_process(queue_url, step)
    await eventually(lambda: asyncio.to_thread(marker.exists))
    process.kill()
    process.wait()

    async def is_empty():
        return await sqs.left(queue_url) == 0

    async with consuming(store, queue_url, aws, monkeypatch):
        await eventually(is_empty)
    now, _ = await redis.time()
    counted = {}
    for hour in (now // 3600, now // 3600 - 1):
        for name, number in (await redis.hgetall(keys.reputation_hour(hour))).items():
            counted[name] = counted.get(name, 0) + int(number)
    assert counted == {"sent": 20, "bounced": 20, "complained": 20}
    assert await redis.get(keys.suppressed_count) == "20"
    for n in range(20):
        known = await redis.hgetall(keys.job(f"job-{n}"))
        assert (known["state"], known["delivery"]) == (JobState.SENT, "complained")
        assert "duplicates" not in known


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_consumer_at_once_though_a_long_poll_is_open(number, sqs, start_process, eventually):
    queue_url = await sqs.create()
    process, marker = start_process(queue_url, "none")
    await eventually(lambda: asyncio.to_thread(marker.exists))
    started = time.monotonic()
    process.send_signal(number)
    assert await asyncio.to_thread(process.wait, 15) == 0
    # A long poll takes 20 seconds; two are promised.
    assert time.monotonic() - started < 10


async def test_a_signal_lets_the_batch_in_hand_be_finished(*, sqs, redis, keys, ses_event, start_process, eventually):
    queue_url = await sqs.create()
    process, marker = start_process(queue_url, "none")
    await eventually(lambda: asyncio.to_thread(marker.exists))
    bounce = {"bounceType": "Permanent", "bounceSubType": "General"}
    await sqs.send(
        queue_url, [ses_event("Bounce", f"u{n}@x.example", feedbackId=f"f{n}", **bounce) for n in range(200)]
    )

    async def has_begun():
        return await redis.get(keys.suppressed_count)

    await eventually(has_begun)
    process.terminate()
    assert await asyncio.to_thread(process.wait, 15) == 0
    applied = int(await redis.get(keys.suppressed_count))
    # What was applied was deleted too: a batch is finished or not begun. What a cut poll had been handed stays.
    assert await sqs.left(queue_url) == 200 - applied
