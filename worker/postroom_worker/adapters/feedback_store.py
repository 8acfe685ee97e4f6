"""What feedback changes in Redis: one call of `lua/apply_feedback.lua` per batch."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError, RedisError

from postroom_worker.adapters.reputation_counts import ReputationCounts
from postroom_worker.feedback_ports import Application, Applied, FeedbackReadings, FeedbackStoreError
from postroom_worker.policy.feedback_effects import AddressFate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys
    from postroom_worker.policy.feedback_effects import Effects

#: How long an applied event is remembered: a message may come back from a dead-letter queue as long as SQS keeps it,
#: 14 days at most (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
EVENT_MEMORY_SECONDS: Final = 14 * 24 * 3600

#: Transient bounces in a row, without a delivery, that suppress for a while.
SOFT_BOUNCES_IN_A_ROW: Final = 5

#: How long a bucket of transient bounces is kept after its last one: half a year, so that even a monthly newsletter
#: reaches five in a row.
SOFT_BOUNCE_MEMORY_SECONDS: Final = 180 * 24 * 3600

#: Expired deliveries in a row, and the time they must span, after which nobody is expected to answer any more. "The
#: give-up time generally needs to be at least 4-5 days" (RFC 5321, section 4.5.4.1).
EXPIRIES_IN_A_ROW: Final = 3
EXPIRIES_SPAN_SECONDS: Final = 5 * 24 * 3600

#: Recipients in one call: Redis does nothing else meanwhile, and 1,000 take it a few milliseconds.
MAX_RECIPIENTS_PER_CALL: Final = 1000

#: How long Redis may take to have the effects on disk. With `appendfsync everysec` it writes once a second.
FSYNC_TIMEOUT_MILLISECONDS: Final = 5000


class RedisFeedbackStore:
    """`FeedbackStore` on one Redis.

    `wait_for_disk` makes `apply` return only when Redis has the effects on disk (``DURABILITY=fsync``; needs an
    append-only file and Redis 7.2 or Valkey). `redis` decodes nothing or everything: both do.
    """

    def __init__(
        self,
        *,
        redis: Redis,
        keys: Keys,
        retention_seconds: int,
        wait_for_disk: bool = False,
        transient_suppression_seconds: int,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._wait_for_disk = wait_for_disk
        self._counts = ReputationCounts(redis, keys)
        self._source = files(__package__).joinpath("lua/apply_feedback.lua").read_text(encoding="utf-8")
        self._sha: str | None = None
        self._arguments = [
            retention_seconds,
            EVENT_MEMORY_SECONDS,
            transient_suppression_seconds,
            SOFT_BOUNCES_IN_A_ROW,
            SOFT_BOUNCE_MEMORY_SECONDS,
            EXPIRIES_IN_A_ROW,
            EXPIRIES_SPAN_SECONDS * 1000,
        ]

    async def apply(self, events: Sequence[Effects], *, empty_at_ms: int | None = None) -> Application:
        """Apply events, each once however often it comes; see `FeedbackStore`."""
        applied: list[Applied] = []
        now_ms = 0
        for part in _parts(events):
            now_ms, replies = await self._run(part, empty_at_ms=empty_at_ms)
            applied.extend(_applied(reply) for reply in replies)
        return Application(now_ms, tuple(applied))

    async def readings(self) -> FeedbackReadings:
        """Return what stands in Redis now."""
        try:
            counts = await self._counts.read()
            suppressed = await self._redis.get(self._keys.suppressed_count)
            last_event_ms = await _awaited(self._redis.hget(self._keys.feedback_progress, "last_event_at_ms"))
        except (RedisError, OSError) as error:
            raise FeedbackStoreError(_why(error)) from error
        return FeedbackReadings(
            bounce_ratios={window: count.bounce_ratio for window, count in counts.items()},
            complaint_ratios={window: count.complaint_ratio for window, count in counts.items()},
            suppressed_addresses=0 if suppressed is None else int(suppressed),
            last_event_at=None if last_event_ms is None else int(last_event_ms) / 1000,
        )

    async def _run(self, events: Sequence[Effects], *, empty_at_ms: int | None) -> tuple[int, list[list[Any]]]:
        call = _Call(self._keys)
        texts = [call.event(effects) for effects in events]
        arguments = [*self._arguments, "" if empty_at_ms is None else empty_at_ms, *texts]
        try:
            if self._sha is None:
                self._sha = str(_text(await self._redis.script_load(self._source)))
            try:
                now_ms, replies = await self._evaluate(call.names, arguments)
            except NoScriptError:
                # Redis was restarted, or somebody flushed its scripts.
                self._sha = None
                self._sha = str(_text(await self._redis.script_load(self._source)))
                now_ms, replies = await self._evaluate(call.names, arguments)
        except (RedisError, OSError) as error:
            raise FeedbackStoreError(_why(error)) from error
        return int(now_ms), replies

    async def _evaluate(self, names: list[str], arguments: list[Any]) -> tuple[int, list[list[Any]]]:
        # A pipeline, since WAITAOF speaks of the writes of its own connection.
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.evalsha(str(self._sha), len(names), *names, *arguments)
            if self._wait_for_disk:
                pipeline.execute_command("WAITAOF", 1, 0, FSYNC_TIMEOUT_MILLISECONDS)
            answers = await pipeline.execute()
        if self._wait_for_disk and int(answers[1][0]) < 1:
            raise FeedbackStoreError("Redis did not report the effects as written to disk in time")
        now_ms, replies = answers[0]
        return now_ms, replies


class _Call:
    """Collects the keys of one call; events refer to them by their place."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        fixed = (
            keys.suppressed_count,
            keys.parked,
            keys.parked_messages,
            keys.feedback_progress,
            keys.reputation_minute(0),
            keys.reputation_hour(0),
        )
        self._places = {name: place for place, name in enumerate(fixed, start=1)}

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def event(self, effects: Effects) -> str:
        """Return an event as the script reads it; absent is absent, since cjson has no None."""
        fields: dict[str, object] = {
            "recipients": effects.sent_recipients,
            "rank": effects.delivery_rank,
            "bounced": effects.bounced,
            "complained": effects.complained,
            "source": effects.source,
            "suppress": [],
            "soft": [],
            "delivered": [],
        }
        if effects.job is not None:
            fields |= {"job_id": effects.job.job_id, "job_key": self._place(self._keys.job(effects.job.job_id))}
        if effects.ses_message_id is not None:
            fields["message_id"] = effects.ses_message_id
        if effects.delivery is not None:
            fields["delivery"] = effects.delivery.value
        if effects.event_key is not None:
            fields["event_key"] = self._place(self._keys.feedback_event(effects.event_key))
        if effects.happened_at is not None:
            fields["at"] = round(effects.happened_at * 1000)
        self._addresses(effects, fields)
        return json.dumps(fields, separators=(",", ":"))

    def _addresses(self, effects: Effects, fields: dict[str, object]) -> None:
        suppress: list[list[object]] = []
        soft: list[list[object]] = []
        delivered: list[list[object]] = []
        for effect in effects.addresses:
            address = effect.address
            if effect.reason is not None:
                suppress.append([self._place(self._keys.suppression_bucket(address)), address, effect.reason.value])
            elif effect.fate is AddressFate.TRANSIENT:
                places = [
                    self._place(self._keys.soft_bounces_bucket(address)),
                    self._place(self._keys.suppression_bucket(address)),
                ]
                soft.append([*places, address, int(effect.expired)])
            elif effect.fate is AddressFate.DELIVERED:
                delivered.append([self._place(self._keys.soft_bounces_bucket(address)), address])
        fields |= {"suppress": suppress, "soft": soft, "delivered": delivered}

    def _place(self, name: str) -> int:
        return self._places.setdefault(name, len(self._places) + 1)


def _parts(events: Sequence[Effects]) -> Iterator[Sequence[Effects]]:
    """Cut a batch so that no call has more recipients than Redis should be held for; at least one part."""
    start, recipients = 0, 0
    for place, effects in enumerate(events):
        if place > start and recipients + len(effects.addresses) > MAX_RECIPIENTS_PER_CALL:
            yield events[start:place]
            start, recipients = place, 0
        recipients += len(effects.addresses)
    yield events[start:]


def _applied(reply: list[Any]) -> Applied:
    first, settled, lane, duplicate_sends, newly_suppressed = reply
    return Applied(
        first=bool(first),
        settled_lane=_text(lane) if settled else None,
        duplicate_sends=int(duplicate_sends),
        newly_suppressed=int(newly_suppressed),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _why(error: Exception) -> str:
    """Name an error without its text, which may quote the command and with it addresses."""
    return type(error).__name__


async def _awaited(reply: Awaitable[Any] | Any) -> Any:
    """Await what redis-py types as maybe awaitable."""
    return await reply
