"""What a producer can do, whatever keeps the queue: the synchronous half."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from postroom import ledger
from postroom.block import Block
from postroom.lanes import Lane
from postroom.message import celery_message, origin
from postroom.sending import MAX_CALL_JOBS, SendOptions, checked_batch, checked_options, make_job
from postroom.suppression_list import SuppressionList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from postroom.addresses import Address
    from postroom.commands import Batch, Dialogue
    from postroom.email import Email
    from postroom.job import Job, OnUncertain
    from postroom.keys import Keys
    from postroom.outcomes import JobStatus
    from postroom.sending import Item

Result = TypeVar("Result")


class Executor(Protocol):
    """What executes batches: Redis, or a memory."""

    def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands."""


class Producer:
    """Sends emails, looks jobs up and takes them back, and keeps the suppression list.

    What a function that sends should ask for: `Postroom` is one, and so is `postroom.testing.Outbox`.
    """

    def __init__(self, executor: Executor, *, keys: Keys, default_sender: Address | None) -> None:
        self._executor = executor
        self._keys = keys
        self._default_sender = default_sender
        self._randomness = Random()  # noqa: S311  it shuffles; nobody gains by guessing the order
        self.suppression = SuppressionList(self._run, keys)

    def send(
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
        """Queue an email and return its job. Options as in `SendOptions`.

        Under an `idempotency_key` that was used before for the same email and stream, nothing is queued, and the job
        returned has the id of the first, whatever became of that one: a cancelled send stays cancelled. A key is
        remembered for three days after the job was queued, or was due.

        Raises `InvalidEmail`, `InvalidJob`, `IdempotencyConflict` when the key belongs to another email, `Unreachable`
        and `RedisRefused`.
        """
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
        (job_id,) = self._run(ledger.enqueue(self._keys, [(job, message)]))
        return ledger.known_as(job, job_id)

    def send_many(
        self,
        emails: Iterable[Item],
        *,
        lane: Lane | str = Lane.TRANSACTIONAL,
        stream: str | None = None,
        progress: Callable[[int], object] | None = None,
        batch: int = MAX_CALL_JOBS,
    ) -> Iterator[Job]:
        """Queue many emails, fast, and return an iterator of their jobs, one per email and in their order.

        It works as it is iterated: an iterator that nobody reads sends nothing. `emails` holds emails, or pairs of an
        email and its own `SendOptions` (or a mapping of them). They are taken in blocks of `batch`; in the bulk lane
        in blocks of 10,000 (or 64 MiB), which are shuffled, because a list often is sorted by how good it is.
        `progress` is called with the number of jobs accepted so far.

        An email or options that are wrong raise `InvalidEmail` or `InvalidJob` before anything of their block is
        queued; a conflict of idempotency keys raises `IdempotencyConflict` before anything of its batch is. A batch
        whose answer is lost is repeated, which queues no job twice. When Redis stays away, `Unreachable` ends the
        iterator, and part of the block may be queued: with idempotency keys the whole can be sent again safely.
        """
        options = checked_options(SendOptions(lane=lane, stream=stream))
        return self._send_many(emails, options, progress=progress, batch=checked_batch(batch))

    def _send_many(
        self,
        emails: Iterable[Item],
        options: SendOptions,
        *,
        progress: Callable[[int], object] | None,
        batch: int,
    ) -> Iterator[Job]:
        accepted = Progress(progress)
        block = Block(
            keys=self._keys,
            options=options,
            default_sender=self._default_sender,
            origin=origin(),
            batch=batch,
        )
        for email in emails:
            block.add(email, now=time.time())
            if block.full:
                yield from self._run(block.push(self._randomness, accepted=accepted.add))
        yield from self._run(block.push(self._randomness, accepted=accepted.add))

    def status(self, job_id: str) -> JobStatus | None:
        """Return how a job stands, or None for one nobody knows, or knows any more (three days after its outcome)."""
        return self._run(ledger.status(self._keys, job_id))

    def cancel(self, job_id: str) -> bool:
        """Take a job back, and tell whether it is cancelled: False once its send has begun, or for an unknown job."""
        return self._run(ledger.cancel(self._keys, job_id))

    def _run(self, dialogue: Dialogue[Result]) -> Result:
        try:
            batch = next(dialogue)
            while True:
                batch = dialogue.send(self._executor.execute(batch))
        except StopIteration as stop:
            result: Result = stop.value
            return result


class Progress:
    """Adds up what was accepted and tells it."""

    def __init__(self, tell: Callable[[int], object] | None) -> None:
        self._tell = tell
        self._total = 0

    def add(self, jobs: int) -> None:
        """Count jobs that were accepted."""
        self._total += jobs
        if self._tell is not None:
            self._tell(self._total)
