"""Keeps alive the lease on what this worker holds, so that a short visibility timeout is safe.

kombu gives a message to another worker once it has been unacknowledged for the visibility timeout, however alive its
worker is. Refreshing the index makes the timeout mean what it should: this long without a sign of life.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from celery import bootsteps
from redis.exceptions import RedisError

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

log = get_logger(__name__)

#: Heartbeats within one visibility timeout: three may be lost before a job is taken away.
BEATS_PER_TIMEOUT: Final = 4


class LeaseHeartbeat(bootsteps.StartStopStep):
    """A step of Celery's consumer: starts after it takes tasks, stops before it does not."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: object) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Beat from now on."""
        every_seconds = consumer.app.conf.broker_transport_options["visibility_timeout"] / BEATS_PER_TIMEOUT
        self._timer = consumer.timer.call_repeatedly(every_seconds, _beat, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _beat(consumer: Any) -> None:
    channel = consumer.task_consumer.channel
    tags: Iterable[str] = list(channel.qos._delivered)  # noqa: SLF001 - kombu offers no other way to know what is held
    if not tags:
        return
    now = time.time()
    try:
        with channel.conn_or_acquire() as redis:
            # XX: what has been acknowledged meanwhile must not come back into the index.
            redis.zadd(channel.unacked_index_key, dict.fromkeys(tags, now), xx=True)
    except RedisError as error:
        log.warning("lease_heartbeat_missed", error=type(error).__name__)
