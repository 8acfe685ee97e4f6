"""A block of `send_many`: jobs that are held together, shuffled if bulk, and pushed call by call. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom.lanes import Lane
from postroom.ledger import enqueue, known_as
from postroom.message import celery_message
from postroom.sending import SHUFFLED_BYTES, SHUFFLED_JOBS, calls, job_of_item, push_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from postroom.addresses import Address
    from postroom.commands import Dialogue
    from postroom.job import Job
    from postroom.keys import Keys
    from postroom.sending import Item, SendOptions


class Block:
    """Jobs in the order of their items, filled until it is `full` and then pushed."""

    def __init__(
        self,
        *,
        keys: Keys,
        options: SendOptions,
        default_sender: Address | None,
        origin: str,
        batch: int,
    ) -> None:
        self._keys = keys
        self._options = options
        self._default_sender = default_sender
        self._origin = origin
        self._batch = batch
        self._max_jobs = SHUFFLED_JOBS if options.lane == Lane.BULK else batch
        self._jobs: list[Job] = []
        self._messages: list[str] = []
        self._size_bytes = 0

    def add(self, item: Item, *, now: float) -> None:
        """Make the job of an item; `now` is in seconds since the epoch.

        Raises `InvalidEmail` or `InvalidJob`.
        """
        job = job_of_item(item, self._options, default_sender=self._default_sender, now=now)
        message = celery_message(job, queue=self._keys.queue(job.lane), origin=self._origin)
        self._jobs.append(job)
        self._messages.append(message)
        self._size_bytes += len(message)

    @property
    def full(self) -> bool:
        """Whether it must be pushed before anything is added."""
        return len(self._jobs) >= self._max_jobs or self._size_bytes >= SHUFFLED_BYTES

    def push(self, randomness: Random, *, accepted: Callable[[int], None]) -> Dialogue[list[Job]]:
        """Push everything, tell the number of jobs after each call, and return the jobs in order. Empties the block.

        Raises `IdempotencyConflict`; the calls before it are accepted then.
        """
        jobs, messages = self._jobs, self._messages
        self._jobs, self._messages, self._size_bytes = [], [], 0
        order = push_order(jobs, randomness)
        # Messages are ASCII: their characters are their bytes.
        sizes = [(jobs[index].recipients_count, len(messages[index])) for index in order]
        for call in calls(sizes, max_jobs=self._batch):
            indices = [order[position] for position in call]
            ids = yield from enqueue(self._keys, [(jobs[index], messages[index]) for index in indices])
            for index, job_id in zip(indices, ids, strict=True):
                jobs[index] = known_as(jobs[index], job_id)
            accepted(len(indices))
        return jobs
