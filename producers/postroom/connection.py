"""Redis as a producer reaches it: which URLs, which timeouts, and its errors in Postroom's words."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from random import random
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from postroom.commands import Batch, ScriptCall
from postroom.errors import NotConfigured, RedisRefused, Unreachable, UnsupportedBroker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any

#: Seconds to wait for a connection. A request handler that sends an email should not hang with Redis.
CONNECT_TIMEOUT_SECONDS: Final = 2.0

#: Seconds to wait for an answer: the largest call takes Redis a few milliseconds, a slow disk with `fsync` a second.
ANSWER_TIMEOUT_SECONDS: Final = 5.0

#: Seconds a connection may be idle before it is tried out first: firewalls forget idle connections.
HEALTH_CHECK_SECONDS: Final = 30

#: How often a batch is repeated on a new connection when the old one broke or was refused, and the seconds between.
#: It outlasts a restart of Redis, and a refusal is told within some two seconds. Every batch may be repeated.
RETRIES_AFTER_BREAK: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.1
LAST_PAUSE_SECONDS: Final = 1.0

#: How often a batch is repeated that was not answered in time: once, since a firewall may have forgotten the
#: connection, and not again, since a caller waits.
RETRIES_AFTER_TIMEOUT: Final = 1

#: Connections of one client; further callers wait for a free one.
MAX_CONNECTIONS: Final = 50

#: Seconds to wait for a free connection, before that counts as a break and is repeated like one.
FREE_CONNECTION_TIMEOUT_SECONDS: Final = 1.0

_SUPPORTED: Final = frozenset({"redis", "rediss", "unix"})

#: Why not, for URLs that people have in their Celery settings.
_UNSUPPORTED: Final = {
    "sentinel": "Redis Sentinel is not supported yet: name the primary itself with redis://",
    "redis+socket": "write a Unix socket as unix:///path/to/redis.sock",
    "redis+cluster": "Redis Cluster cannot change a queue and a job's record together: use one Redis",
    "rediscluster": "Redis Cluster cannot change a queue and a job's record together: use one Redis",
    "valkey": "write it as redis://: Valkey speaks the same protocol",
    "valkeys": "write it as rediss://: Valkey speaks the same protocol",
}

_ONE_REDIS: Final = (
    "the queue and the memory must be one Redis, since a job, its send slot and its record change together: "
    "use redis://, rediss:// or unix://"
)


def checked_url(url: str) -> str:
    """Return the URL if it names one Redis.

    Raises `UnsupportedBroker` with the reason, never with the URL, which may hold a password.
    """
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        raise UnsupportedBroker(f"the Redis URL cannot be read: {_ONE_REDIS}") from None
    if scheme not in _SUPPORTED:
        raise UnsupportedBroker(_UNSUPPORTED.get(scheme, _ONE_REDIS))
    return url


class RedisExecutor:
    """Sends batches to Redis and waits for the replies.

    Safe to share between threads. After a fork the child opens connections of its own.
    """

    def __init__(self, url: str) -> None:
        with _readable_url():
            pool = redis.BlockingConnectionPool.from_url(
                checked_url(url),
                decode_responses=True,
                encoding_errors="replace",
                health_check_interval=HEALTH_CHECK_SECONDS,
                max_connections=MAX_CONNECTIONS,
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
                socket_timeout=ANSWER_TIMEOUT_SECONDS,
                timeout=FREE_CONNECTION_TIMEOUT_SECONDS,
            )
        self._redis = redis.Redis.from_pool(pool)
        # redis-py leaves it without types.
        self._command: Callable[..., Any] = self._redis.execute_command

    def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands.

        Raises `Unreachable` and `RedisRefused`.
        """
        with translated():
            attempt = 0
            while True:
                attempt += 1
                try:
                    return self._once(batch)
                except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
                    pause = pause_seconds(error, attempt=attempt, chance=random())  # noqa: S311  spreads a crowd
                    if pause is None:
                        raise
                    time.sleep(pause)

    def _once(self, batch: Batch) -> Any:
        if isinstance(batch, ScriptCall):
            words = (len(batch.keys), *batch.keys, *batch.arguments)
            try:
                return self._command("EVALSHA", batch.script.sha, *words)
            except redis.exceptions.NoScriptError:
                return self._command("EVAL", batch.script.source, *words)
        with self._redis.pipeline(transaction=False) as pipeline:
            queue_command: Callable[..., Any] = pipeline.execute_command
            for command in batch:
                queue_command(*command.words)
            return pipeline.execute()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class AsyncRedisExecutor:
    """The same on an asyncio loop. It belongs to the loop that used it first."""

    def __init__(self, url: str) -> None:
        with _readable_url():
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                checked_url(url),
                decode_responses=True,
                encoding_errors="replace",
                health_check_interval=HEALTH_CHECK_SECONDS,
                max_connections=MAX_CONNECTIONS,
                retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
                socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
                socket_timeout=ANSWER_TIMEOUT_SECONDS,
                timeout=FREE_CONNECTION_TIMEOUT_SECONDS,
            )
        self._redis = redis.asyncio.Redis.from_pool(pool)
        # redis-py leaves it without types.
        self._command: Callable[..., Awaitable[Any]] = self._redis.execute_command

    async def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands.

        Raises `Unreachable` and `RedisRefused`.
        """
        with translated():
            attempt = 0
            while True:
                attempt += 1
                try:
                    return await self._once(batch)
                except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
                    pause = pause_seconds(error, attempt=attempt, chance=random())  # noqa: S311  spreads a crowd
                    if pause is None:
                        raise
                    await asyncio.sleep(pause)

    async def _once(self, batch: Batch) -> Any:
        if isinstance(batch, ScriptCall):
            words = (len(batch.keys), *batch.keys, *batch.arguments)
            try:
                return await self._command("EVALSHA", batch.script.sha, *words)
            except redis.exceptions.NoScriptError:
                return await self._command("EVAL", batch.script.source, *words)
        async with self._redis.pipeline(transaction=False) as pipeline:
            queue_command: Callable[..., Any] = pipeline.execute_command
            for command in batch:
                queue_command(*command.words)
            return await pipeline.execute()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def pause_seconds(error: redis.exceptions.RedisError, *, attempt: int, chance: float) -> float | None:
    """Return the seconds to wait before a batch is repeated, or None for no more. Pure.

    `attempt` counts from 1; `chance`, from 0 to 1, spreads producers that lost Redis at the same moment.
    """
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.MaxConnectionsError):
        return None
    retries = RETRIES_AFTER_TIMEOUT if isinstance(error, redis.exceptions.TimeoutError) else RETRIES_AFTER_BREAK
    if attempt > retries:
        return None
    longest = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return longest * (1 + chance) / 2


@contextmanager
def translated() -> Iterator[None]:
    """Raise Redis's errors as Postroom's: the one place where they are."""
    try:
        yield
    except redis.exceptions.AuthenticationError as error:
        raise RedisRefused("Redis refuses the user or the password: check the URL") from error
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
        raise Unreachable(
            "Redis cannot be reached, or did not answer in time: check the URL and that it runs; "
            "what was under way may have been accepted, repeat it under the same idempotency key",
        ) from error
    except redis.exceptions.ResponseError as error:
        # The first word is Redis's error code (OOM, READONLY, NOPERM); what follows may quote arguments.
        code = str(error).partition(" ")[0]
        raise RedisRefused(f"Redis refused the command: {type(error).__name__} {code}") from None
    except redis.exceptions.RedisError as error:
        raise RedisRefused("what answers does not speak Redis's protocol: check host and port in the URL") from error


@contextmanager
def _readable_url() -> Iterator[None]:
    try:
        yield
    except ValueError:
        # redis-py's own words may quote the URL.
        raise NotConfigured("the Redis URL has a port, database or option that cannot be used") from None
