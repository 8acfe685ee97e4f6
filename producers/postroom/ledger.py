"""Reading and writing the ledger as a producer may: enqueue, status, cancel. Dialogues with Redis, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from postroom.commands import Command, Dialogue, ScriptCall, producer_script
from postroom.errors import IdempotencyConflict
from postroom.lanes import Lane
from postroom.outcomes import DeliveryState, JobState, JobStatus
from postroom.sending import content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from postroom.job import Job
    from postroom.keys import Keys

#: Seconds a settled job and an idempotency key are remembered: three days, longer than a weekend.
RETENTION_SECONDS: Final = 3 * 24 * 3600

_MILLISECONDS: Final = 1000


def enqueue(keys: Keys, jobs: Sequence[tuple[Job, str]]) -> Dialogue[list[str]]:
    """Put jobs with their messages on the queue and return, for each, the id under which it is known.

    That is its own id, or the id of the first job that was sent under its idempotency key.

    Raises `IdempotencyConflict`; then none was put on the queue.
    """
    names: list[str] = [keys.parked, keys.parked_messages]
    arguments: list[str | int] = [RETENTION_SECONDS]
    for job, message in jobs:
        record = keys.job(job.id)
        key = job.idempotency_key
        names += (record, record if key is None else keys.idempotency(key), keys.queue(job.lane))
        due = "" if job.send_at is None else round(job.send_at * _MILLISECONDS)
        arguments += (job.id, str(job.lane), message, due, "" if key is None else content_digest(job))
    reply = yield ScriptCall(producer_script("enqueue"), tuple(names), tuple(arguments))
    verdict, *rest = reply
    if verdict == "conflict":
        number, first_job_id = rest
        key = jobs[int(number)][0].idempotency_key
        raise IdempotencyConflict(first_job_id=first_job_id, idempotency_key="" if key is None else key)
    return [str(job_id) for job_id in rest]


def known_as(job: Job, job_id: str) -> Job:
    """Return the job under the id Redis knows it by."""
    return job if job.id == job_id else job.model_copy(update={"id": job_id})


def status(keys: Keys, job_id: str) -> Dialogue[JobStatus | None]:
    """Return how a job stands, or None for one nobody knows (any more)."""
    (record,) = yield (Command(("HGETALL", keys.job(job_id))),)
    return status_of(job_id, record)


def cancel(keys: Keys, job_id: str) -> Dialogue[bool]:
    """Take a job back and tell whether it will never be sent for that reason."""
    state = yield ScriptCall(
        producer_script("cancel"),
        (keys.job(job_id), keys.parked, keys.parked_messages),
        (job_id, RETENTION_SECONDS),
    )
    return bool(state == JobState.CANCELLED)


def status_of(job_id: str, record: Mapping[str, str]) -> JobStatus | None:
    """Read a ledger record."""
    if "state" not in record:
        return None
    delivery = record.get("delivery")
    return JobStatus(
        job_id=job_id,
        lane=Lane(record["lane"]),
        job_state=JobState(record["state"]),
        delivery=None if delivery is None else DeliveryState(delivery),
        attempt=int(record.get("attempt", 0)),
        ses_message_id=record.get("ses_message_id"),
        reason=record.get("reason"),
        suppressed_recipients=int(record.get("suppressed", 0)),
        enqueued_at=_seconds(record.get("enqueued_ms")),
        due_at=_seconds(record.get("due_ms")),
        settled_at=_seconds(record.get("settled_ms")),
    )


def _seconds(milliseconds: str | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / _MILLISECONDS
