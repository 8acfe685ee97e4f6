"""What SES reports after a send, in AWS's words, and what else may lie in a feedback queue.

Names are those of https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html; a value AWS
adds later is `UNKNOWN`, never an error. The message as it came stays beside what was read from it, and out of every
`repr`, since it is full of personal data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroom.lanes import Lane


class EventType(StrEnum):
    """The kinds of event, as ``eventType`` and ``notificationType`` spell them."""

    SEND = "Send"
    DELIVERY = "Delivery"
    DELIVERY_DELAY = "DeliveryDelay"
    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    REJECT = "Reject"
    RENDERING_FAILURE = "Rendering Failure"
    OPEN = "Open"
    CLICK = "Click"
    SUBSCRIPTION = "Subscription"


class BounceType(StrEnum):
    """Whether trying again makes sense."""

    PERMANENT = "Permanent"
    TRANSIENT = "Transient"
    UNDETERMINED = "Undetermined"
    UNKNOWN = "Unknown"


class BounceSubtype(StrEnum):
    """Why it bounced."""

    GENERAL = "General"
    NO_EMAIL = "NoEmail"
    SUPPRESSED = "Suppressed"  # on SES's global list, which no customer can read
    ON_ACCOUNT_SUPPRESSION_LIST = "OnAccountSuppressionList"
    ON_TENANT_SUPPRESSION_LIST = "OnTenantSuppressionList"
    EMAIL_VALIDATION_SUPPRESSED = "EmailValidationSuppressed"
    UNSUBSCRIBED_RECIPIENT = "UnsubscribedRecipient"
    MAILBOX_FULL = "MailboxFull"
    MESSAGE_TOO_LARGE = "MessageTooLarge"
    CUSTOM_TIMEOUT_EXCEEDED = "CustomTimeoutExceeded"
    CONTENT_REJECTED = "ContentRejected"
    ATTACHMENT_REJECTED = "AttachmentRejected"
    UNDETERMINED = "Undetermined"
    UNKNOWN = "Unknown"


class ComplaintSubtype(StrEnum):
    """Set where SES accepted an email and did not send it, since the recipient had complained before."""

    ON_ACCOUNT_SUPPRESSION_LIST = "OnAccountSuppressionList"
    ON_TENANT_SUPPRESSION_LIST = "OnTenantSuppressionList"
    UNKNOWN = "Unknown"


class ComplaintFeedbackType(StrEnum):
    """What the recipient's provider says it is (RFC 5965 and IANA's register of feedback report types)."""

    ABUSE = "abuse"
    AUTH_FAILURE = "auth-failure"
    FRAUD = "fraud"
    NOT_SPAM = "not-spam"
    OTHER = "other"
    VIRUS = "virus"
    UNSTATED = "unstated"  # the provider sent no report with the complaint
    UNKNOWN = "unknown"


class DelayType(StrEnum):
    """Why a delivery is delayed."""

    INTERNAL_FAILURE = "InternalFailure"
    GENERAL = "General"
    MAILBOX_FULL = "MailboxFull"
    SPAM_DETECTED = "SpamDetected"
    RECIPIENT_SERVER_ERROR = "RecipientServerError"
    IP_FAILURE = "IPFailure"
    TRANSIENT_COMMUNICATION_FAILURE = "TransientCommunicationFailure"
    BYOIP_HOST_NAME_LOOKUP_UNAVAILABLE = "BYOIPHostNameLookupUnavailable"
    UNDETERMINED = "Undetermined"
    SENDING_DEFERRAL = "SendingDeferral"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient an event names.

    `address` is canonical, or None where what SES reported is no address. `action` and `status` are those of the
    recipient's delivery status notification (RFC 3464: ``failed``, ``delayed``; ``5.1.1``), None where there was none.
    """

    address: str | None = field(repr=False)
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTags:
    """The tags Postroom puts on every send. Only event publishing carries them, identity notifications do not."""

    job_id: str
    attempt: int | None
    lane: Lane | None
    stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The send an event is about. `destination` holds canonical addresses, None for what is none."""

    ses_message_id: str | None
    destination: tuple[str | None, ...] = field(repr=False)
    tags: JobTags | None


@dataclass(frozen=True, slots=True)
class Send:
    """SES accepted the email."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The recipients' server accepted it."""

    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class DeliveryDelay:
    """The recipients' server asked to wait; SES keeps trying."""

    delay_type: DelayType
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Bounce:
    """The recipients' server refused it, or SES gave up trying."""

    bounce_type: BounceType
    subtype: BounceSubtype
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody marked it as spam. Providers blank out who: the recipients are all who may have done it."""

    feedback_type: ComplaintFeedbackType
    subtype: ComplaintSubtype | None
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """SES accepted it, found malware in it and did not send it."""


@dataclass(frozen=True, slots=True)
class RenderingFailure:
    """SES accepted it, could not render its template and did not send it."""


@dataclass(frozen=True, slots=True)
class Engagement:
    """Somebody opened it, or clicked a link in it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A recipient changed what SES's own list management may send to them."""


Detail = Send | Delivery | DeliveryDelay | Bounce | Complaint | Reject | RenderingFailure | Engagement | Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEvent:
    """One event of SES.

    `happened_at` is the event's own time in seconds since the epoch, None where it is missing or cannot be read;
    `topic_arn` is None for raw delivery, which names no topic; `body` is the message as it came.
    """

    event_type: EventType
    mail: Mail
    detail: Detail
    feedback_id: str | None
    happened_at: float | None
    topic_arn: str | None
    body: str = field(repr=False)


class NotFeedbackReason(StrEnum):
    """Why a message is no event."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    MESSAGE_NOT_TEXT = "message_not_text"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MALFORMED_EVENT = "malformed_event"
    CLOUDWATCH_ALARM = "cloudwatch_alarm"
    S3_EVENT = "s3_event"
    EVENTBRIDGE_EVENT = "eventbridge_event"
    FOREIGN_MESSAGE = "foreign_message"
    TOPIC_VALIDATION = "topic_validation"
    TOPIC_SUBSCRIBED = "topic_subscribed"
    SUBSCRIPTION_CONFIRMATION = "subscription_confirmation"
    UNSUBSCRIBE_CONFIRMATION = "unsubscribe_confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFeedback:
    """A message that is no event of SES, and why. `token` is that of a subscription confirmation."""

    reason: NotFeedbackReason
    topic_arn: str | None
    body: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
