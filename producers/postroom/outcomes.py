"""How a job stands: its state, the outcome it ends in, and what became of a sent email.

The words are the values in the ledger and in the JSON of the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from postroom.lanes import Lane


class JobState(StrEnum):
    """Where a job is on its way. The last six are outcomes: a job ends in exactly one of them."""

    QUEUED = "queued"  # waits in its lane, or in a worker for its send slot
    PARKED = "parked"  # waits in Redis for a time: `send_at`, or a retry
    BEGUN = "begun"  # a worker has the permission to send it; it may be on the wire
    UNCERTAIN = "uncertain"  # the answer was lost: SES may or may not have accepted it
    SENT = "sent"  # SES accepted it
    SUPPRESSED = "suppressed"  # every recipient was on the suppression list
    REFUSED = "refused"  # SES, or Postroom, will never send it as it is
    EXPIRED = "expired"  # its deadline passed before it could be sent
    CANCELLED = "cancelled"  # its producer took it back before its send began
    DEAD_LETTERED = "dead_lettered"  # given up; kept for a person to look at


#: The states in which a job ends.
OUTCOMES: Final = frozenset(
    {
        JobState.SENT,
        JobState.SUPPRESSED,
        JobState.REFUSED,
        JobState.EXPIRED,
        JobState.CANCELLED,
        JobState.DEAD_LETTERED,
    },
)


class DeliveryState(StrEnum):
    """What SES has reported of a sent email. For several recipients the worst news stands."""

    DELAYED = "delayed"  # a recipient's server asked to wait; SES keeps trying
    DELIVERED = "delivered"  # the recipient's server accepted it
    REJECTED = "rejected"  # SES accepted it and then did not send it (malware)
    RENDERING_FAILED = "rendering_failed"  # SES accepted it and its template could not be rendered
    BOUNCED = "bounced"  # the recipient's server refused it, or SES gave up trying
    COMPLAINED = "complained"  # the recipient marked it as spam


#: Order in which delivery news replaces older news: events arrive in any order, and a bounce may follow a delivery.
DELIVERY_RANK: Final = {
    DeliveryState.DELAYED: 1,
    DeliveryState.DELIVERED: 2,
    DeliveryState.REJECTED: 3,
    DeliveryState.RENDERING_FAILED: 3,
    DeliveryState.BOUNCED: 4,
    DeliveryState.COMPLAINED: 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What the ledger knows of one job. Times are seconds since the epoch."""

    job_id: str
    lane: Lane
    job_state: JobState
    delivery: DeliveryState | None
    attempt: int
    ses_message_id: str | None
    reason: str | None
    suppressed_recipients: int
    enqueued_at: float | None
    due_at: float | None
    settled_at: float | None

    @property
    def state(self) -> str:
        """The latest news in one word: the delivery state of a sent email, else the state of the job."""
        return str(self.job_state if self.delivery is None else self.delivery)

    @property
    def outcome(self) -> JobState | None:
        """The outcome the job ended in, or None while it is under way."""
        return self.job_state if self.job_state in OUTCOMES else None
