"""A process that takes the fleet's send slots and sends nothing: it notes when each slot was used.

It prints a line when it is ready, reads from its standard input until when to record (seconds of the monotonic clock,
which all processes of a machine share), and then prints the times as JSON. Run by `postroom_worker.bench.limiter`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from postroom.keys import Keys
from postroom.lanes import Lane
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.policy.quota import SLOT_HORIZON_SECONDS, SLOT_LATENESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroom_worker.ports import Claims

#: What is printed once Redis answers.
READY: Final = "ready"

#: Slots that one claim asks for: more than a horizon holds at any rate that is measured.
_WANTED_SLOTS: Final = 1000
#: Shortest wait between two claims, as a worker waits.
_CLAIM_EVERY_SECONDS: Final = 0.02

#: No room for jobs: a claim then takes slots alone, as for jobs that lost theirs.
_NO_ROOM: Final = dict.fromkeys(Lane, 0)


class SlotRecorder:
    """Takes slots from `claims` ahead of their time and uses each at its time, or forfeits it as a worker does."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._in_hand: deque[float] = deque()
        self._taken = asyncio.Event()
        self._used_at: list[float] = []

    async def record(self, *, until: float) -> list[float]:
        """Return when slots were used, in seconds of the monotonic clock.

        An `ExceptionGroup` of `redis.exceptions.RedisError`, or of RuntimeError while nobody has stored a rate, ends it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._take_for_ever())
                tasks.create_task(self._use_for_ever())
        return self._used_at

    async def _take_for_ever(self) -> None:
        while True:
            wait_seconds = await self._take()
            await asyncio.sleep(wait_seconds)

    async def _take(self) -> float:
        """Claim slots where those in hand end soon; return how long to wait before the next look."""
        if self._in_hand and self._in_hand[-1] - time.monotonic() > SLOT_HORIZON_SECONDS / 2:
            return _CLAIM_EVERY_SECONDS
        claim = await self._claims.claim(owed=_WANTED_SLOTS, owed_first=1, spare=0, room=_NO_ROOM)
        if not claim.rate_known:
            raise RuntimeError("no rate is stored")
        first_at = time.monotonic() + claim.first_seconds
        self._in_hand.extend(first_at + number * claim.interval_seconds for number in range(claim.slots))
        self._taken.set()
        return max(_CLAIM_EVERY_SECONDS, claim.wait_seconds)

    async def _use_for_ever(self) -> None:
        while True:
            while not self._in_hand:
                self._taken.clear()
                await self._taken.wait()
            at = self._in_hand.popleft()
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            now = time.monotonic()
            if now - at <= SLOT_LATENESS_SECONDS:
                self._used_at.append(now)


async def _main(redis_url: str, namespace: str) -> None:
    keys = Keys(namespace)
    async with Redis.from_url(redis_url) as redis:
        claims = RedisClaims(redis, redis, keys, lanes=tuple(Lane), horizon_seconds=SLOT_HORIZON_SECONDS)
        await redis.ping()
        print(READY, flush=True)  # noqa: T201 - its protocol
        until = float(sys.stdin.readline())
        print(json.dumps(await SlotRecorder(claims).record(until=until)), flush=True)  # noqa: T201 - its protocol


def main(arguments: Sequence[str]) -> None:
    """Record on a Redis, given as its URL and a namespace."""
    redis_url, namespace = arguments
    asyncio.run(_main(redis_url, namespace))


if __name__ == "__main__":
    main(sys.argv[1:])
