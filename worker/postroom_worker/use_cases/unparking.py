"""Brings parked jobs back when they are due; every worker does it, and each job moves once."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import Parking

log = get_logger(__name__)

#: Jobs moved in one call: some 10 µs of Redis each.
UNPARK_AT_MOST: Final = 200

#: Longest wait between two looks; a job is late by at most this, jittered so that a fleet does not ask in step.
LOOK_EVERY_SECONDS: Final = 0.5


async def unpark_for_ever(parking: Parking, metrics: Metrics) -> None:
    """Move due jobs back to their queues until cancelled."""
    while True:
        wait = LOOK_EVERY_SECONDS * (0.5 + random.random())  # noqa: S311 - jitter, not a secret
        try:
            moved, next_due_seconds = await parking.unpark(at_most=UNPARK_AT_MOST)
            if moved == UNPARK_AT_MOST:
                continue
            if next_due_seconds is not None:
                wait = min(wait, next_due_seconds)
        except RedisError as error:
            metrics.loop_errors.labels("unpark").inc()
            log.warning("unparking_postponed", error=type(error).__name__)
        await asyncio.sleep(max(wait, 0.01))
