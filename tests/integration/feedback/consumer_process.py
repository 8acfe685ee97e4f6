"""A feedback consumer as a process of its own, which halts at a step of its first batch.

Usage: consumer_process.py REDIS_URL QUEUE_URL STEP MARKER VISIBILITY_SECONDS. It creates the file MARKER when it has
reached the step (``ready`` for the step ``none``, with which it never halts).
"""

import asyncio
import sys
from pathlib import Path

from aiobotocore.session import get_session
from redis.asyncio import Redis

from postroom.keys import Keys
from postroom_worker.adapters import sqs
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.feedback_consumer import FeedbackConsumer
from postroom_worker.metrics import Metrics


class Halt:
    """Waits for ever at one step, and says so by its file."""

    def __init__(self, step, marker):
        self.step = step
        self.marker = marker

    async def at(self, step):
        if step == self.step:
            self.marker.touch()
            await asyncio.Event().wait()


class HaltingStore:
    """A store that may halt around a batch."""

    def __init__(self, store, halt):
        self._store = store
        self._halt = halt
        self.readings = store.readings

    async def apply(self, events, *, empty_at_ms=None):
        if events:
            await self._halt.at("before_apply")
        application = await self._store.apply(events, empty_at_ms=empty_at_ms)
        if events:
            await self._halt.at("after_apply")
        return application


class HaltingQueue:
    """A queue that may halt around a delete, or in the middle of one."""

    def __init__(self, queue, halt):
        self._queue = queue
        self._halt = halt
        self.receive = queue.receive
        self.hide = queue.hide

    async def delete(self, messages):
        await self._halt.at("before_delete")
        if self._halt.step == "during_delete":
            await self._queue.delete(messages[: max(1, len(messages) // 2)])
        await self._halt.at("during_delete")
        left = await self._queue.delete(messages)
        await self._halt.at("after_delete")
        return left


async def main(redis_url, queue_url, step, marker, visibility_seconds):
    sqs.VISIBILITY_SECONDS = int(visibility_seconds)
    halt = Halt(step, Path(marker))
    redis = Redis.from_url(redis_url)
    store = RedisFeedbackStore(
        redis=redis, keys=Keys("postroom"), transient_suppression_seconds=604_800, retention_seconds=3600
    )
    async with sqs.open_feedback_queue(get_session(), queue=queue_url, polls=2) as queue:
        consumer = FeedbackConsumer(
            store=HaltingStore(store, halt), queue=HaltingQueue(queue, halt), metrics=Metrics(), polls=2
        )
        running = asyncio.create_task(consumer.run_until_signalled())
        if step == "none":
            await asyncio.sleep(0)  # the handlers are in place once the consumer has had its first turn
            halt.marker.touch()
        await running
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
