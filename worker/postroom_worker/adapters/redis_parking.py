"""Where jobs wait for a time, in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_worker.adapters.redis_scripts import RedisScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys


class RedisParking:
    """Implements `postroom_worker.ports.Parking`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._names = [keys.parked, keys.parked_messages]
        self._job_prefix = keys.job_prefix
        self._unpark = RedisScript(redis, "unpark")

    async def unpark(self, *, at_most: int) -> tuple[int, float | None]:
        """Move what is due back to its queue; return how many, and the seconds until the next one is due."""
        moved, wait_ms = await self._unpark(keys=self._names, args=[at_most, self._job_prefix])
        return moved, None if wait_ms < 0 else wait_ms / 1000
