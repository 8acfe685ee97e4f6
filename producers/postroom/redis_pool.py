"""Connections to the Redis that a URL names, for producers and workers alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.retry
import redis.sentinel
from redis.backoff import NoBackoff

from postroom.redis_primary import (
    AsyncPrimaryConnection,
    AsyncPrimaryTlsConnection,
    AsyncPrimaryUnixConnection,
    AsyncSentinelPool,
    AsyncSentinelPrimaryConnection,
    AsyncSentinelPrimaryTlsConnection,
    AsyncSentinels,
    PrimaryConnection,
    PrimaryTlsConnection,
    PrimaryUnixConnection,
    SentinelPool,
    SentinelPrimaryConnection,
    SentinelPrimaryTlsConnection,
    Sentinels,
)
from postroom.redis_url import BehindSentinels, OneRedis, Transport, redis_address

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTIONS: Final = {
    Transport.TCP: PrimaryConnection,
    Transport.TLS: PrimaryTlsConnection,
    Transport.UNIX: PrimaryUnixConnection,
}

_SENTINEL_CONNECTIONS: Final = {
    Transport.TCP: SentinelPrimaryConnection,
    Transport.TLS: SentinelPrimaryTlsConnection,
}

_ASYNC_SENTINEL_CONNECTIONS: Final = {
    Transport.TCP: AsyncSentinelPrimaryConnection,
    Transport.TLS: AsyncSentinelPrimaryTlsConnection,
}

_ASYNC_CONNECTIONS: Final = {
    Transport.TCP: AsyncPrimaryConnection,
    Transport.TLS: AsyncPrimaryTlsConnection,
    Transport.UNIX: AsyncPrimaryUnixConnection,
}

# redis-py leaves these without types.
_blocking_pool: Callable[..., redis.ConnectionPool] = redis.BlockingConnectionPool
_sentinel_pool: Callable[..., redis.ConnectionPool] = SentinelPool
_async_blocking_pool: Callable[..., redis.asyncio.ConnectionPool] = redis.asyncio.BlockingConnectionPool
_async_sentinel_pool: Callable[..., redis.asyncio.ConnectionPool] = AsyncSentinelPool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How a client treats its connections, where the URL does not say otherwise.

    `health_check_seconds` is how long a connection may be idle before it is tried out first: firewalls forget idle
    connections. `free_connection_timeout_seconds` is how long a caller waits where all `max_connections` are in use.
    `decode` makes replies text; otherwise they are bytes.
    """

    connect_timeout_seconds: float
    answer_timeout_seconds: float
    health_check_seconds: int
    max_connections: int
    free_connection_timeout_seconds: float
    decode: bool


def redis_client(url: str, options: PoolOptions) -> redis.Redis:
    """Return a client that connects at its first command and never repeats one; safe to share between threads.

    Raises `UnsupportedBroker` and `NotConfigured`.
    """
    address = redis_address(url)
    given: dict[str, Any] = {
        **_arguments(options, address.transport),
        "retry": redis.retry.Retry(NoBackoff(), 0),
        **address.options,
    }
    match address:
        case OneRedis(transport=transport):
            pool = _blocking_pool(connection_class=_CONNECTIONS[transport], **given)
        case BehindSentinels(service=service, transport=transport):
            given["connection_class"] = _SENTINEL_CONNECTIONS[transport]
            questions = _of_sentinels(address, options) | {"retry": redis.retry.Retry(NoBackoff(), 0)}
            pool = _sentinel_pool(service, Sentinels(address, questions), **given)
    return redis.Redis.from_pool(pool)


def async_redis_client(url: str, options: PoolOptions) -> redis.asyncio.Redis:
    """Return the same for an asyncio loop; it belongs to the loop that uses it first."""
    address = redis_address(url)
    given: dict[str, Any] = {
        **_arguments(options, address.transport),
        "retry": redis.asyncio.retry.Retry(NoBackoff(), 0),
        **address.options,
    }
    match address:
        case OneRedis(transport=transport):
            pool = _async_blocking_pool(connection_class=_ASYNC_CONNECTIONS[transport], **given)
        case BehindSentinels(service=service, transport=transport):
            given["connection_class"] = _ASYNC_SENTINEL_CONNECTIONS[transport]
            questions = _of_sentinels(address, options) | {"retry": redis.asyncio.retry.Retry(NoBackoff(), 0)}
            pool = _async_sentinel_pool(service, AsyncSentinels(address, questions), **given)
    return redis.asyncio.Redis.from_pool(pool)


def _arguments(options: PoolOptions, transport: Transport) -> dict[str, Any]:
    return {
        # A Unix socket has no firewall between its ends, and redis-py's class no such argument.
        **({} if transport is Transport.UNIX else {"socket_keepalive": True}),
        "decode_responses": options.decode,
        "encoding_errors": "replace",
        "health_check_interval": options.health_check_seconds,
        "max_connections": options.max_connections,
        "socket_connect_timeout": options.connect_timeout_seconds,
        "socket_timeout": options.answer_timeout_seconds,
        "timeout": options.free_connection_timeout_seconds,
    }


def _of_sentinels(address: BehindSentinels, options: PoolOptions) -> dict[str, Any]:
    """What a question to a Sentinel takes: it answers from its memory, and one that does not is passed over."""
    return {
        "decode_responses": True,
        "socket_connect_timeout": options.connect_timeout_seconds,
        "socket_timeout": options.connect_timeout_seconds,
        "ssl": address.transport is Transport.TLS,
        **address.sentinel_options,
    }
