"""What SNS wraps around an event, and what else than events may lie in the queue. Pure and total."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from postroom_worker.policy.feedback_event import NotFeedbackReason

#: Longest message that is looked into, in characters. SQS takes 1 MiB at most
#: (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
MAX_BODY_CHARACTERS: Final = 1024 * 1024

#: How SES greets a topic when an event destination is made or changed: plain text, no JSON.
TOPIC_VALIDATION: Final = "Successfully validated SNS topic for Amazon SES event publishing"

#: ``notificationType`` of the message that follows when an identity's notification topic is set. It has no ``mail``.
TOPIC_SUBSCRIBED: Final = "AmazonSnsSubscriptionSucceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The JSON object of an event, and the topic its envelope names (None: raw delivery)."""

    event: dict[str, object]
    topic_arn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """Why there is no event inside."""

    reason: NotFeedbackReason
    topic_arn: str | None = None
    token: str | None = None


def open_envelope(body: str) -> Opened | Unopened:
    """Find the event in the body of an SQS message, raw or in SNS's envelope."""
    content = _json_object(body)
    if isinstance(content, NotFeedbackReason):
        return Unopened(reason=content)
    if _is_event(content):
        return _opened(content, topic_arn=None)
    if not isinstance(content.get("Type"), str) or "TopicArn" not in content:
        return Unopened(reason=_foreign(content))
    return _open_sns(content, topic_arn=_text(content["TopicArn"]))


def _open_sns(content: dict[str, object], *, topic_arn: str | None) -> Opened | Unopened:
    match content["Type"]:
        case "Notification":
            return _open_notification(content.get("Message"), topic_arn=topic_arn)
        case "SubscriptionConfirmation":
            reason = NotFeedbackReason.SUBSCRIPTION_CONFIRMATION
            return Unopened(reason=reason, topic_arn=topic_arn, token=_text(content.get("Token")))
        case "UnsubscribeConfirmation":
            return Unopened(reason=NotFeedbackReason.UNSUBSCRIBE_CONFIRMATION, topic_arn=topic_arn)
        case _:
            return Unopened(reason=NotFeedbackReason.FOREIGN_MESSAGE, topic_arn=topic_arn)


def _open_notification(message: object, *, topic_arn: str | None) -> Opened | Unopened:
    if not isinstance(message, str):
        return Unopened(reason=NotFeedbackReason.MESSAGE_NOT_TEXT, topic_arn=topic_arn)
    content = _json_object(message)
    if isinstance(content, NotFeedbackReason):
        return Unopened(reason=content, topic_arn=topic_arn)
    if not _is_event(content):
        return Unopened(reason=_foreign(content), topic_arn=topic_arn)
    return _opened(content, topic_arn=topic_arn)


def _opened(content: dict[str, object], *, topic_arn: str | None) -> Opened | Unopened:
    if content.get("notificationType") == TOPIC_SUBSCRIBED:
        return Unopened(reason=NotFeedbackReason.TOPIC_SUBSCRIBED, topic_arn=topic_arn)
    return Opened(event=content, topic_arn=topic_arn)


def _is_event(content: dict[str, object]) -> bool:
    return "eventType" in content or "notificationType" in content


def _json_object(text: str) -> dict[str, object] | NotFeedbackReason:
    if not text or text.isspace():
        return NotFeedbackReason.EMPTY
    if len(text) > MAX_BODY_CHARACTERS:
        return NotFeedbackReason.TOO_LARGE
    if text.lstrip().startswith(TOPIC_VALIDATION):
        return NotFeedbackReason.TOPIC_VALIDATION
    try:
        content: object = json.loads(text)
    except (ValueError, RecursionError):
        # ValueError also for an integer of more than 4,300 digits; RecursionError for nesting beyond Python's limit.
        return NotFeedbackReason.NOT_JSON
    if not isinstance(content, dict):
        return NotFeedbackReason.NOT_AN_OBJECT
    return content


def _foreign(content: dict[str, object]) -> NotFeedbackReason:
    """Name the services that most often share a queue with SES by mistake."""
    if "AlarmName" in content:
        return NotFeedbackReason.CLOUDWATCH_ALARM
    if content.get("Event") == "s3:TestEvent" or "Records" in content:
        return NotFeedbackReason.S3_EVENT
    if "detail-type" in content:
        return NotFeedbackReason.EVENTBRIDGE_EVENT
    return NotFeedbackReason.FOREIGN_MESSAGE


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
