"""Redis as a producer reaches it: which timeouts, what is repeated, and its errors in Postroom's words."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from random import random
from typing import TYPE_CHECKING, Any, Final

import redis

from postroom.commands import Batch, Command, ScriptCall
from postroom.durability import CAN_WAIT, NotOnDiskError, check_can_wait, check_on_disk, disk_wait
from postroom.errors import RedisRefused, Unreachable
from postroom.redis_pool import PoolOptions, async_redis_client, redis_client
from postroom.redis_primary import NoPrimaryError, ReplicaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def _pool_options() -> PoolOptions:
    return PoolOptions(
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        answer_timeout_seconds=ANSWER_TIMEOUT_SECONDS,
        health_check_seconds=HEALTH_CHECK_SECONDS,
        max_connections=MAX_CONNECTIONS,
        free_connection_timeout_seconds=FREE_CONNECTION_TIMEOUT_SECONDS,
        decode=True,
    )


class RedisExecutor:
    """Sends batches to Redis and waits for the replies.

    With `disk_mark`, a key of its own, a script's reply is returned only when its effects are on disk.
    Safe to share between threads. After a fork the child opens connections of its own.
    """

    def __init__(self, url: str, *, disk_mark: str | None = None) -> None:
        self._redis = redis_client(url, _pool_options())
        self._disk_mark = disk_mark
        self._can_wait = False

    def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands.

        Raises `Unreachable` and `RedisRefused`, and `NotConfigured` where Redis cannot wait for its disk.
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
        if not isinstance(batch, ScriptCall):
            return _each_done(self._pipeline(batch))
        if self._disk_mark is not None and not self._can_wait:
            # Once, and before anything is queued that the caller would then be told was refused.
            check_can_wait(self._pipeline((CAN_WAIT,))[0])
            self._can_wait = True
        replies = self._pipeline(_words(batch, disk_mark=self._disk_mark))
        if isinstance(replies[0], redis.exceptions.NoScriptError):
            replies = self._pipeline(_words(batch, disk_mark=self._disk_mark, with_source=True))
        return _script_reply(replies)

    def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            queue_command: Callable[..., Any] = pipeline.execute_command
            for command in commands:
                queue_command(*command.words)
            # Errors come back as replies: redis-py's own raising would quote the arguments.
            return pipeline.execute(raise_on_error=False)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class AsyncRedisExecutor:
    """The same on an asyncio loop. It belongs to the loop that used it first."""

    def __init__(self, url: str, *, disk_mark: str | None = None) -> None:
        self._redis = async_redis_client(url, _pool_options())
        self._disk_mark = disk_mark
        self._can_wait = False

    async def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands; raises as `RedisExecutor.execute`."""
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
        if not isinstance(batch, ScriptCall):
            return _each_done(await self._pipeline(batch))
        if self._disk_mark is not None and not self._can_wait:
            # Once, and before anything is queued that the caller would then be told was refused.
            check_can_wait((await self._pipeline((CAN_WAIT,)))[0])
            self._can_wait = True
        replies = await self._pipeline(_words(batch, disk_mark=self._disk_mark))
        if isinstance(replies[0], redis.exceptions.NoScriptError):
            replies = await self._pipeline(_words(batch, disk_mark=self._disk_mark, with_source=True))
        return _script_reply(replies)

    async def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            queue_command: Callable[..., Any] = pipeline.execute_command
            for command in commands:
                queue_command(*command.words)
            # Errors come back as replies: redis-py's own raising would quote the arguments.
            return await pipeline.execute(raise_on_error=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _words(call: ScriptCall, *, disk_mark: str | None, with_source: bool = False) -> tuple[Command, ...]:
    """Return the commands of a script's call, and of the wait for the disk behind it."""
    head = ("EVAL", call.script.source) if with_source else ("EVALSHA", call.script.sha)
    command = Command((*head, len(call.keys), *call.keys, *call.arguments))
    return (command,) if disk_mark is None else (command, *disk_wait(disk_mark))


def _each_done(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, redis.exceptions.ResponseError):
            raise reply
    return replies


def _script_reply(replies: list[Any]) -> Any:
    """Return the script's reply, if it succeeded and what follows it says that it is on disk."""
    reply, *waited = replies
    _each_done([reply])
    if waited:
        marked, written = waited
        _each_done([marked])
        check_on_disk(written)
    return reply


def pause_seconds(error: redis.exceptions.RedisError, *, attempt: int, chance: float) -> float | None:
    """Return the seconds to wait before a batch is repeated, or None for no more. Pure.

    `attempt` counts from 1; `chance`, from 0 to 1, spreads producers that lost Redis at the same moment.
    """
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.MaxConnectionsError | NotOnDiskError):
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
    except NotOnDiskError as error:
        raise Unreachable(
            "Redis has not written it to disk in time, and it may be lost if Redis crashes now: look at the disk, and "
            "repeat it under the same idempotency key",
        ) from error
    except NoPrimaryError as error:
        raise Unreachable(
            "the Sentinels know no primary that is up: a failover is under way, or the URL names another service than "
            "they watch, or none of them can be reached",
        ) from error
    except ReplicaError as error:
        raise Unreachable(
            "the Redis that answers takes no writes, as a replica or without its replicas: a failover is under way, or the "
            "URL names the wrong one",
        ) from error
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
