"""The quota in Redis: read from SES by one worker a minute, used by all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroom_worker.policy.quota import SendQuota, WorkingQuota

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys


class RedisQuotaStore:
    """Implements `postroom_worker.ports.QuotaStore`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def may_refresh(self, *, every_seconds: float) -> bool:
        """Tell whether this worker is the one to ask SES now: the first since `every_seconds`."""
        return bool(await self._redis.set(self._keys.quota_refresh, "1", nx=True, px=round(every_seconds * 1000)))

    async def forget_refresh(self) -> None:
        """Let the next worker ask at once, since asking failed."""
        await self._redis.delete(self._keys.quota_refresh)

    async def store(self, quota: SendQuota, working: WorkingQuota) -> None:
        """Keep what SES said and what the fleet works with."""
        seconds, microseconds = await self._redis.time()
        await self._redis.hset(
            self._keys.quota,
            mapping={
                "max_send_rate": quota.max_send_rate,
                "max_24_hour_send": quota.max_24_hour_send,
                "sent_last_24_hours": quota.sent_last_24_hours,
                "production_access": int(quota.production_access),
                "sending_enabled": int(quota.sending_enabled),
                "enforcement_status": quota.enforcement_status,
                "working_max_send_rate": working.max_send_rate,
                "working_rate": working.working_rate,
                "working_max_24_hour_send": working.max_24_hour_send,
                "read_ms": seconds * 1000 + microseconds // 1000,
            },
        )

    async def working_rate(self) -> float | None:
        """Return the working rate in recipients a second; None while unknown."""
        rate = await self._redis.hget(self._keys.quota, "working_rate")
        return None if rate is None else float(rate)

    async def load(self) -> tuple[SendQuota, WorkingQuota, float] | None:
        """Return what is kept, and when it was read in seconds since the epoch; None while nobody has read it."""
        raw: Any = await self._redis.hgetall(self._keys.quota)
        stored = {name.decode(): value.decode() for name, value in raw.items()}
        if "read_ms" not in stored:
            return None
        quota = SendQuota(
            max_send_rate=float(stored["max_send_rate"]),
            max_24_hour_send=float(stored["max_24_hour_send"]),
            sent_last_24_hours=float(stored["sent_last_24_hours"]),
            production_access=stored["production_access"] == "1",
            sending_enabled=stored["sending_enabled"] == "1",
            enforcement_status=stored["enforcement_status"],
        )
        working = WorkingQuota(
            max_send_rate=float(stored["working_max_send_rate"]),
            working_rate=float(stored["working_rate"]),
            max_24_hour_send=float(stored["working_max_24_hour_send"]),
        )
        return quota, working, int(stored["read_ms"]) / 1000
