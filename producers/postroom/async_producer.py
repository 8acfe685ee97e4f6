"""What a producer can do, whatever keeps the queue: the asynchronous half."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from postroom import ledger
from postroom.block import Block
from postroom.lanes import Lane
from postroom.message import celery_message, origin
from postroom.producer import Progress
from postroom.sending import MAX_CALL_JOBS, SendOptions, checked_batch, checked_options, make_job
from postroom.suppression_list import AsyncSuppressionList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from datetime import datetime

    from postroom.addresses import Address
    from postroom.commands import Batch, Dialogue
    from postroom.email import Email
    from postroom.job import Job, OnUncertain
    from postroom.keys import Keys
    from postroom.outcomes import JobStatus
    from postroom.sending import Item

Result = TypeVar("Result")


class AsyncExecutor(Protocol):
    """What executes batches on an asyncio loop."""

    async def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands."""


class AsyncProducer:
    """`Producer` on an asyncio loop; meanings and errors as there."""

    def __init__(self, executor: AsyncExecutor, *, keys: Keys, default_sender: Address | None) -> None:
        self._executor = executor
        self._keys = keys
        self._default_sender = default_sender
        self._randomness = Random()  # noqa: S311  it shuffles; nobody gains by guessing the order
        self.suppression = AsyncSuppressionList(self._run, keys)

    async def send(
        self,
        email: Email,
        *,
        lane: Lane | str = Lane.TRANSACTIONAL,
        stream: str | None = None,
        idempotency_key: str | None = None,
        send_at: datetime | float | None = None,
        expires_in: float | None = None,
        on_uncertain: OnUncertain | str = "resend",
    ) -> Job:
        """Queue an email and return its job, as `Producer.send`."""
        options = SendOptions(
            lane=lane,
            stream=stream,
            idempotency_key=idempotency_key,
            send_at=send_at,
            expires_in=expires_in,
            on_uncertain=on_uncertain,
        )
        job = make_job(email, options, default_sender=self._default_sender, now=time.time())
        message = celery_message(job, queue=self._keys.queue(job.lane), origin=origin())
        (job_id,) = await self._run(ledger.enqueue(self._keys, [(job, message)]))
        return ledger.known_as(job, job_id)

    def send_many(
        self,
        emails: Iterable[Item] | AsyncIterable[Item],
        *,
        lane: Lane | str = Lane.TRANSACTIONAL,
        stream: str | None = None,
        progress: Callable[[int], object] | None = None,
        batch: int = MAX_CALL_JOBS,
    ) -> AsyncIterator[Job]:
        """Queue many emails and return an asynchronous iterator of their jobs, as `Producer.send_many`."""
        options = checked_options(SendOptions(lane=lane, stream=stream))
        return self._send_many(emails, options, progress=progress, batch=checked_batch(batch))

    async def _send_many(
        self,
        emails: Iterable[Item] | AsyncIterable[Item],
        options: SendOptions,
        *,
        progress: Callable[[int], object] | None,
        batch: int,
    ) -> AsyncIterator[Job]:
        accepted = Progress(progress)
        block = Block(
            keys=self._keys,
            options=options,
            default_sender=self._default_sender,
            origin=origin(),
            batch=batch,
        )
        async for email in _each(emails):
            block.add(email, now=time.time())
            if block.full:
                for job in await self._run(block.push(self._randomness, accepted=accepted.add)):
                    yield job
        for job in await self._run(block.push(self._randomness, accepted=accepted.add)):
            yield job

    async def status(self, job_id: str) -> JobStatus | None:
        """Return how a job stands, or None for one nobody knows (any more)."""
        return await self._run(ledger.status(self._keys, job_id))

    async def cancel(self, job_id: str) -> bool:
        """Take a job back, and tell whether it is cancelled."""
        return await self._run(ledger.cancel(self._keys, job_id))

    async def _run(self, dialogue: Dialogue[Result]) -> Result:
        try:
            batch = next(dialogue)
            while True:
                batch = dialogue.send(await self._executor.execute(batch))
        except StopIteration as stop:
            result: Result = stop.value
            return result


async def _each(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
