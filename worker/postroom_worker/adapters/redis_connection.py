"""The worker's own connections to Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from postroom.redis_pool import PoolOptions, async_redis_client

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom_worker.settings import Settings

#: Time for Redis to answer a command; its scripts take milliseconds, a slow disk under `fsync` a second.
TIMEOUT_SECONDS: Final = 5.0

#: A connection that was idle this long is tried out first: firewalls forget idle connections without a word.
HEALTH_CHECK_SECONDS: Final = 15

#: Connections of one client. A worker joins what it asks, so that some ten are in use at once.
MAX_CONNECTIONS: Final = 100


def open_redis(settings: Settings) -> Redis:
    """Return a client for the settings' Redis; it connects at its first command, and replies are bytes.

    It repeats nothing. That is the callers': a claim whose answer was lost has taken jobs, and the same again would take
    others. After a failover the next command finds the new primary.
    """
    return async_redis_client(
        settings.redis_url,
        PoolOptions(
            connect_timeout_seconds=TIMEOUT_SECONDS,
            answer_timeout_seconds=TIMEOUT_SECONDS,
            health_check_seconds=HEALTH_CHECK_SECONDS,
            max_connections=MAX_CONNECTIONS,
            free_connection_timeout_seconds=TIMEOUT_SECONDS,
            decode=False,
        ),
    )
