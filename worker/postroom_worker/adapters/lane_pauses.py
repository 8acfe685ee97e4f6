"""The lanes that a person has paused, in Redis: claims leave them alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys
    from postroom.lanes import Lane


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a lane stands: whether it is paused, and how many jobs wait in its queue."""

    lane: Lane
    paused: bool
    queued: int


class LanePauses:
    """Pauses and resumes lanes for the whole fleet. All methods raise `redis.exceptions.RedisError`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def set(self, lanes: Sequence[Lane], *, paused: bool) -> list[LaneState]:
        """Pause lanes, or resume them; return how they stand then."""
        async with self._redis.pipeline(transaction=True) as pipe:
            change = pipe.sadd if paused else pipe.srem
            change(self._keys.paused_lanes, *lanes)
            pipe.smembers(self._keys.paused_lanes)
            for lane in lanes:
                pipe.llen(self._keys.queue(lane))
            reply: Any = await pipe.execute()
        _, members, *queued = reply
        return [LaneState(lane, lane.encode() in members, jobs) for lane, jobs in zip(lanes, queued, strict=True)]
