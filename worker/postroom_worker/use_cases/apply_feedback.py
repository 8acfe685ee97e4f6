"""Apply a batch of feedback: read every message, change Redis in one call, say what may be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from postroom.outcomes import JobState
from postroom_worker.feedback_ports import FeedbackQueueError
from postroom_worker.logs import get_logger
from postroom_worker.policy.feedback_effects import (
    ConfirmSubscription,
    DeadLetter,
    Effects,
    Ignored,
    decide,
)
from postroom_worker.policy.feedback_event import Bounce, Complaint, FeedbackEvent
from postroom_worker.policy.feedback_parsing import parse_feedback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroom_worker.feedback_ports import Applied, FeedbackStore, ReceivedMessage, TopicSubscriptions
    from postroom_worker.metrics import Metrics
    from postroom_worker.policy.feedback_effects import Decision
    from postroom_worker.policy.feedback_event import NotFeedback

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """A message, what it holds, and what that leads to."""

    message: ReceivedMessage
    content: FeedbackEvent | NotFeedback
    decision: Decision


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """`done` may be deleted from the queue; `now_ms` is Redis's time when the effects were there."""

    done: tuple[ReceivedMessage, ...]
    now_ms: int


class ApplyFeedback:
    """Applies batches of messages.

    `topic_arn` is the one topic whose messages are believed, None believes all; `subscriptions` confirms its
    subscription where SNS asks, None leaves the question to a person.
    """

    def __init__(
        self,
        *,
        store: FeedbackStore,
        metrics: Metrics,
        topic_arn: str | None = None,
        subscriptions: TopicSubscriptions | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._topic_arn = topic_arn
        self._subscriptions = subscriptions

    async def __call__(self, messages: Sequence[ReceivedMessage]) -> AppliedBatch:
        """Apply messages; calling it again with the same ones is harmless.

        Raises `FeedbackStoreError` where Redis did not take the effects: then nothing may be deleted.
        """
        read = [self._read(message) for message in messages]
        effective = [
            (one.content, one.decision)
            for one in read
            if isinstance(one.content, FeedbackEvent) and isinstance(one.decision, Effects)
        ]
        application = await self._store.apply([effects for _, effects in effective])
        for (event, effects), applied in zip(effective, application.applied, strict=True):
            self._count_effects(event, effects, applied)
        done = [one.message for one in read if await self._is_done(one)]
        return AppliedBatch(tuple(done), application.now_ms)

    def _read(self, message: ReceivedMessage) -> _Read:
        content = parse_feedback(message.body)
        return _Read(message, content, decide(content, topic_arn=self._topic_arn))

    async def _is_done(self, read: _Read) -> bool:
        """Count a message by what it was, and tell whether it may be deleted."""
        match read.decision:
            case Effects() | Ignored():
                kind, done = _kind(read.content), True
            case ConfirmSubscription():
                kind, done = _kind(read.content), await self._confirm(read.decision)
            case DeadLetter():
                kind, done = read.decision.reason, False
            case _:
                assert_never(read.decision)
        self._metrics.feedback_events.labels(kind).inc()
        if not done:
            _log.warning(
                "feedback_message_left",
                reason=kind,
                sqs_message_id=read.message.message_id,
                receive_count=read.message.receive_count,
                length_characters=len(read.message.body),
            )
        return done

    async def _confirm(self, confirmation: ConfirmSubscription) -> bool:
        if self._subscriptions is None:
            return False
        try:
            await self._subscriptions.confirm(topic_arn=confirmation.topic_arn, token=confirmation.token)
        except FeedbackQueueError as error:
            # The message stays and comes again: SNS may be out of reach, or the token too old.
            _log.warning("subscription_not_confirmed", topic_arn=confirmation.topic_arn, error=str(error))
            return False
        _log.info("subscription_confirmed", topic_arn=confirmation.topic_arn)
        return True

    def _count_effects(self, event: FeedbackEvent, effects: Effects, applied: Applied) -> None:
        if applied.settled_lane is not None:
            self._metrics.jobs.labels(_lane(effects, applied.settled_lane), JobState.SENT).inc()
        if applied.duplicate_sends > 0:
            self._metrics.duplicate_sends.inc(applied.duplicate_sends)
            _log.warning("duplicate_send", job_id=None if effects.job is None else effects.job.job_id)
        if not applied.first:
            return
        match event.detail:
            case Bounce() as bounce:
                self._metrics.bounces.labels(bounce.bounce_type, bounce.subtype).inc(len(effects.addresses))
            case Complaint() as complaint:
                self._metrics.complaints.labels(complaint.feedback_type).inc()
            case _:
                return


def _lane(effects: Effects, settled_lane: str) -> str:
    """Return the lane of a job that was settled: its record's, or its tag's where the record has lost it."""
    if settled_lane or effects.job is None or effects.job.lane is None:
        return settled_lane
    return effects.job.lane


def _kind(content: FeedbackEvent | NotFeedback) -> str:
    """Return what a message was, as the label of `postroom_feedback_events_total`."""
    return content.event_type if isinstance(content, FeedbackEvent) else content.reason
