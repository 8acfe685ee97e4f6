"""Gauges that stand for the whole fleet, read from Redis every few seconds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom.lanes import Lane
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys
    from postroom_worker.metrics import Metrics

log = get_logger(__name__)

#: Prometheus scrapes every 15 to 60 seconds; a value is never older than this.
READ_EVERY_SECONDS: Final = 5.0


async def read_gauges_for_ever(redis: Redis, keys: Keys, metrics: Metrics) -> None:
    """Read the fleet's gauges until cancelled."""
    while True:
        try:
            async with redis.pipeline(transaction=False) as pipe:
                for lane in Lane:
                    pipe.llen(keys.queue(lane))
                pipe.zcard(keys.parked)
                pipe.zcard(keys.dead_letters)
                pipe.get(keys.suppressed_count)
                pipe.hget(keys.sending_gate, "meaning")
                *queued, parked, dead, suppressed, stopped = await pipe.execute()
        except RedisError as error:
            metrics.loop_errors.labels("gauges").inc()
            log.warning("gauges_not_read", error=type(error).__name__)
        else:
            for lane, jobs in zip(Lane, queued, strict=True):
                metrics.queue_jobs.labels(lane).set(jobs)
            metrics.sending_stopped.clear()
            if stopped is not None:
                metrics.sending_stopped.labels(stopped.decode()).set(1)
            metrics.parked_jobs.set(parked)
            metrics.dead_letters.set(dead)
            metrics.suppressed_addresses.set(0 if suppressed is None else int(suppressed))
        await asyncio.sleep(READ_EVERY_SECONDS)
