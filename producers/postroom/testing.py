"""For tests of services that send email: the client's twin in memory.

::

    def test_an_order_is_confirmed():
        outbox = Outbox()
        confirm(order, postroom=outbox)
        assert outbox.emails[0].subject == "Your order"
"""

from __future__ import annotations

import time
from base64 import b64decode
from json import loads
from typing import TYPE_CHECKING, Any

from postroom.async_producer import AsyncProducer
from postroom.configuration import DEFAULT_NAMESPACE, keys_of
from postroom.job import Job
from postroom.memory import MemoryExecutor
from postroom.outcomes import OUTCOMES, DeliveryState, JobState
from postroom.producer import Producer
from postroom.sending import sender_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from postroom.commands import Batch
    from postroom.email import Email
    from postroom.keys import Keys
    from postroom.outcomes import JobStatus


class Outbox(Producer):
    """`Postroom` without Redis and without sending: what was queued can be looked at, and be given an outcome.

    It accepts and refuses what `Postroom` does, keeps idempotency keys and the suppression list, and forgets all of it
    with the object. Nothing works on the queue: a job stays ``queued`` until `settle`. `clock` tells seconds since the
    epoch.
    """

    def __init__(
        self,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        default_sender: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = keys_of(namespace)
        self._memory = MemoryExecutor(clock=clock)
        super().__init__(self._memory, keys=keys, default_sender=sender_of(default_sender, setting="default_sender"))

    @property
    def jobs(self) -> list[Job]:
        """Every job that was accepted and not cancelled, in the order of acceptance (which shuffles bulk)."""
        return _accepted_jobs(self._memory, self._keys)

    @property
    def emails(self) -> list[Email]:
        """The emails of `jobs`."""
        return [job.email for job in self.jobs]

    def settle(
        self,
        job_id: str,
        job_state: JobState = JobState.SENT,
        *,
        delivery: DeliveryState | None = None,
    ) -> JobStatus:
        """Give a job an outcome, and a sent one its delivery state, as workers and feedback would.

        Raises ``KeyError`` for an unknown job and ``ValueError`` for a state that is no outcome.
        """
        _settle(self._memory, self._keys, job_id, job_state=job_state, delivery=delivery)
        status = self.status(job_id)
        if status is None:
            raise KeyError(job_id)
        return status

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncOutbox(AsyncProducer):
    """`AsyncPostroom` without Redis; meanings as in `Outbox`."""

    def __init__(
        self,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        default_sender: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = keys_of(namespace)
        self._memory = MemoryExecutor(clock=clock)
        super().__init__(
            _Awaitable(self._memory),
            keys=keys,
            default_sender=sender_of(default_sender, setting="default_sender"),
        )

    @property
    def jobs(self) -> list[Job]:
        """Every job that was accepted and not cancelled, in the order of acceptance (which shuffles bulk)."""
        return _accepted_jobs(self._memory, self._keys)

    @property
    def emails(self) -> list[Email]:
        """The emails of `jobs`."""
        return [job.email for job in self.jobs]

    async def settle(
        self,
        job_id: str,
        job_state: JobState = JobState.SENT,
        *,
        delivery: DeliveryState | None = None,
    ) -> JobStatus:
        """Give a job an outcome, as `Outbox.settle`."""
        _settle(self._memory, self._keys, job_id, job_state=job_state, delivery=delivery)
        status = await self.status(job_id)
        if status is None:
            raise KeyError(job_id)
        return status

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class _Awaitable:
    """An executor on an asyncio loop, over one that never waits."""

    def __init__(self, memory: MemoryExecutor) -> None:
        self._memory = memory

    async def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands."""
        return self._memory.execute(batch)


def _accepted_jobs(memory: MemoryExecutor, keys: Keys) -> list[Job]:
    """Return the jobs that were accepted and not taken back, in the order of acceptance."""
    return [
        _job_of(message)
        for job_id, message in memory.messages.items()
        if memory.hashes.get(keys.job(job_id), {}).get("state", "") != JobState.CANCELLED
    ]


def _job_of(message: str) -> Job:
    """Return the job a Celery message carries."""
    _, kwargs, _ = loads(b64decode(loads(message)["body"]))
    return Job.from_json_object(kwargs["job"])


def _settle(
    memory: MemoryExecutor,
    keys: Keys,
    job_id: str,
    *,
    job_state: JobState,
    delivery: DeliveryState | None,
) -> None:
    """Write an outcome into the ledger in memory."""
    if job_state not in OUTCOMES:
        raise ValueError(f"{job_state} is no outcome: use one of {', '.join(sorted(OUTCOMES))}")
    if delivery is not None and job_state is not JobState.SENT:
        raise ValueError("only a sent email has a delivery state")
    record = memory.hashes.get(keys.job(job_id))
    if record is None:
        raise KeyError(job_id)
    record |= {"state": job_state, "settled_ms": str(memory.now_ms())}
    record.pop("due_ms", None)
    memory.hashes.get(keys.parked_messages, {}).pop(job_id, None)
    if delivery is not None:
        record["delivery"] = delivery
