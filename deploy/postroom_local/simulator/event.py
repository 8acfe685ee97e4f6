"""One thing that befell an email."""

from dataclasses import dataclass
from datetime import UTC, datetime

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.mailbox import Fate
from postroom_local.simulator.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that befell some recipients of a message, at `at` seconds.

    `feedback_id` is empty for what is neither a bounce nor a complaint.
    """

    type: EventType
    message: Message
    fate: Fate
    recipients: tuple[str, ...]
    at: float
    feedback_id: str


def timestamp(seconds: float) -> str:
    """A moment as SES writes it: UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
