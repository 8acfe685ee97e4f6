"""From the body of an SQS message to an event of SES. Pure and total: whatever comes, it is an event or a reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar, assert_never

from postroom.addresses import canonical_address
from postroom.lanes import Lane
from postroom_worker.policy.feedback_envelope import Opened, Unopened, open_envelope
from postroom_worker.policy.feedback_event import (
    Bounce,
    BounceSubtype,
    BounceType,
    Complaint,
    ComplaintFeedbackType,
    ComplaintSubtype,
    DelayType,
    Delivery,
    DeliveryDelay,
    Detail,
    Engagement,
    EventType,
    FeedbackEvent,
    JobTags,
    Mail,
    NotFeedback,
    NotFeedbackReason,
    Recipient,
    Reject,
    RenderingFailure,
    Send,
    Subscription,
)

#: Recipients of one event that are looked at. SES sends to 50 at most
#: (https://docs.aws.amazon.com/ses/latest/dg/quotas.html); twenty times as many is no event of SES.
MAX_RECIPIENTS: Final = 1000

#: Longest text that may hold an address, in characters: an address has 254 at most, a display name stands before it.
MAX_ADDRESS_TEXT_CHARACTERS: Final = 1000

#: Longest timestamp that is read, in characters: AWS's have 24 to 30.
MAX_TIMESTAMP_CHARACTERS: Final = 40

#: Longest name of a type or subtype that is looked up, in characters; `BYOIPHostNameLookupUnavailable` has 30.
MAX_NAME_CHARACTERS: Final = 64

#: Longest diagnostic code that is kept, in characters. SMTP's reply lines have 512 octets at most (RFC 5321, 4.5.3.1.5).
MAX_DIAGNOSTIC_CHARACTERS: Final = 512

#: What a SES message ID or feedback ID may hold. Theirs are hex digits and hyphens; the bound keeps what is stored small.
_SES_ID = re.compile(r"[A-Za-z0-9._@-]{1,96}")
#: What `postroom.job` gives a job as its id, and a stream as its name.
_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")
#: An enhanced status code (RFC 3463, section 2).
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_ACTION = re.compile(r"[A-Za-z]{1,16}")
#: AWS spells the same value `Permanent`, `PERMANENT`, `RENDERING_FAILURE` and `Rendering Failure`.
_BETWEEN_WORDS = re.compile(r"[ _-]")

#: The name of the object that holds an event's details.
_DETAIL_NAMES: Final = {
    EventType.SEND: "send",
    EventType.DELIVERY: "delivery",
    EventType.DELIVERY_DELAY: "deliveryDelay",
    EventType.BOUNCE: "bounce",
    EventType.COMPLAINT: "complaint",
    EventType.REJECT: "reject",
    EventType.RENDERING_FAILURE: "failure",
    EventType.OPEN: "open",
    EventType.CLICK: "click",
    EventType.SUBSCRIPTION: "subscription",
}

_Member = TypeVar("_Member", bound=StrEnum)


def parse_feedback(body: str) -> FeedbackEvent | NotFeedback:
    """Read the body of an SQS message: raw or enveloped, event publishing or identity notification."""
    opened = open_envelope(body)
    match opened:
        case Unopened():
            return NotFeedback(reason=opened.reason, topic_arn=opened.topic_arn, body=body, token=opened.token)
        case Opened():
            event = _read_event(opened, body=body)
            if isinstance(event, NotFeedbackReason):
                return NotFeedback(reason=event, topic_arn=opened.topic_arn, body=body)
            return event
        case _:
            assert_never(opened)


def _read_event(opened: Opened, *, body: str) -> FeedbackEvent | NotFeedbackReason:
    content = opened.event
    event_type = _member(EventType, content.get("eventType", content.get("notificationType")))
    if event_type is None:
        return NotFeedbackReason.UNKNOWN_EVENT_TYPE
    mail = _read_mail(content.get("mail"))
    fields = content.get(_DETAIL_NAMES[event_type])
    if mail is None or not isinstance(fields, dict):
        return NotFeedbackReason.MALFORMED_EVENT
    detail = _read_detail(event_type, fields)
    if isinstance(detail, NotFeedbackReason):
        return detail
    return FeedbackEvent(
        event_type=event_type,
        mail=mail,
        detail=detail,
        feedback_id=_matching(_SES_ID, fields.get("feedbackId")),
        happened_at=_read_timestamp(fields.get("timestamp")),
        topic_arn=opened.topic_arn,
        body=body,
    )


def _read_detail(event_type: EventType, fields: dict[str, object]) -> Detail | NotFeedbackReason:
    match event_type:
        case EventType.SEND:
            detail: Detail | NotFeedbackReason = Send()
        case EventType.REJECT:
            detail = Reject()
        case EventType.RENDERING_FAILURE:
            detail = RenderingFailure()
        case EventType.OPEN | EventType.CLICK:
            detail = Engagement()
        case EventType.SUBSCRIPTION:
            detail = Subscription()
        case EventType.DELIVERY:
            detail = _read_delivery(fields)
        case EventType.DELIVERY_DELAY:
            detail = _read_delivery_delay(fields)
        case EventType.BOUNCE:
            detail = _read_bounce(fields)
        case EventType.COMPLAINT:
            detail = _read_complaint(fields)
        case _:
            assert_never(event_type)
    return detail


def _read_delivery(fields: dict[str, object]) -> Delivery | NotFeedbackReason:
    recipients = _read_recipients(fields.get("recipients"))
    return recipients if isinstance(recipients, NotFeedbackReason) else Delivery(recipients)


def _read_delivery_delay(fields: dict[str, object]) -> DeliveryDelay | NotFeedbackReason:
    recipients = _read_recipients(fields.get("delayedRecipients"))
    if isinstance(recipients, NotFeedbackReason):
        return recipients
    return DeliveryDelay(_known(fields.get("delayType"), unknown=DelayType.UNKNOWN), recipients)


def _read_bounce(fields: dict[str, object]) -> Bounce | NotFeedbackReason:
    recipients = _read_recipients(fields.get("bouncedRecipients"))
    if isinstance(recipients, NotFeedbackReason):
        return recipients
    return Bounce(
        _known(fields.get("bounceType"), unknown=BounceType.UNKNOWN),
        _known(fields.get("bounceSubType"), unknown=BounceSubtype.UNKNOWN),
        recipients,
    )


def _read_complaint(fields: dict[str, object]) -> Complaint | NotFeedbackReason:
    recipients = _read_recipients(fields.get("complainedRecipients"))
    if isinstance(recipients, NotFeedbackReason):
        return recipients
    stated_type, stated_subtype = fields.get("complaintFeedbackType"), fields.get("complaintSubType")
    feedback_type = ComplaintFeedbackType.UNSTATED
    if stated_type is not None:
        feedback_type = _known(stated_type, unknown=ComplaintFeedbackType.UNKNOWN)
    subtype = None if stated_subtype is None else _known(stated_subtype, unknown=ComplaintSubtype.UNKNOWN)
    return Complaint(feedback_type, subtype, recipients)


def _read_recipients(value: object) -> tuple[Recipient, ...] | NotFeedbackReason:
    if not isinstance(value, list):
        return NotFeedbackReason.MALFORMED_EVENT
    if len(value) > MAX_RECIPIENTS:
        return NotFeedbackReason.TOO_MANY_RECIPIENTS
    return tuple(_read_recipient(recipient) for recipient in value)


def _read_recipient(value: object) -> Recipient:
    """Read a plain address, as a delivery lists it, or an object with the fields of its delivery status."""
    if not isinstance(value, dict):
        return Recipient(address=_read_address(value))
    diagnostic_code = value.get("diagnosticCode")
    return Recipient(
        address=_read_address(value.get("emailAddress")),
        action=_lower(_matching(_ACTION, value.get("action"))),
        status=_matching(_STATUS, value.get("status")),
        diagnostic_code=diagnostic_code[:MAX_DIAGNOSTIC_CHARACTERS] if isinstance(diagnostic_code, str) else None,
    )


def _read_address(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_TEXT_CHARACTERS:
        return None
    return canonical_address(value)


def _read_mail(value: object) -> Mail | None:
    if not isinstance(value, dict):
        return None
    destination = value.get("destination")
    addresses = destination[:MAX_RECIPIENTS] if isinstance(destination, list) else []
    return Mail(
        ses_message_id=_matching(_SES_ID, value.get("messageId")),
        destination=tuple(_read_address(address) for address in addresses),
        tags=_read_tags(value.get("tags")),
    )


def _read_tags(value: object) -> JobTags | None:
    if not isinstance(value, dict):
        return None
    job_id = _matching(_TAG, _first(value.get("job_id")))
    if job_id is None:
        return None
    attempt = _matching(_ATTEMPT, _first(value.get("attempt")))
    return JobTags(
        job_id=job_id,
        attempt=None if attempt is None else int(attempt),
        lane=_member(Lane, _first(value.get("lane"))),
        stream=_matching(_TAG, _first(value.get("stream"))),
    )


def _read_timestamp(value: object) -> float | None:
    """Return seconds since the epoch, or None for what is no time after it. AWS writes more than one ISO 8601 form."""
    if not isinstance(value, str) or len(value) > MAX_TIMESTAMP_CHARACTERS:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if seconds > 0 else None


def _first(value: object) -> object:
    """Return the value of a tag: SES lists values."""
    return value[0] if isinstance(value, list) and value else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) is not None else None


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _known(value: object, *, unknown: _Member) -> _Member:
    """Return the member that AWS means, or `unknown` for one that AWS added later."""
    member = _member(type(unknown), value)
    return unknown if member is None else member


def _member(members: type[_Member], value: object) -> _Member | None:
    """Return the member that AWS means, however it spells it."""
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS:
        return None
    wanted = _BETWEEN_WORDS.sub("", value).lower()
    return next((member for member in members if _BETWEEN_WORDS.sub("", member.value).lower() == wanted), None)
