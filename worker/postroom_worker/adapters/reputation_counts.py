"""Reads the account's bounce and complaint ratios from the reputation buckets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys


class Window(StrEnum):
    """How far back a ratio looks."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


@dataclass(frozen=True, slots=True)
class ReputationCount:
    """Recipients in a window: how many were sent to, bounced for good, and how often somebody complained."""

    sent: int
    bounced: int
    complained: int

    @property
    def bounce_ratio(self) -> float:
        """Bounces per recipient sent; 0 where nothing was sent."""
        return self.bounced / self.sent if self.sent > 0 else 0.0

    @property
    def complaint_ratio(self) -> float:
        """Complaints per recipient sent; 0 where nothing was sent."""
        return self.complained / self.sent if self.sent > 0 else 0.0


#: Hours of each window that is read from hour buckets; the hour is read from minute buckets.
_HOURS: Final = {Window.DAY: 24, Window.WEEK: 7 * 24}

_FIELDS: Final = ["sent", "bounced", "complained"]


class ReputationCounts:
    """Counts over windows that end now, by Redis's clock.

    A window holds its whole buckets and the current one: a little more than its name says, never less.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def read(self) -> dict[Window, ReputationCount]:
        """Read all windows in two round trips; raises `redis.exceptions.RedisError`."""
        now_seconds, _ = await self._redis.time()
        minute, hour = now_seconds // 60, now_seconds // 3600
        minutes = [self._keys.reputation_minute(minute - ago) for ago in range(61)]
        hours = [self._keys.reputation_hour(hour - ago) for ago in range(_HOURS[Window.WEEK] + 1)]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in (*minutes, *hours):
                pipeline.hmget(key, _FIELDS)
            rows = [tuple(int(number or 0) for number in row) for row in await pipeline.execute()]
        of_minutes, of_hours = rows[: len(minutes)], rows[len(minutes) :]
        return {
            Window.HOUR: _sum(of_minutes),
            **{window: _sum(of_hours[: length + 1]) for window, length in _HOURS.items()},
        }


def _sum(rows: list[tuple[int, ...]]) -> ReputationCount:
    sent, bounced, complained = (sum(column) for column in zip(*rows, strict=True))
    return ReputationCount(sent, bounced, complained)
