"""The gate that holds the whole fleet back, in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_worker.adapters.redis_scripts import RedisScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys


class RedisSendingGate:
    """Implements `postroom_worker.ports.SendingGate`. It opens with the first send that SES accepts (`settle.lua`)."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._names = [keys.sending_gate]
        self._close = RedisScript(redis, "close_gate")

    async def close(self, *, meaning: str, reason: str, seconds: float) -> bool:
        """Let nobody claim for so long; tell whether it was open."""
        return bool(await self._close(keys=self._names, args=[round(seconds * 1_000_000), meaning, reason]))
