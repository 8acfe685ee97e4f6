"""How jobs come to a worker: claimed with their send slots, and only when there is something to claim.

Nobody polls. Where slots are missing, the claim says when to come back; where jobs are missing, the worker waits for one
to arrive.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.policy.lane_room import lane_room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from postroom.lanes import Lane
    from postroom_worker.ports import Claim, Claims, Message
    from postroom_worker.use_cases.holdings import Holdings

log = get_logger(__name__)

#: How long one wait for an arrival may last; shorter than the answer timeout of the connection it waits on.
ARRIVAL_WAIT_SECONDS: Final = 2.0

#: Wait before Redis is tried again.
RETRY_SECONDS: Final = 0.5


class JobIntake:
    """Claims for one worker.

    `hand_over` brings messages to Celery, `lanes` are those it serves, `concurrency` is how many jobs it may hold.
    """

    def __init__(
        self,
        claims: Claims,
        holdings: Holdings,
        *,
        hand_over: Callable[[Sequence[Message]], None],
        lanes: Sequence[Lane],
        concurrency: int,
    ) -> None:
        self._claims = claims
        self._holdings = holdings
        self._hand_over = hand_over
        self._lanes = lanes
        self._concurrency = concurrency
        self._idle = asyncio.Event()
        self._found_nothing = False
        self._closed: frozenset[Lane] = frozenset()

    @property
    def has_room(self) -> bool:
        """Whether this worker may hold another job of any lane."""
        return len(self._holdings) < self._concurrency

    async def claim(self, *, owed: int, owed_first: int, spare: int) -> Claim:
        """Claim jobs and slots, and hand the jobs over; raises `redis.exceptions.RedisError`.

        After a claim that found no more jobs, arrivals are watched.
        """
        self._idle.clear()
        claim = await self._claims.claim(
            owed=owed,
            owed_first=owed_first,
            spare=spare,
            room=lane_room(concurrency=self._concurrency, held=len(self._holdings)),
        )
        if claim.dead_lettered:
            log.error("messages_dead_lettered", messages=claim.dead_lettered)
        if claim.messages:
            self._holdings.take(claim.messages)
            self._hand_over(claim.messages)
        self._found_nothing = not claim.messages
        self._closed = claim.closed
        if not claim.more:
            self._idle.set()
        return claim

    async def watch_for_ever(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever a job arrives while the queues were found empty; until cancelled."""
        async with asyncio.TaskGroup() as watches:
            for lane in self._lanes:
                watches.create_task(self._watch(lane, wake))

    async def _watch(self, lane: Lane, wake: Callable[[], None]) -> None:
        woke = False
        while True:
            await self._idle.wait()
            if lane in self._closed or (woke and self._found_nothing):
                # What stands there is not for this worker now: it must not wake it again and again.
                await asyncio.sleep(RETRY_SECONDS)
                if lane in self._closed:
                    continue
            woke = False
            try:
                arrived = await self._claims.arrival(lane, timeout_seconds=ARRIVAL_WAIT_SECONDS)
            except RedisError as error:
                log.info("arrivals_not_watched", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if arrived and self._idle.is_set():
                self._idle.clear()
                woke = True
                wake()
