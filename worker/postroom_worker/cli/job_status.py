"""How a job's status is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from postroom.outcomes import JobState
from postroom_worker.cli.answers import instant, print_facts, print_json
from postroom_worker.cli.exit_status import ExitStatus

if TYPE_CHECKING:
    from postroom.outcomes import JobStatus

#: Outcomes of jobs that were not and will not be sent.
NOT_SENT: Final = frozenset(
    {JobState.SUPPRESSED, JobState.REFUSED, JobState.EXPIRED, JobState.CANCELLED, JobState.DEAD_LETTERED}
)


def print_status(status: JobStatus, *, as_json: bool) -> None:
    """Print how a job stands. In JSON every field is there; times are seconds since the epoch."""
    if as_json:
        print_json(json_of(status))
        return
    print_facts(
        {
            "job": status.job_id,
            "state": status.state,
            "outcome": status.outcome,
            "reason": status.reason,
            "lane": status.lane,
            "attempts": status.attempt,
            "recipients left out": status.suppressed_recipients if status.suppressed_recipients > 0 else None,
            "SES message ID": status.ses_message_id,
            "queued at": instant(status.enqueued_at),
            "due at": instant(status.due_at),
            "ended at": instant(status.settled_at),
        }
    )


def json_of(status: JobStatus) -> dict[str, object]:
    """Return a status with the names that scripts rely on."""
    return {
        "job_id": status.job_id,
        "state": status.state,
        "job_state": status.job_state,
        "outcome": status.outcome,
        "delivery": status.delivery,
        "lane": status.lane,
        "attempt": status.attempt,
        "ses_message_id": status.ses_message_id,
        "reason": status.reason,
        "suppressed_recipients": status.suppressed_recipients,
        "enqueued_at": status.enqueued_at,
        "due_at": status.due_at,
        "settled_at": status.settled_at,
    }


def print_unknown(job_id: str, *, as_json: bool) -> ExitStatus:
    """Say that nobody knows a job (any more), and return the status for that."""
    if as_json:
        print_json({"job_id": job_id, "state": None})
    else:
        print_facts({"job": job_id, "state": "unknown: never queued here, or forgotten some days after its outcome"})
    return ExitStatus.NO
