"""What this worker holds, in Redis, in kombu's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_worker.adapters.redis_scripts import RedisScript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys
    from postroom_worker.ports import Message


class RedisLeases:
    """Implements `postroom_worker.ports.Leases`."""

    def __init__(self, redis: Redis, keys: Keys, *, visibility_timeout_seconds: float) -> None:
        self._redis = redis
        self._keys = keys
        self._visibility_timeout_seconds = visibility_timeout_seconds
        self._held = [keys.unacked, keys.unacked_index]
        self._dead = [keys.dead_letters, keys.dead_letter_messages, keys.dead_letter_reasons]
        self._keep = RedisScript(redis, "keep_leases")
        self._give_back = RedisScript(redis, "give_back")
        self._bury = RedisScript(redis, "bury")
        self._reclaim = RedisScript(redis, "reclaim")

    async def acknowledge(self, tags: Sequence[str]) -> None:
        """Let go of messages whose jobs need no message any more."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(self._keys.unacked_index, *tags)
            pipe.hdel(self._keys.unacked, *tags)
            await pipe.execute()

    async def keep(self, tags: Sequence[str]) -> list[str]:
        """Give a sign of life for messages; return those that are not held any more."""
        lost = await self._keep(keys=[self._keys.unacked_index], args=list(tags))
        return [tag.decode() for tag in lost]

    async def give_back(self, tags: Sequence[str]) -> int:
        """Return messages to their queues; return how many."""
        return int(await self._give_back(keys=self._held, args=list(tags)))

    async def bury(self, message: Message, *, name: str, reason: str) -> None:
        """Move a held message to the dead letters."""
        kept = message.queue.encode() + b" " + message.raw
        await self._bury(keys=[*self._held, *self._dead], args=[message.tag, name, kept, reason])

    async def reclaim(self, *, at_most: int) -> int:
        """Return messages of workers that are gone to their queues; return how many."""
        names = [*self._held, *self._dead]
        return int(await self._reclaim(keys=names, args=[self._visibility_timeout_seconds, at_most]))
