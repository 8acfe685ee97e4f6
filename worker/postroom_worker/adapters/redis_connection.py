"""The worker's own connections to Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from postroom_worker.settings import Settings

#: Time for Redis to answer a command; its scripts take milliseconds, a slow disk under `fsync` a second.
TIMEOUT_SECONDS: Final = 5.0

#: A connection that was idle this long is tried out first: firewalls forget idle connections without a word.
HEALTH_CHECK_SECONDS: Final = 15


def open_redis(settings: Settings) -> Redis:
    """Return a client for the settings' Redis; it connects at its first command, and replies are bytes."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_SECONDS,
        # Repeating is the callers': a claim whose answer was lost has taken jobs, and the same again would take others.
        retry=Retry(NoBackoff(), 0),
    )
