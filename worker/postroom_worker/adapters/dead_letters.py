"""What was given up, in Redis: kept with its reason until a person decides."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from postroom_worker.adapters.redis_scripts import RedisScript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys

#: Dead letters read in one round trip.
READ_AT_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter. `id` is the job's where the message had one, `dead_at` seconds since the epoch.

    `queue` is where it came from and `raw` the Celery message as it came. `attempts` is how often its send was begun;
    None where the ledger does not know, because the message was no job, or any more: a record ends some days after its
    outcome, a dead letter stays.
    """

    id: str
    dead_at: float
    queue: str
    reason: str
    raw: bytes
    attempts: int | None

    @property
    def job(self) -> dict[str, Any] | None:
        """The job in the message, as JSON; None where it cannot be read."""
        try:
            _, kwargs, _ = json.loads(b64decode(json.loads(self.raw)["body"]))
            job = kwargs["job"]
        except (ValueError, KeyError, TypeError, RecursionError, Base64Error):
            return None
        return job if isinstance(job, dict) else None

    def __repr__(self) -> str:
        # What is logged by accident says nothing personal.
        return f"DeadLetter({self.id}, {self.queue}, {self.reason})"


class Retried(IntEnum):
    """What became of a retry."""

    UNREADABLE = -1  # no worker could read it: it would come back at once
    GONE = 0  # somebody retried or dropped it before
    DONE = 1


class DeadLetters:
    """Lists, retries and drops dead letters. All methods raise `redis.exceptions.RedisError`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._names = [keys.dead_letters, keys.dead_letter_messages, keys.dead_letter_reasons]
        self._retry = RedisScript(redis, "retry_dead_letter")

    async def count(self) -> int:
        """Return how many there are."""
        return int(await self._redis.zcard(self._keys.dead_letters))

    async def all(self) -> AsyncIterator[DeadLetter]:
        """Iterate over all, oldest first. What comes or goes meanwhile may be missed or repeated: act on them later."""
        start = 0
        while True:
            found: Any = await self._redis.zrange(
                self._keys.dead_letters,
                start,
                start + READ_AT_MOST - 1,
                withscores=True,
            )
            if not found:
                return
            for letter in await self._read([(_text(name), score) for name, score in found]):
                yield letter
            start += len(found)

    async def get(self, letter_id: str) -> DeadLetter | None:
        """Return one, or None."""
        score: Any = await self._redis.zscore(self._keys.dead_letters, letter_id)
        if score is None:
            return None
        letters = await self._read([(letter_id, float(score))])
        return letters[0] if letters else None

    async def history(self, letter_id: str) -> dict[str, str]:
        """Return the ledger's record of its job, by the names of the record's fields; empty where there is none."""
        record: Any = await self._redis.hgetall(self._keys.job(letter_id))
        return {_text(name): _text(value) for name, value in record.items()}

    async def retry(self, letter_id: str) -> Retried:
        """Put one back into its queue, with its failures forgotten."""
        names = [*self._names, self._keys.job(letter_id)]
        return Retried(await self._retry(keys=names, args=[letter_id, str(uuid.uuid4())]))

    async def drop(self, letter_id: str) -> bool:
        """Delete one for good; tell whether it was there."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(self._keys.dead_letters, letter_id)
            pipe.hdel(self._keys.dead_letter_messages, letter_id)
            pipe.hdel(self._keys.dead_letter_reasons, letter_id)
            removed, *_ = await pipe.execute()
        return bool(removed)

    async def _read(self, found: Sequence[tuple[str, float]]) -> list[DeadLetter]:
        ids = [name for name, _ in found]
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.dead_letter_messages, ids)
            pipe.hmget(self._keys.dead_letter_reasons, ids)
            for name in ids:
                pipe.hget(self._keys.job(name), "attempt")
            messages, reasons, *attempts = await pipe.execute()
        letters = []
        for (name, score), kept, reason, attempt in zip(found, messages, reasons, attempts, strict=True):
            if kept is not None:
                queue, _, raw = kept.partition(b" ")
                letters.append(
                    DeadLetter(
                        id=name,
                        dead_at=score / 1000,
                        queue=_text(queue),
                        reason="" if reason is None else _text(reason),
                        raw=raw,
                        attempts=None if attempt is None else int(attempt),
                    )
                )
        return letters


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
