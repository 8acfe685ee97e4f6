"""What applying feedback needs of the world outside, and the values it exchanges with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from postroom_worker.policy.feedback_effects import Effects


class FeedbackQueueError(Exception):
    """SQS could not be asked, or refused; the text says why, without personal data."""


class FeedbackStoreError(Exception):
    """Redis did not apply what it was asked to; the text says why, without personal data. Asking again is harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """One message in hand. `receive_count` is SQS's approximate count of receives, this one included."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    receive_count: int


class FeedbackQueue(Protocol):
    """The SQS queue behind the feedback topic. Every method raises `FeedbackQueueError`."""

    async def receive(self) -> list[ReceivedMessage]:
        """Wait up to a long poll for at most ten messages; they are out of others' sight for a while."""

    async def delete(self, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
        """Delete messages; return those that SQS did not delete."""

    async def hide(self, messages: Sequence[ReceivedMessage], *, seconds: int) -> None:
        """Keep messages out of others' sight for so long from now on."""


class TopicSubscriptions(Protocol):
    """SNS, as far as a subscription asks for confirmation."""

    async def confirm(self, *, topic_arn: str, token: str) -> None:
        """Confirm a subscription; raises `FeedbackQueueError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What one event changed.

    `first` is False for an event whose effects on addresses and ratios were applied before. `settled_lane` is the lane
    of the job that this event moved to *sent*, None if it moved none (empty if the record names no lane).
    """

    first: bool
    settled_lane: str | None
    duplicate_sends: int
    newly_suppressed: int


@dataclass(frozen=True, slots=True)
class Application:
    """What a batch changed, one entry per event in order, and Redis's time in milliseconds when it did."""

    now_ms: int
    applied: tuple[Applied, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReadings:
    """What the consumer's gauges show. Ratios are by window (``1h``, ``24h``, ``7d``); times are epoch seconds."""

    bounce_ratios: Mapping[str, float]
    complaint_ratios: Mapping[str, float]
    suppressed_addresses: int
    last_event_at: float | None


class FeedbackStore(Protocol):
    """Redis, as far as feedback goes. Every method raises `FeedbackStoreError`."""

    async def apply(self, events: Sequence[Effects], *, empty_at_ms: int | None = None) -> Application:
        """Apply events, each once however often it comes, and record that the queue was asked.

        `empty_at_ms` is Redis's time before the start of a long poll that came back empty, when nothing was in hand.
        """

    async def readings(self) -> FeedbackReadings:
        """Return what stands in Redis now."""
