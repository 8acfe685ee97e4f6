"""The fleet's queues and send slots in Redis: jobs are claimed together with their slots, in one script."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from postroom.lanes import Lane
from postroom.message import TASK_NAME
from postroom_worker.adapters.redis_scripts import RedisScript
from postroom_worker.ports import Claim, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys

#: Jobs in one claim: each costs Redis some 30 µs, most of it to parse the message, so a full one holds it for 3 ms.
CLAIM_JOBS_AT_MOST: Final = 100

#: Recipients in one claim, the cap all scripts of Postroom share.
CLAIM_RECIPIENTS_AT_MOST: Final = 1000

#: kombu keeps a message with a Celery priority in a list of its own. Postroom's producers set none, others may.
#: (kombu.transport.redis: `priority_steps` and `sep`)
PRIORITY_SUFFIXES: Final = ("", "\x06\x163", "\x06\x166", "\x06\x169")

#: The answer while nobody has read the quota from SES.
NO_RATE: Final = Claim(
    slots=0,
    first_seconds=0.0,
    interval_seconds=0.0,
    wait_seconds=0.0,
    more=True,
    dead_lettered=0,
    recipients=0,
    messages=(),
    rate_known=False,
)


class RedisClaims:
    """Implements `postroom_worker.ports.Claims`.

    `waiting` is a client of its own for blocking calls: they keep a connection busy for as long as they wait.
    """

    def __init__(
        self,
        redis: Redis,
        waiting: Redis,
        keys: Keys,
        *,
        lanes: Sequence[Lane],
        horizon_seconds: float,
    ) -> None:
        self._waiting = waiting
        self._keys = keys
        self._horizon_us = round(horizon_seconds * 1_000_000)
        self._claim = RedisScript(redis, "day", "claim")
        self._lists = [(keys.queue(lane) + suffix, lane) for lane in lanes for suffix in PRIORITY_SUFFIXES]
        self._names = [
            keys.send_slots,
            keys.quota,
            keys.unacked,
            keys.unacked_index,
            keys.dead_letters,
            keys.dead_letter_messages,
            keys.dead_letter_reasons,
            keys.paused_lanes,
            keys.sending_gate,
            keys.quota_day,
            keys.lane_credits,
            *(name for name, _ in self._lists),
        ]

    async def claim(self, *, owed: int, owed_first: int, spare: int, room: Mapping[Lane, int]) -> Claim:
        """Take slots and jobs; see `postroom_worker.ports.Claims`."""
        arguments: list[str | int] = [
            self._horizon_us,
            owed,
            owed_first,
            spare,
            CLAIM_JOBS_AT_MOST,
            CLAIM_RECIPIENTS_AT_MOST,
            TASK_NAME,
        ]
        for _, lane in self._lists:
            arguments += [self._keys.queue(lane), lane, max(0, room[lane])]
        # Shielded: a claim that is cut off would leave its jobs to the visibility timeout.
        return _claim(await asyncio.shield(self._claim(keys=self._names, args=arguments)))

    async def arrival(self, lane: Lane, *, timeout_seconds: float) -> bool:
        """Wait until a job stands in a lane's queue; False after the timeout. Nothing is taken.

        Moving the last message of a list to its own end changes nothing, and is the one blocking call that does not
        take a message into nobody's hands.
        """
        queue = self._keys.queue(lane)
        moved: Any = await self._waiting.blmove(queue, queue, timeout_seconds, "RIGHT", "RIGHT")  # type: ignore[arg-type]
        return moved is not None


def _claim(reply: list[Any]) -> Claim:
    slots, first_us, interval_us, wait_us, more, dead_lettered, recipients, jobs, closed, closed_us = reply
    if slots < 0:
        return NO_RATE
    fields = iter(jobs)
    return Claim(
        slots=slots,
        first_seconds=first_us / 1_000_000,
        interval_seconds=float(interval_us) / 1_000_000,
        wait_seconds=wait_us / 1_000_000,
        more=bool(more),
        dead_lettered=dead_lettered,
        recipients=recipients,
        closed=frozenset(Lane(lane.decode()) for lane in closed),
        closed_seconds=closed_us / 1_000_000,
        messages=tuple(
            Message(queue.decode(), tag.decode(), raw) for queue, tag, raw in zip(fields, fields, fields, strict=True)
        ),
    )
