"""Whether a Redis is fit to keep emails: what cannot be kept there must not be started on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from postroom.durability import CAN_WAIT, Durability
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

log = get_logger(__name__)

#: BLMOVE and the other commands in use; kombu 5.7 asks for the same.
AT_LEAST: Final = (6, 2)


class UnfitRedisError(Exception):
    """This Redis cannot keep what Postroom promises; the text says why and what to do."""


async def check_redis(redis: Redis, *, durability: Durability) -> None:
    """Refuse a Redis that is too old, a cluster, or cannot say what is on disk; warn of one that evicts.

    Raises UnfitRedisError, and `redis.exceptions.RedisError` where it is out of reach.
    """
    information: Any = await redis.info()
    version = tuple(int(part) for part in str(information["redis_version"]).split(".")[:2])
    # Valkey calls itself redis 7.2 for compatibility, whatever its own version.
    if version < AT_LEAST:
        raise UnfitRedisError(f"Redis {information['redis_version']} is too old: use 6.2 or newer, or Valkey")
    if information.get("cluster_enabled"):
        raise UnfitRedisError(
            "this Redis is a cluster: a job, its send slot and its record change together, use one Redis"
        )
    policy = information.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        log.warning(
            "redis_evicts", maxmemory_policy=policy, remedy="set maxmemory-policy noeviction, or emails are lost"
        )
    if durability is Durability.FSYNC:
        await _check_disk(redis)


async def _check_disk(redis: Redis) -> None:
    # redis-py leaves it without types.
    command: Callable[..., Awaitable[Any]] = redis.execute_command
    try:
        await command(*CAN_WAIT.words)
    except ResponseError as error:
        if "replica" in str(error):
            # A failover is under way: the primary can, or will be asked in its turn.
            raise RedisConnectionError("this Redis is a replica") from error
        raise UnfitRedisError(
            "POSTROOM_DURABILITY=fsync needs WAITAOF (Redis 7.2 or Valkey) and `appendonly yes`, and this Redis answers: "
            f"{error}",
        ) from error
