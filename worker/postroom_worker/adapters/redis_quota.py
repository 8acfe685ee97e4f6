"""The quota in Redis: read from SES by one worker a minute, used by all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from postroom_worker.adapters.redis_scripts import RedisScript
from postroom_worker.policy.quota import (
    RECOVERY_PER_SECOND,
    SLOW_DOWN_FACTOR,
    SLOWEST_FACTOR,
    LaneShares,
    SendQuota,
    WorkingQuota,
)
from postroom_worker.ports import QuotaReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys

#: Buckets of the rolling window: minutes of 24 hours.
DAY_BUCKETS: Final = 1440

#: The rolling window's length.
DAY_SECONDS: Final = 86_400.0

#: What each lane may use where nothing else is set.
DEFAULT_SHARES: Final = LaneShares()

#: How long one worker may take to ask SES while others that start wait for its answer.
READING_SECONDS: Final = 5.0


class RedisQuotaStore:
    """Implements `postroom_worker.ports.QuotaStore`. `window_seconds` is 24 hours, but for rehearsals."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        *,
        window_seconds: float = DAY_SECONDS,
        shares: LaneShares = DEFAULT_SHARES,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._bucket_us = round(window_seconds * 1_000_000 / DAY_BUCKETS)
        self._shares = shares
        self._slow_down = RedisScript(redis, "slow_down")

    async def may_refresh(self, *, every_seconds: float) -> bool:
        """Tell whether this worker is the one to ask SES now: the first since `every_seconds`."""
        return bool(await self._redis.set(self._keys.quota_refresh, "1", nx=True, px=round(every_seconds * 1000)))

    async def may_read(self) -> bool:
        """Tell whether this worker is the one to ask SES, of several that start together."""
        return bool(await self._redis.set(self._keys.quota_reading, "1", nx=True, px=round(READING_SECONDS * 1000)))

    async def store(self, quota: SendQuota, working: WorkingQuota, *, others: float) -> None:
        """Keep what SES said and what the fleet works with, in one step."""
        seconds, microseconds = await self._redis.time()
        shares = self._shares
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(
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
                    "sandbox": int(working.sandbox),
                    "day_limit": working.max_24_hour_send,
                    "day_others": others,
                    "day_bucket_us": self._bucket_us,
                    "day_reserve_critical": shares.day_reserve_critical,
                    "day_reserve_transactional": shares.day_reserve_transactional,
                    "share_transactional": shares.share_transactional,
                    "share_bulk": shares.share_bulk,
                    "slow_recovery": RECOVERY_PER_SECOND,
                    "read_ms": seconds * 1000 + microseconds // 1000,
                },
            )
            pipe.delete(self._keys.quota_reading)
            await pipe.execute()

    async def load(self) -> QuotaReading | None:
        """Return what is kept; None while nobody has read it."""
        raw: Any = await self._redis.hgetall(self._keys.quota)
        stored = {name.decode(): value.decode() for name, value in raw.items()}
        if "read_ms" not in stored:
            return None
        seconds, microseconds = await self._redis.time()
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
            max_24_hour_send=float(stored["day_limit"]),
            sandbox=stored["sandbox"] == "1",
        )
        return QuotaReading(quota, working, seconds + microseconds / 1_000_000 - int(stored["read_ms"]) / 1000)

    async def sent_by_us(self, *, until_ago_seconds: float) -> float:
        """Return how many recipients the fleet sent in the window that ended so long ago."""
        seconds, microseconds = await self._redis.time()
        raw: Any = await self._redis.hgetall(self._keys.quota_day)
        last = int((seconds * 1_000_000 + microseconds - until_ago_seconds * 1_000_000) // self._bucket_us)
        window = range(last - DAY_BUCKETS, last + 1)
        return sum(int(count) for name, count in raw.items() if name.isdigit() and int(name) in window)

    async def store_identities(self, identities: Sequence[str] | None) -> None:
        """Keep the verified identities that the sandbox sends to; None outside it, or where they cannot be read."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(self._keys.verified_identities)
            if identities:
                pipe.sadd(self._keys.verified_identities, *identities)
            await pipe.execute()

    async def slow_down(self) -> float | None:
        """Lower the working rate after a throttle answer; return its share of the full one, None if it just was."""
        arguments = [SLOW_DOWN_FACTOR, SLOWEST_FACTOR, RECOVERY_PER_SECOND]
        factor = await self._slow_down(keys=[self._keys.quota], args=arguments)
        return None if factor is None else float(factor)
