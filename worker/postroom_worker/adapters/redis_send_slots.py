"""The fleet's send slots in Redis: GCRA in one script, on Redis's own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_worker.adapters.redis_scripts import register_script
from postroom_worker.ports import Reservation

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys


class RedisSendSlots:
    """Implements `postroom_worker.ports.SendSlots`."""

    def __init__(self, redis: Redis, keys: Keys, *, horizon_seconds: float) -> None:
        self._names = [keys.send_slots, keys.quota]
        self._horizon_us = round(horizon_seconds * 1_000_000)
        self._reserve = register_script(redis, "reserve_slots")

    async def reserve(self, *, wanted: int, needed: int) -> Reservation:
        """Reserve up to `wanted` slots, at least `needed` in one piece where any may be had."""
        count, wait_us, interval_us = await self._reserve(keys=self._names, args=[wanted, needed, self._horizon_us])
        if count < 0:
            return Reservation(0, 0.0, 0.0, rate_known=False)
        return Reservation(count, wait_us / 1_000_000, float(interval_us) / 1_000_000)
